package directory_test

import (
	"context"
	"sync/atomic"
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// TestStandbyCancels: a standby cancels what stands in the way of what it has to replay, again and again. No reader hears of it.
func TestStandbyCancels(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a := newSite(t, p, nil)
	boss := a.keyOf("boss", directory.RoleAdministrator)
	a.did(boss, "one")
	a.awaitStandby(p, boss, "one")
	p.Hasty()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var failed atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		together(8, func(int) {
			for ctx.Err() == nil {
				by, _, err := a.tryBy(boss)
				var c *directory.GroupConnection
				if err == nil {
					c, err = a.Groups(context.Background(), by, directory.Page{Rows: true, Total: true}, directory.Selection{Fields: []string{"name"},
						Links: []directory.Link{{Key: "m", Field: "members", Page: &directory.Page{Rows: true, Total: true}, Select: directory.Selection{Links: withUser}}}})
				}
				if err != nil || c.TotalCount != 1 || len(c.Nodes()) != 1 {
					failed.Add(1)
					t.Errorf("a read failed: %v", err)
					return
				}
			}
		})
	}()
	p.Await("the standby to have cancelled", func() bool {
		p.Exec("BEGIN; LOCK TABLE groups, users, totals IN ACCESS EXCLUSIVE MODE; COMMIT")
		return a.cancelled.Load() > 3 || failed.Load() > 0
	})
	stop()
	<-ended
}
