package directory_test

import (
	"fmt"
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// TestStandbyLeftBehind: of two standbys the one that had received less became the primary. The other one is further in the write-ahead
// log, of a past that did not happen, and answers nothing: it has nothing of what is written now, and other transactions by the same numbers.
func TestStandbyLeftBehind(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	before := newSite(t, p, nil)
	boss := before.keyOf("boss", directory.RoleAdministrator)
	before.did(boss, "one")
	before.awaitStandby(p, boss, "one")
	ahead := p.Another()
	p.Sync()
	p.StopStandby()
	p.Exec(`CREATE TABLE lost AS SELECT repeat('x', 500) FROM generate_series(1, 20000)`)
	for range 100 { // transactions' numbers are others' afterwards
		p.Exec(`SELECT pg_current_xact_id()`)
	}
	p.SyncOf(ahead)
	p.StopPrimary()
	p.StartStandby()
	p.Promote()

	after := newSiteOf(t, p, p.StandbyURL(), rostertest.URLOf(ahead), nil)
	token := after.did(boss, "two")
	seen := after.looks.Load()
	p.Await("the standby to be looked at", func() bool { return after.looks.Load() > seen+5 })
	for _, tokens := range [][]string{{token}, nil} {
		found, from, err := after.sees(boss, "two", tokens...)
		expect(t, fmt.Sprintf("with %d tokens", len(tokens)), found, from, err, true, "primary")
	}
}
