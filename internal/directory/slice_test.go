package directory_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// longList is how many members there are: more than a walk reads at a time, twice over.
const longList = 2_300

// TestSliceMembers cuts parts out of a long list, across the pages that it is read in.
func TestSliceMembers(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	by := rostertest.Admin(t, dir, directory.DoorEnterpriseTester)
	group := directory.GroupByName("long")
	var names []string
	var users []*directory.UserRef
	for i := range longList {
		names = append(names, fmt.Sprintf("user%04d", i))
		ref := directory.UserByName(names[i])
		users = append(users, &ref)
	}
	if _, err := dir.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: "long", Members: users, OnUnknownUser: directory.OnUnknownUserCreate}, directory.Selection{}); err != nil {
		t.Fatal(err)
	}
	backwards := slices.Clone(names)
	slices.Reverse(backwards)
	desc := []*directory.MemberOrder{{Field: directory.MemberOrderFieldUsername, Direction: directory.OrderDirectionDesc}}
	for _, c := range []struct {
		slice directory.Slice
		want  []string
	}{
		{directory.Slice{}, names},
		{directory.Slice{Skip: 10, Top: new(5)}, names[10:15]},
		{directory.Slice{Skip: 999, Top: new(2)}, names[999:1001]},
		{directory.Slice{Skip: 1_000, Top: new(1_000)}, names[1_000:2_000]},
		{directory.Slice{Skip: 1_500}, names[1_500:]},
		{directory.Slice{Skip: 1_500, Top: new(1_200)}, names[1_500:]},
		{directory.Slice{Skip: 2_200, Top: new(5), Order: desc}, backwards[2_200:2_205]},
		{directory.Slice{Skip: longList}, nil},
		{directory.Slice{Skip: longList * 10}, nil},
		{directory.Slice{Top: new(0)}, nil},
		{directory.Slice{Skip: 1, Filter: &directory.MemberFilter{Username: &directory.StringFilter{Contains: new("10")}}, Top: new(2)}, []string{"user0100", "user0101"}},
	} {
		c.slice.Total = true
		total, rows, err := dir.SliceMembers(t.Context(), by, group, c.slice, withUserNames)
		if err != nil {
			t.Fatal(err)
		}
		if got := readSlice(t, rows, memberName); !slices.Equal(got, c.want) || (c.slice.Filter == nil) != (total == longList) {
			t.Errorf("%+v: %d of %d, want %d", c.slice, len(got), total, len(c.want))
		}
	}
}

// TestSliceGroups cuts parts out of what the caller sees.
func TestSliceGroups(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	admin := rostertest.Admin(t, dir, directory.DoorGraphQL)
	for _, name := range []string{"a", "b", "c", "d"} {
		in := directory.CreateGroupInput{Name: name, Public: new(name != "b")}
		if _, err := dir.CreateGroup(t.Context(), admin, in, directory.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
	sel := directory.Selection{Fields: []string{"name"}}
	outsider := directory.Caller{User: &directory.CallerUser{Username: "outsider"}, Via: directory.DoorGraphQL}
	total, rows, err := dir.SliceGroups(t.Context(), outsider, directory.Slice{Skip: 1, Top: new(5), Total: true}, sel)
	if err != nil {
		t.Fatal(err)
	}
	if got := readSlice(t, rows, func(t *testing.T, g *directory.Group) string { return g.Name }); total != 3 || !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("%v of %d", got, total)
	}
	_, rows, err = dir.SliceGroups(t.Context(), admin, directory.Slice{}, sel)
	if err != nil {
		t.Fatal(err)
	}
	for g, err := range rows {
		if err != nil || g.Name != "a" {
			t.Error(g, err)
		}
		break // whoever has enough stops
	}
	for code, bad := range map[directory.Code]directory.Slice{
		directory.Invalid: {Skip: -1}, directory.LimitExceeded: {Filter: &directory.GroupFilter{Name: &directory.StringFilter{In: make([]string, 2_000)}}},
	} {
		if _, _, err := dir.SliceGroups(t.Context(), admin, bad, sel); directory.CodeOf(err) != code {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, _, err := dir.SliceGroups(t.Context(), admin, directory.Slice{Top: new(-1)}, sel); directory.CodeOf(err) != directory.Invalid {
		t.Error(err)
	}
	if _, _, err := dir.SliceGroups(t.Context(), directory.Caller{}, directory.Slice{}, sel); directory.CodeOf(err) != directory.Unauthenticated {
		t.Error(err)
	}
	if _, _, err := dir.SliceMembers(t.Context(), outsider, directory.GroupByName("b"), directory.Slice{}, sel); directory.CodeOf(err) != directory.NotFound {
		t.Error(err)
	}
}

// TestFirstGroup takes a text for one kind of identifier before the other.
func TestFirstGroup(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	by := rostertest.Admin(t, dir, directory.DoorEntrust)
	for name, external := range map[string]string{"red": "green", "green": "blue"} {
		if _, err := dir.CreateGroup(t.Context(), by, directory.CreateGroupInput{Name: name, ExternalID: &external}, directory.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{"green": "red", "blue": "green", "red": "red", "none": ""} {
		refs := []directory.GroupRef{directory.GroupByExternalID(text), directory.GroupByName(text)}
		g, err := dir.FirstGroup(t.Context(), by, refs, directory.Selection{Fields: []string{"name"}})
		if err != nil || (g == nil) != (want == "") || g != nil && g.Name != want {
			t.Errorf("%s: %+v, %v", text, g, err)
		}
	}
}

var withUserNames = directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}}}

func memberName(t *testing.T, m *directory.Member) string {
	t.Helper()
	u, err := directory.Linked[*directory.User](m, "user")
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func readSlice[O any](t *testing.T, rows iter.Seq2[*O, error], name func(*testing.T, *O) string) []string {
	t.Helper()
	var out []string
	for o, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name(t, o))
	}
	return out
}
