package directory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"roster/db"
	"roster/internal/directory"
)

func TestAsError(t *testing.T) {
	t.Parallel()
	own := &directory.Error{Code: directory.Conflict, Message: "m", Field: "f"}
	for _, row := range []struct {
		name string
		err  error
		want directory.Code
	}{
		{"our own", own, directory.Conflict}, {"wrapped", fmt.Errorf("while: %w", own), directory.Conflict},
		{"unknown", errors.New("x"), directory.Internal}, {"a bug in SQL", &db.Error{Kind: db.Other, State: "42601"}, directory.Internal},
		{"a rule that nobody explained", &db.Error{Kind: db.Unique, State: "23505"}, directory.Internal},
		{"away", &db.Error{Kind: db.Unavailable}, directory.Unavailable}, {"too slow", &db.Error{Kind: db.Timeout}, directory.Unavailable},
		{"deadlocks without end", &db.Error{Kind: db.Retry}, directory.Unavailable}, {"a deadline", context.DeadlineExceeded, directory.Unavailable},
		{"gone", fmt.Errorf("x: %w", context.Canceled), directory.Unavailable},
	} {
		got := directory.AsError(row.err)
		if got.Code != row.want || got.Message == "" || !slices.Contains(directory.Codes, got.Code) {
			t.Errorf("%s: %v, want %s", row.name, got, row.want)
		}
		if !errors.Is(got, row.err) && !errors.Is(row.err, got) {
			t.Errorf("%s: the cause is lost", row.name)
		}
	}
}

// TestConstraintsAreExplained holds the words for broken constraints to the schema: none for what is not there, and some for whatever an
// input can break.
func TestConstraintsAreExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := strings.Fields(w.text(`SELECT string_agg(conname, ' ') FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('u', 'f') AND conname NOT LIKE 'bun_%'`))
	for name := range directory.Constraints {
		if !slices.Contains(there, name) {
			t.Errorf("%s is explained and not in the schema", name)
		}
	}
	// Ours to keep: identifiers that we make, and what is upserted.
	made := []string{"_number_unique", "_id_unique", "_hash_unique", "users_id_username_unique", "worker_models_name_unique", "worker_models_group_exists", "tokens_parent_exists",
		"deleted_members_group_exists", "deleted_admins_group_exists", "deleted_actions_group_exists", "identities_user_unique", "identities_user_exists", "webhook_deliveries_webhook_exists", "idempotency_answers_key_exists"}
	for _, name := range there {
		ours := slices.ContainsFunc(made, func(m string) bool { return strings.HasSuffix(name, m) })
		if _, ok := directory.Constraints[name]; !ok && !ours {
			t.Errorf("nobody explains %s; explained are %v", name, slices.Sorted(maps.Keys(directory.Constraints)))
		}
	}
	for name, want := range directory.Constraints {
		got := directory.AsError(directory.Explain(&db.Error{Kind: db.Unique, State: "23505", Constraint: name}))
		if got.Code != want.Code || got.Field != want.Field || got.Field == "" || got.Cause == nil {
			t.Errorf("%s is explained as %+v", name, got)
		}
	}
	if got := directory.AsError(directory.Explain(&db.Error{Kind: db.Check, State: "23514", Constraint: "any"})); got.Code != directory.Invalid {
		t.Errorf("a rule of the schema is %v", got)
	}
}

// TestSetUserGroupsAtOnce: of many who say at once what all the groups of one user are, one has the last word, and all of it.
func TestSetUserGroupsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann")
	const n = 6
	for i := range n {
		w.group(fmt.Sprintf("g%d", i), "", "", false)
	}
	sets := map[string]bool{}
	inputs := make([]directory.SetUserGroupsInput, 24)
	r := randomly(t)
	for i := range inputs {
		inputs[i].User = *named("ann")[0]
		var names []string
		for j := range n {
			if r.IntN(2) == 0 {
				names = append(names, fmt.Sprintf("g%d", j))
				inputs[i].Groups = append(inputs[i].Groups, ptr(directory.GroupByName(names[len(names)-1])))
			}
		}
		sets[strings.Join(names, " ")] = true
	}
	together(len(inputs), func(i int) {
		if _, err := w.SetUserGroups(t.Context(), directory.System(), inputs[i], nothing); err != nil {
			t.Error(err)
		}
	})
	got := w.text(`SELECT coalesce(string_agg(g.name, ' ' ORDER BY g.name), '') FROM members m JOIN groups g ON g.id = m.group_id`)
	if !sets[got] {
		t.Errorf("ann is in %q, which nobody asked for", got)
	}
	w.checkCounters()
	w.checkReplay()
}
