package load_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/load"
	"roster/internal/rostertest"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	store := rostertest.Store(t, db.Options{})
	dir := rostertest.DirectoryOn(t, store)
	var progress strings.Builder
	if err := load.Demo(t.Context(), dir, &progress); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(progress.String(), "8 users, of them new: 8\n") || !strings.Contains(progress.String(), "30 groups created") {
		t.Errorf("progress: %s", progress.String())
	}
	for _, want := range []struct {
		group           string
		public          bool
		members, admins []string
	}{
		{"engineering", true, []string{"alice", "bob", "carol", "dave"}, []string{"alice", "bob"}},
		{"platform", true, []string{"bob", "carol"}, []string{"bob"}},
		{"security", false, []string{"erin", "frank"}, []string{"erin"}},
		{"oncall", true, []string{"bob", "erin"}, []string{"bob"}},
	} {
		g, members, admins := people(t, dir, want.group)
		if g == nil || g.Public != want.public || !slices.Equal(members, want.members) || !slices.Equal(admins, want.admins) {
			t.Errorf("%s: members %q, admins %q, %+v", want.group, members, admins, g)
		}
	}
	if g, _, _ := people(t, dir, "data science"); g != nil {
		t.Error("the group that an example of the playground creates is there already")
	}
	expiring := &directory.Page{Filter: &directory.MemberFilter{}, Rows: true}
	g, err := dir.Group(t.Context(), directory.System(), directory.GroupByName("contractors"),
		directory.Want(directory.Link{Key: "members", Field: "members", Page: expiring, Select: directory.Selection{Fields: []string{"expiresAt"}}}))
	if err != nil {
		t.Fatal(err)
	}
	members, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		t.Fatal(err)
	}
	if dave := members.Nodes()[0].ExpiresAt; dave == nil || time.Until(*dave) < 88*24*time.Hour || members.Nodes()[1].ExpiresAt != nil {
		t.Errorf("dave is a contractor until %v", dave)
	}

	before := changes(t, store)
	progress.Reset()
	if err := load.Demo(t.Context(), dir, &progress); err != nil {
		t.Fatal(err)
	}
	if n := changes(t, store) - before; n != 0 || !strings.Contains(progress.String(), "30 groups unchanged") {
		t.Errorf("the second run made %d changes: %s", n, progress.String())
	}
}

// TestDemoIsNotForEverybody tries the demo on a directory with an alice of its own, and on one with a group of its own.
func TestDemoIsNotForEverybody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{`{"name": "choir", "members": ["Alice"]}`, "demo: this directory has a user alice of its own: the demo is for a directory without"},
		{`{"name": "Security", "members": ["mallory"]}`, `demo: this directory has a group "Security" of its own: the demo is for a directory without`},
	} {
		store := rostertest.Store(t, db.Options{})
		dir := rostertest.DirectoryOn(t, store)
		if _, _, err := imported(t, dir, c.line, false); err != nil {
			t.Fatal(err)
		}
		before := changes(t, store)
		if err := load.Demo(t.Context(), dir, nil); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if n := changes(t, store) - before; n != 0 {
			t.Errorf("%s: %d changes", c.line, n)
		}
	}
}
