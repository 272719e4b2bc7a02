//go:build faults

package faults

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"roster/internal/embedded"
)

// TestTenStartAtOnce: on an empty database. One migrates, the others wait for it, all come up and serve the same.
func TestTenStartAtOnce(t *testing.T) {
	t.Parallel()
	url := embedded.Acquire(t, embedded.Template{Key: "empty"})
	var all []*program
	for range 10 {
		all = append(all, begin(t, url))
	}
	migrated := 0
	for _, p := range all {
		p.up(t)
		migrated += strings.Count(p.output.String(), "msg=migrated")
	}
	if migrated != 1 {
		t.Errorf("%d of them have migrated", migrated)
	}
	l := newLedger(t, all[0].at)
	for n, p := range all {
		l.server = p.at
		for i := range 4 {
			if !l.act(i) {
				t.Errorf("server %d: %s", n, l)
			}
		}
	}
	l.settle(url)
	for _, p := range all {
		if code := p.signal(t, syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// TestVersionsSideBySide: a migration of a later version has been applied, which only adds. A program that does not know it serves on,
// starts anew and serves. One whose own migrations are missing does not serve.
func TestVersionsSideBySide(t *testing.T) {
	t.Parallel()
	url := database(t)
	b := newBeam(t, url)
	before := start(t, url)
	l := newLedger(t, before.at)
	l.load(4)
	l.await(20, 0)
	// What a later version does: additive, as CONTRIBUTING.md has it.
	b.exec(`ALTER TABLE groups ADD COLUMN colour text NOT NULL DEFAULT 'grey'`)
	b.exec(`ALTER TABLE members ADD COLUMN note text`)
	b.exec(`CREATE TABLE later (id uuid PRIMARY KEY)`)
	b.exec(`INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('99991231000000', 99, now())`)
	l.await(40, 0)
	after := start(t, url)
	l.halt()
	l.server = after.at
	for i := range 8 {
		if !l.act(i) {
			t.Errorf("started on a later schema: %s", l)
		}
	}
	if code, answer := l.door("ready", "GET", "/readyz", ""); code != "" {
		t.Errorf("on a later schema /readyz says %s %s", code, answer)
	}
	l.settle(url)
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}

	b.exec(`DELETE FROM bun_migrations WHERE name <> '99991231000000' AND name = (SELECT max(name) FROM bun_migrations WHERE name <> '99991231000000')`)
	poll(t, "the server to see that its schema is not there", func() bool { // it remembers for a second
		res, answer, _ := l.do("ready", "GET", "/readyz", "")
		return res != nil && res.StatusCode == http.StatusServiceUnavailable && strings.Contains(answer, "schema is not the one")
	})
	refused := begin(t, url, "ROSTER_MIGRATE=false")
	<-refused.ended
	if !strings.Contains(refused.output.String(), "the schema is older than this program") {
		t.Errorf("on an earlier schema a program says\n%s", refused.output)
	}
}
