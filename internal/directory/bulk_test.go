package directory_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// TestTenThousandInOneCall: the most that a call takes takes as many statements as two users do.
func TestTenThousandInOneCall(t *testing.T) {
	t.Parallel()
	var statements atomic.Int64
	w := newWorldWith(t, db.Options{StatementTimeout: time.Minute, OnStatement: func(context.Context, string) { statements.Add(1) }})
	w.manyUsers(directory.MaxBulk)
	all := numbered(0, directory.MaxBulk)
	add := func(name string, users []*directory.UserRef, sel directory.Selection) int64 {
		w.group(name, "", "", false)
		statements.Store(0)
		p := w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: directory.GroupByName(name), Users: users}, sel))
		n := statements.Load()
		if len(p.Outcomes) != len(users) {
			t.Errorf("of %d users it tells of %d outcomes", len(users), len(p.Outcomes))
		}
		if len(sel.Links) > 0 && len(changesOf(t, p)) != len(users) {
			t.Errorf("of %d users it tells of %d changes", len(users), len(changesOf(t, p)))
		}
		return n
	}
	few, many := add("few", all[:2], withChanges), add("many", all, withChanges)
	if few != many {
		t.Errorf("two users take %d statements and %d take %d", few, len(all), many)
	}
	if shortFew, shortMany := add("short", all[:2], nothing), add("shortly", all, nothing); shortFew != shortMany || shortMany >= many {
		t.Errorf("where no change is asked for, two users take %d statements and %d take %d; where they are, %d", shortFew, len(all), shortMany, many)
	}
	w.checkCounters()
	for _, name := range []string{"many", "shortly"} {
		if got := w.text(`SELECT count(*) FROM changes WHERE group_name = $1 AND kind = 'MEMBER_ADDED'`, name); got != strconv.Itoa(len(all)) {
			t.Errorf("of %s the log has %s changes", name, got)
		}
	}
}
