package directory_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"roster/internal/directory"
)

// together runs n functions that all begin at the same moment, and waits for them.
func together(n int, do func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

// seeded is a source of chance that a failure can be repeated with.
func seeded(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 7)) }

// some picks up to most of the names prefix0 to prefix(n-1), some of them twice.
func some(r *rand.Rand, prefix string, n, most int) []*directory.UserRef {
	refs := []*directory.UserRef{}
	for range r.IntN(most + 1) {
		ref := directory.UserByName(fmt.Sprintf("%s%d", prefix, r.IntN(n)))
		refs = append(refs, &ref)
	}
	return refs
}

// someOf is some, but at least one.
func someOf(r *rand.Rand, prefix string, n, most int) []*directory.UserRef {
	refs := some(r, prefix, n, most-1)
	ref := directory.UserByName(fmt.Sprintf("%s%d", prefix, r.IntN(n)))
	return append(refs, &ref)
}

// checkReplay holds the log to what it is for: whoever follows it in its order knows who is in which group, and which users and
// groups there are.
func (w *world) checkReplay() {
	w.t.Helper()
	rows, err := w.beam.QueryContext(w.t.Context(), `SELECT kind, coalesce(group_id::text, ''), coalesce(user_id::text, ''), before IS NULL FROM changes ORDER BY tx, seq`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	facts := map[string]bool{}
	for n := 1; rows.Next(); n++ {
		var kind, group, user string
		var fresh bool
		if err := rows.Scan(&kind, &group, &user, &fresh); err != nil {
			w.t.Fatal(err)
		}
		fact, holds := "", true
		switch directory.ChangeKind(kind) {
		case directory.ChangeKindMemberAdded:
			fact = "member " + group + " " + user
		case directory.ChangeKindMemberRemoved, directory.ChangeKindMemberExpired:
			fact, holds = "member "+group+" "+user, false
		case directory.ChangeKindAdminAdded:
			fact = "admin " + group + " " + user
		case directory.ChangeKindAdminRemoved:
			fact, holds = "admin "+group+" "+user, false
		case directory.ChangeKindGroupCreated, directory.ChangeKindGroupRestored:
			fact = "group " + group
		case directory.ChangeKindGroupDeleted:
			fact, holds = "group "+group, false
			maps.DeleteFunc(facts, func(f string, _ bool) bool { // with everybody in it
				return strings.HasPrefix(f, "member "+group) || strings.HasPrefix(f, "admin "+group)
			})
		case directory.ChangeKindUserCreated:
			fact = "user " + user
		case directory.ChangeKindUserDeleted:
			fact, holds = "user "+user, false
		default:
			continue
		}
		if facts[fact] == holds && (fresh || !holds) {
			w.t.Errorf("change %d of the log, %s, tells what was so before: %s", n, kind, fact)
		}
		if holds {
			facts[fact] = true
		} else {
			delete(facts, fact)
		}
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	told, err := json.Marshal(facts)
	if err != nil {
		w.t.Fatal(err)
	}
	for what, query := range map[string]string{
		"not told": `SELECT string_agg(f.fact, ', ') FROM facts f WHERE NOT jsonb_exists($1::jsonb, f.fact)`,
		"not so":   `SELECT string_agg(t.fact, ', ') FROM jsonb_object_keys($1::jsonb) t(fact) WHERE t.fact NOT IN (SELECT fact FROM facts)`,
	} {
		got := w.text(`WITH facts AS (SELECT 'member ' || group_id || ' ' || user_id AS fact FROM members
			UNION ALL SELECT 'admin ' || group_id || ' ' || user_id FROM admins) `+query, string(only(told, "member", "admin")))
		if got != "" {
			w.t.Errorf("whoever replays the log goes wrong, %s: %s", what, got)
		}
	}
}

// only keeps the facts of a kind.
func only(facts []byte, kinds ...string) []byte {
	var m map[string]bool
	_ = json.Unmarshal(facts, &m)
	kept := map[string]bool{}
	for f := range m {
		for _, k := range kinds {
			if len(f) > len(k) && f[:len(k)] == k {
				kept[f] = true
			}
		}
	}
	b, _ := json.Marshal(kept)
	return b
}

// changesOf are the changes that a payload tells, read under that key.
func changesOf(t testing.TB, p *directory.Payload) []*directory.Change {
	t.Helper()
	cs, err := directory.Linked[[]*directory.Change](p, "changes")
	if err != nil {
		t.Fatal(err)
	}
	return cs
}
