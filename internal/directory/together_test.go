package directory_test

import (
	"sync"
	"testing"

	"roster/internal/directory"
)

// TestReadsTogetherKeepCallersApart: many ask for one private group while Postgres is kept from answering, so that those who ask alike read
// together. Each sees what it may see, and what is said of the caller is said of this one.
func TestReadsTogetherKeepCallersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("boss", "member", "stranger")
	w.group("g", "member", "boss", false)
	callers := map[string]directory.Caller{"boss": w.as("boss"), "member": w.as("member"), "stranger": w.as("stranger")}
	tx, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE groups`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for name, want := range map[string]string{"boss": "g, may edit", "member": "g", "stranger": "nothing"} {
		by := callers[name]
		for range 20 {
			all.Go(func() {
				g, err := w.Service.Group(t.Context(), by, directory.GroupByName("G"), directory.Selection{Fields: []string{"name", "viewerCan"}})
				got := "nothing"
				if g != nil {
					if got = g.Name; g.ViewerCan().Edit {
						got += ", may edit"
					}
				}
				if got != want || err != nil {
					t.Errorf("%s sees %s, want %s: %v", name, got, want, err)
				}
			})
		}
	}
	w.await("statements to wait", `SELECT count(*) >= 9 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
}
