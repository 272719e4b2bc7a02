package d4science_test

import (
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy/legacytest"
)

// What a form says of a group's folder is kept, though this API never shows it.
func TestFolder(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "first.last"})
	for _, c := range []struct {
		form, access string
		owner        any
		storage      bool
	}{
		{"group=a", "WRITE_OWNER", nil, true},
		{"group=b&accessType=READ_ONLY&folderOwner=First.Last", "READ_ONLY", "first.last", true},
		{"group=c&accessType=WRITE_ALL&folderOwner=first.last&useDefaultStorage=FALSE", "WRITE_ALL", "first.last", false},
		{"group=d&accessType=ADMINISTRATOR&useDefaultStorage=True&group=e", "ADMINISTRATOR", nil, true},
	} {
		status, _, name := legacytest.Answer(w.Send("POST /groups HTTP/1.1\nAuthorization: Bearer {{root.secret}}\nContent-Type: application/x-www-form-urlencoded\n\n" + c.form))
		g, err := w.Dir.Group(t.Context(), directory.System(), directory.GroupByName(name), directory.Selection{
			Fields: []string{"accessType", "useDefaultStorage", "memberCount", "adminCount"},
			Links:  []directory.Link{{Key: "owner", Field: "folderOwner", Select: directory.Selection{Fields: []string{"username"}}}},
		})
		if err != nil || g == nil {
			t.Fatalf("%s: %d %s: %v", c.form, status, name, err)
		}
		var owner any
		if u, err := directory.Linked[*directory.User](g, "owner"); err != nil {
			t.Error(err)
		} else if u != nil {
			owner = u.Username
		}
		if string(g.AccessType) != c.access || owner != c.owner || g.UseDefaultStorage != c.storage || g.MemberCount+g.AdminCount != 0 {
			t.Errorf("%s: %+v of %v", c.form, g, owner)
		}
	}
}
