package load_test

import (
	"errors"
	"strings"
	"testing"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/load"
	"roster/internal/rostertest"
)

// TestSeed looks at the load data as the directory does; db's own test looks at the tables.
func TestSeed(t *testing.T) {
	t.Parallel()
	url := rostertest.URL(t)
	var progress strings.Builder
	size := load.Size{Groups: 200, Users: 400, Memberships: 2_000}
	if err := load.Seed(t.Context(), url, size, &progress); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(progress.String(), "2,000 memberships ") || !strings.Contains(progress.String(), "(200 in one group, 20 of one user)") {
		t.Errorf("progress:\n%s", progress.String())
	}
	store, err := db.Open(db.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dir := rostertest.DirectoryOn(t, store)
	first := 1
	groups, err := dir.Groups(t.Context(), directory.System(), directory.Page{
		PageArgs: directory.PageArgs{First: &first}, Rows: true, Total: true,
		Order: []*directory.GroupOrder{{Field: directory.GroupOrderFieldMemberCount, Direction: directory.OrderDirectionDesc}},
	}, directory.Selection{Fields: []string{"name", "memberCount", "adminCount"}})
	if err != nil || groups.TotalCount != 200 || groups.Edges[0].Node.MemberCount != 200 {
		t.Fatalf("%+v, %v", groups, err)
	}
	// The load data is a directory like any other: it can be written to.
	big := directory.GroupByName(groups.Edges[0].Node.Name)
	p, err := dir.SetMembers(t.Context(), directory.System(), directory.SetMembersInput{Group: big, Members: []*directory.UserRef{}}, directory.Selection{})
	if err != nil || p.Changed()[directory.ChangeKindMemberRemoved] != 200 {
		t.Errorf("%v, %v", p.Changed(), err)
	}
	if err := load.Seed(t.Context(), url, size, nil); !errors.Is(err, db.ErrNotEmpty) {
		t.Errorf("seeding twice: %v", err)
	}
}

func TestSeedSizes(t *testing.T) {
	t.Parallel()
	for want, size := range map[string]load.Size{
		"groups: 9 is not between 10 and 9,999,999\nusers: 10,000,000 is not between 10 and 9,999,999\nmemberships: -1 is not between 0 and 100,000,000": {Groups: 9, Users: 10_000_000, Memberships: -1},
		"memberships: at most 24 fit so few groups and users": {Groups: 10, Users: 10, Memberships: 100},
	} {
		if err := load.Seed(t.Context(), "postgres://nowhere/", size, nil); err == nil || err.Error() != want {
			t.Errorf("%+v: %v", size, err)
		}
	}
}
