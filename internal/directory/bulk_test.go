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
	add := func(name string, users []*directory.UserRef) int64 {
		w.group(name, "", "", false)
		statements.Store(0)
		p := w.did(w.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: directory.GroupByName(name), Users: users}, withChanges))
		n := statements.Load()
		if told := len(changesOf(t, p)); told != len(users) || len(p.Outcomes) != len(users) {
			t.Errorf("of %d users it tells of %d changes and %d outcomes", len(users), told, len(p.Outcomes))
		}
		return n
	}
	if few, many := add("few", all[:2]), add("many", all); few != many {
		t.Errorf("two users take %d statements and %d take %d", few, len(all), many)
	}
	w.checkCounters()
	if got := w.text(`SELECT count(*) FROM changes WHERE group_name = 'many' AND kind = 'MEMBER_ADDED'`); got != strconv.Itoa(len(all)) {
		t.Errorf("the log has %s changes", got)
	}
}
