package load_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/load"
	"roster/internal/rostertest"
)

// imported imports a text as teams.jsonl.
func imported(t *testing.T, dir *directory.Service, text string, dryRun bool) (load.Report, string, error) {
	t.Helper()
	var progress strings.Builder
	r, err := load.Import(t.Context(), dir, strings.NewReader(text), "teams.jsonl", load.ImportOptions{DryRun: dryRun, Progress: &progress})
	return r, progress.String(), err
}

// people reads who is in a group, and its version; nil if there is no such group.
func people(t *testing.T, dir *directory.Service, name string) (g *directory.Group, members, admins []string) {
	t.Helper()
	first := directory.MaxPage
	user := directory.Selection{Links: []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}}}
	page := func(field string) directory.Link {
		return directory.Link{Key: field, Field: field, Select: user, Page: &directory.Page{PageArgs: directory.PageArgs{First: &first}, Rows: true}}
	}
	g, err := dir.Group(t.Context(), directory.System(), directory.GroupByName(name), directory.Selection{
		Fields: []string{"name", "handle", "description", "externalId", "accessType", "useDefaultStorage", "public", "tags", "version", "memberCount", "adminCount"},
		Links:  []directory.Link{page("members"), page("admins"), {Key: "folderOwner", Field: "folderOwner", Select: directory.Selection{Fields: []string{"username"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if g == nil {
		return nil, nil, nil
	}
	ms, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		t.Fatal(err)
	}
	as, err := directory.Linked[*directory.AdminConnection](g, "admins")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms.Nodes() {
		members = append(members, username(t, m))
	}
	for _, a := range as.Nodes() {
		admins = append(admins, username(t, a))
	}
	return g, members, admins
}

func username(t *testing.T, o directory.Object) string {
	t.Helper()
	u, err := directory.Linked[*directory.User](o, "user")
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// changes counts the rows of the change log: all of them, also those that a reader of the API has to wait for.
func changes(t *testing.T, store *db.Store) int {
	t.Helper()
	n, err := db.Count(t.Context(), store, db.Changes, db.List{})
	if err != nil {
		t.Fatal(err)
	}
	return n[0]
}

var ignoreFailures = cmpopts.IgnoreFields(load.Report{}, "Failures")

func TestImport(t *testing.T) {
	t.Parallel()
	store := rostertest.Store(t, db.Options{})
	dir := rostertest.DirectoryOn(t, store)
	b, err := os.ReadFile("testdata/teams.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	fresh := load.Report{Created: 3, UsersCreated: 4, MembersAdded: 5, AdminsAdded: 1, Users: 4, OtherSpellings: 3}

	before := changes(t, store)
	dry, _, err := imported(t, dir, text, true)
	want := fresh
	want.DryRun = true
	if diff := cmp.Diff(want, dry); diff != "" || err != nil {
		t.Errorf("dry run (-want +got): %s%v", diff, err)
	}
	if g, _, _ := people(t, dir, "kitchen"); g != nil || changes(t, store) != before {
		t.Error("the dry run left something behind")
	}

	got, progress, err := imported(t, dir, text, false)
	if diff := cmp.Diff(fresh, got); diff != "" || err != nil {
		t.Errorf("import (-want +got): %s%v", diff, err)
	}
	const line = "3 groups created, 4 users created, 5 memberships added, 1 admin added; named: 4 users; 3 more spellings differ only in case"
	if got.String() != line || progress != "teams.jsonl: "+line+"\n" {
		t.Errorf("got %q, progress %q", got, progress)
	}
	g, members, admins := people(t, dir, "Kitchen")
	owner, err := directory.Linked[*directory.User](g, "folderOwner")
	if err != nil || owner == nil || owner.Username != "Zoë" {
		t.Errorf("folder owner %v, %v", owner, err)
	}
	externalID := "house:kitchen"
	if diff := cmp.Diff(&directory.Group{
		UUID: g.UUID, Name: "kitchen", Handle: "kitchen", Description: "Cooks", ExternalID: &externalID, AccessType: directory.AccessTypeWriteAll,
		Public: true, Tags: []*directory.Tag{{Key: "floor", Value: "1"}, {Key: "house", Value: "north"}}, Version: 1, MemberCount: 3, AdminCount: 1,
	}, g, cmpopts.IgnoreUnexported(directory.Group{}), cmpopts.IgnoreFields(directory.Group{}, "Links")); diff != "" {
		t.Errorf("kitchen (-want +got):\n%s", diff)
	}
	if !slices.Equal(members, []string{"Ann", "ben", "Zoë"}) || !slices.Equal(admins, []string{"Ann"}) {
		t.Errorf("members %q, admins %q", members, admins)
	}

	before = changes(t, store)
	again, _, err := imported(t, dir, text, false)
	if diff := cmp.Diff(load.Report{Unchanged: 3, Users: 4, OtherSpellings: 3}, again); diff != "" || err != nil {
		t.Errorf("second import (-want +got): %s%v", diff, err)
	}
	if !strings.HasPrefix(again.String(), "3 groups unchanged;") {
		t.Errorf("got %q", again)
	}
	if g, _, _ := people(t, dir, "kitchen"); g.Version != 1 || changes(t, store) != before {
		t.Error("the second import changed something")
	}
}

// TestImportUpdates changes what a record speaks of, and nothing else.
func TestImportUpdates(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	if _, _, err := imported(t, dir, `{"name": "kitchen", "description": "Cooks", "externalId": "k", "public": true, "tags": {"a": "1"}, "members": ["ann", "ben"], "admins": ["ann"]}`, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line            string
		want            load.Report
		members, admins []string
	}{
		{`{"name": "kitchen"}`, load.Report{Unchanged: 1}, []string{"ann", "ben"}, []string{"ann"}},
		{`{"name": "Kitchen", "members": ["ben", "cay"]}`, load.Report{Updated: 1, UsersCreated: 1, MembersAdded: 1, MembersRemoved: 1, Users: 2}, []string{"ben", "cay"}, []string{"ann"}},
		{`{"name": "Kitchen", "admins": ["Ben"]}`, load.Report{Updated: 1, AdminsAdded: 1, AdminsRemoved: 1, Users: 1}, []string{"ben", "cay"}, []string{"ben"}},
		{`{"name": "Kitchen", "members": [], "admins": []}`, load.Report{Updated: 1, MembersRemoved: 2, AdminsRemoved: 1}, nil, nil},
		{`{"name": "Kitchen", "description": null, "externalId" : null, "public": false, "tags": {"a": "2"}}`, load.Report{Updated: 1}, nil, nil},
	} {
		got, _, err := imported(t, dir, c.line, false)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s (-want +got): %s%v", c.line, diff, err)
		}
		if _, members, admins := people(t, dir, "kitchen"); !slices.Equal(members, c.members) || !slices.Equal(admins, c.admins) {
			t.Errorf("%s: members %q, admins %q", c.line, members, admins)
		}
	}
	g, _, _ := people(t, dir, "kitchen")
	if g.Name != "Kitchen" || g.Description != "" || g.ExternalID != nil || g.Public || g.Tags[0].Value != "2" || g.Version != 5 {
		t.Errorf("got %+v", g)
	}
}

func TestImportBadRecords(t *testing.T) {
	t.Parallel()
	store := rostertest.Store(t, db.Options{})
	dir := rostertest.DirectoryOn(t, store)
	if _, _, err := imported(t, dir, "{\"name\": \"first\"}\n"+`{"name": "taken", "handle": "taken", "externalId": "taken"}`, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, line, want string }{
		{"NotJSON", `name: x`, "this is not a JSON object: invalid character 'a' in literal null (expecting 'u'), at byte 2"},
		{"NotAnObject", `["x"]`, "this is not a JSON object"},
		{"Cut", `{"name": "x", "members": ["new`, "members: this is not JSON: it ends too early"},
		{"CutBetween", `{"name": "x"`, "this is not JSON: it ends too early"},
		{"TwoObjects", `{"name": "x"} {"name": "y"}`, "there is more on the line after the object"},
		{"Garbage", `{"name": "x", "members": ["new"]} ;`, "there is more on the line after the object"},
		{"NotUTF8", "{\"name\": \"x\xff\"}", "this is not UTF-8"},
		{"LoneSurrogate", `{"name": "x\ud800"}`, `name: it holds half of a character: a lone surrogate such as \ud800`},
		{"TooLong", `{"name": "x", "description": "` + strings.Repeat("d", 8<<20) + `"}`, "the line is longer than 8 MiB"},
		{"UnknownKey", `{"name": "x", "colour": "red"}`, "colour: there is no such key; the keys are name, handle, description, externalId, accessType, folderOwner, public, useDefaultStorage, tags, members and admins"},
		{"UnknownKeyCase", `{"Name": "x"}`, "Name: there is no such key; the keys are name, handle, description, externalId, accessType, folderOwner, public, useDefaultStorage, tags, members and admins"},
		{"UnprintableKey", `{"name": "x", "\u001b[2J": 1}`, `"\x1b[2J": there is no such key; the keys are name, handle, description, externalId, accessType, folderOwner, public, useDefaultStorage, tags, members and admins`},
		{"KeyTwice", `{"name": "x", "name": "y"}`, "name: this key is there twice"},
		{"NoName", `{"members": ["new"]}`, "name: it is missing"},
		{"NameNull", `{"name": null}`, "name: it is null, not a string"},
		{"NameNumber", `{"name": 7}`, "name: it is a number, not a string"},
		{"NameEmpty", `{"name": ""}`, "name: A name has 1 to 256 characters and is not blank."},
		{"NameLong", `{"name": "` + strings.Repeat("n", 300) + `"}`, "name: At most 256 characters."},
		{"NameControl", `{"name": "x\ty"}`, "name: A name may not hold control characters."},
		{"NameNUL", `{"name": "x\u0000"}`, "name: Text may not hold NUL or bytes that are not UTF-8."},
		{"Handle", `{"name": "x", "handle": "a b"}`, "handle: A handle has 1 to 64 of the characters A-Z, a-z, 0-9, _ and -."},
		{"HandleNull", `{"name": "x", "handle": null}`, "handle: it is null, not a string"},
		{"HandleTaken", `{"name": "x", "handle": "taken"}`, "handle: A group of this handle exists."},
		{"HandleOther", `{"name": "Taken", "handle": "x"}`, "handle: The group has another handle, which cannot be changed."},
		{"ExternalIDTaken", `{"name": "x", "externalId": "taken", "members": ["new"]}`, "externalId: A group of this externalId exists."},
		{"AccessType", `{"name": "x", "accessType": "ALL"}`, "accessType: It is one of READ_ONLY, WRITE_OWNER, WRITE_ALL and ADMINISTRATOR."},
		{"FolderOwner", `{"name": "x", "folderOwner": ""}`, "folderOwner: It may not be empty."},
		{"FolderOwnerControl", `{"name": "x", "folderOwner": "a\nb"}`, "folderOwner: A name may not hold control characters."},
		{"Public", `{"name": "x", "public": "yes"}`, "public: it is a string, not true or false"},
		{"PublicNull", `{"name": "x", "public": null}`, "public: it is null, not true or false"},
		{"Tags", `{"name": "x", "tags": ["a"]}`, "tags: it is an array, not an object of strings"},
		{"TagValue", `{"name": "x", "tags": {"a": "1", "b": 2}}`, "tags.b: it is a number, not a string"},
		{"TagTwice", `{"name": "x", "tags": {"a": "1", "a": "2"}}`, "tags.a: this key is there twice"},
		{"TagLong", `{"name": "x", "tags": {"z": "1", "b": "` + strings.Repeat("v", 200) + `"}}`, "tags.b: At most 128 characters."},
		{"Members", `{"name": "x", "members": "ann"}`, "members: it is a string, not an array of user names; leave the key out to leave the list alone"},
		{"MembersNull", `{"name": "x", "members": null}`, "members: it is null, not an array of user names; leave the key out to leave the list alone"},
		{"MemberNumber", `{"name": "x", "members": ["new", "newer", 3]}`, "members[2]: it is a number, not a string"},
		{"MemberEmpty", `{"name": "x", "members": ["new", ""]}`, "members[1]: It may not be empty."},
		{"MemberLong", `{"name": "x", "members": ["new", "` + strings.Repeat("m", 257) + `"]}`, "members[1]: At most 256 characters."},
		{"AdminControl", `{"name": "x", "members": ["new"], "admins": ["new", "a\u0007"]}`, "admins[1]: A name may not hold control characters."},
		{"TooManyMembers", `{"name": "x", "members": ["new"` + strings.Repeat(`,"new"`, 10_000) + `]}`, "members: At most 10000 at once."},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := changes(t, store)
			// A good record before, so that the line number means something, and one after it, which is imported all the same.
			text := "{\"name\": \"first\"}\n" + c.line + "\n{\"name\": \"later " + c.name + "\"}"
			r, progress, err := imported(t, dir, text, false)
			want := "teams.jsonl:2: " + c.want
			if err == nil || err.Error() != "1 record of teams.jsonl failed; the first: "+want {
				t.Errorf("got %v\nwant … %s", err, want)
			}
			if !strings.HasPrefix(progress, want+"\n") {
				t.Errorf("progress: %s", progress)
			}
			if diff := cmp.Diff(load.Report{Created: 1, Unchanged: 1, Failed: 1}, r, ignoreFailures); diff != "" {
				t.Errorf("report (-want +got): %s", diff)
			}
			if n := changes(t, store) - before; n != 1 {
				t.Errorf("%d changes, want the creation of the later group alone", n)
			}
			if g, _, _ := people(t, dir, "x"); g != nil {
				t.Error("the bad record left a group")
			}
		})
	}
}

// TestImportTwice names a group twice in a file: each run would undo the other's work.
func TestImportTwice(t *testing.T) {
	t.Parallel()
	dir := rostertest.Directory(t)
	for _, dryRun := range []bool{true, false} {
		r, progress, err := imported(t, dir, "\ufeff"+`{"name": "a", "handle": "h", "externalId": "e"}
{"name": "A"}
{"name": "b", "handle": "h"}
{"name": "c", "externalId": "e"}
`, dryRun)
		if diff := cmp.Diff(load.Report{DryRun: dryRun, Created: 1, Failed: 3}, r, ignoreFailures); diff != "" || err == nil {
			t.Errorf("(-want +got): %s%v", diff, err)
		}
		for _, want := range []string{"teams.jsonl:2: name: ", "teams.jsonl:3: handle: ", "teams.jsonl:4: externalId: "} {
			if !strings.Contains(progress, want+"the group of line 1 has it too\n") {
				t.Errorf("no %q in %s", want, progress)
			}
		}
	}
}

// TestImportStops loses the database: that is no fault of the record's, so the rest is not tried.
func TestImportStops(t *testing.T) {
	t.Parallel()
	store := rostertest.Store(t, db.Options{})
	dir := rostertest.DirectoryOn(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	r := &cutReader{text: bytes.NewBufferString("{\"name\": \"a\"}\n{\"name\": \"b\"}\n"), at: cancel}
	report, err := load.Import(ctx, dir, r, "teams.jsonl", load.ImportOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "the import stopped at teams.jsonl:1: ") || !errors.Is(err, context.Canceled) || report.Failed != 0 {
		t.Errorf("got %v, %+v", err, report)
	}
	if directory.CodeOf(err) != directory.Unavailable {
		t.Errorf("code %s", directory.CodeOf(err))
	}
	broken := errors.New("the disk is gone")
	_, err = load.Import(t.Context(), dir, &cutReader{text: bytes.NewBufferString("{\"name\": \"a\"}\n{\"name\""), err: broken}, "teams.jsonl", load.ImportOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if g, _, _ := people(t, dir, "a"); g == nil {
		t.Error("what came before the disk was gone was not imported")
	}
}

// cutReader calls at before it hands out anything, and ends in err.
type cutReader struct {
	text *bytes.Buffer
	at   func()
	err  error
}

func (r *cutReader) Read(p []byte) (int, error) {
	if r.at != nil {
		r.at()
	}
	if r.text.Len() == 0 && r.err != nil {
		return 0, r.err
	}
	return r.text.Read(p)
}
