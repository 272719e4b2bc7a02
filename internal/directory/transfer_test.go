package directory_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

func transfer(from, to string) directory.TransferAdminInput {
	return directory.TransferAdminInput{Group: club, From: *named(from)[0], To: *named(to)[0]}
}

// TestTransferAdmin hands adminships over, the only one included.
func TestTransferAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("ann", "bob", "eve")
	w.group("club", "eve", "ann", false)
	ann := w.as("ann")
	for _, row := range []struct {
		in    directory.TransferAdminInput
		by    directory.Caller
		code  directory.Code
		field string
		want  []directory.ChangeKind
	}{
		{in: transfer("ann", "ann"), by: ann, code: directory.Invalid, field: "input.to"},
		{in: transfer("eve", "bob"), by: ann, code: directory.Invalid, field: "input.from"},
		{in: transfer("ann", "nobody"), by: ann, code: directory.NotFound, field: "input.to"},
		{in: transfer("nobody", "ann"), by: ann, code: directory.NotFound, field: "input.from"},
		{in: transfer("ann", "eve"), by: w.as("eve"), code: directory.Forbidden},
		{in: transfer("ann", "eve"), by: w.as("bob"), code: directory.NotFound, field: "input.group"},
		{in: transfer("ann", "bob"), by: ann, want: []directory.ChangeKind{directory.ChangeKindAdminAdded, directory.ChangeKindAdminRemoved, directory.ChangeKindMemberAdded}},
		{in: transfer("bob", "eve"), by: ann, code: directory.Forbidden},
	} {
		before := w.dump()
		p, err := w.TransferAdmin(t.Context(), row.by, row.in, withChanges)
		if failure(err) != row.code || (err != nil && directory.AsError(err).Field != row.field) {
			t.Errorf("%s: %v, want %s %s", row.in.From.String(), err, row.code, row.field)
		}
		if err != nil {
			if w.dump() != before {
				t.Errorf("%v, and something was written", err)
			}
			continue
		}
		if d := cmp.Diff(row.want, kinds(t, p)); d != "" {
			t.Errorf("the changes (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]directory.MemberResult{directory.MemberResultPromoted, directory.MemberResultDemoted},
			[]directory.MemberResult{p.Outcomes[0].Result, p.Outcomes[1].Result}); d != "" {
			t.Errorf("the outcomes (-want +got):\n%s", d)
		}
	}
	// To one who is an admin already: one goes.
	w.did(w.AddAdmins(t.Context(), directory.System(), directory.AddAdminsInput{Group: club, Users: named("eve")}, nothing))
	p := w.did(w.TransferAdmin(t.Context(), directory.System(), transfer("bob", "eve"), nothing))
	if p.Outcomes[0].Result != directory.MemberResultAlreadyAdmin || w.text(`SELECT string_agg(username_key, ' ') FROM admins`) != "eve" {
		t.Errorf("%+v", p.Outcomes[0])
	}
	w.checkCounters()
	w.checkReplay()
}

// TestTransferTogether has many hand over the same adminship at once: one does, and the group has one admin throughout.
func TestTransferTogether(t *testing.T) {
	t.Parallel()
	const n = 12
	w := newWorld(t)
	w.users("ann")
	w.manyUsers(n)
	w.group("club", "", "ann", false)
	var results tally
	together(n, func(i int) {
		_, err := w.TransferAdmin(t.Context(), directory.System(), transfer("ann", fmt.Sprintf("u%d", i)), nothing)
		results.add(err)
	})
	if d := cmp.Diff(map[directory.Code]int{"": 1, directory.Invalid: n - 1}, results.codes); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := w.text(`SELECT count(*) || ' ' || min(admin_count) FROM admins JOIN groups g ON g.id = group_id`); got != "1 1" {
		t.Errorf("admins: %s", got)
	}
	w.checkCounters()
}
