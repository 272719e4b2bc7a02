package d4science

import (
	"net/http"
	"net/url"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// groups is GET /groups: the names of the groups that the caller is in, as a user or as an admin, written as they are read.
func (d *door) groups(w http.ResponseWriter, r *legacy.Request) error {
	out := legacy.NewStream(w, "application/json")
	err := d.dir.WalkViewerGroups(r.Context(), r.By, nil, directory.Selection{Fields: []string{"name"}}, func(g *directory.Group) error {
		return out.Add(g.Name)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// create is POST /groups: 200 with the name. The group has no users and no admins yet, the caller included.
func (d *door) create(w http.ResponseWriter, r *legacy.Request) error {
	form, err := decodeForm(r, multiparts, urlencoded)
	if err != nil {
		return err
	}
	in, err := groupInput(form)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.CreateGroup, in, directory.Selection{}, writeText(in.Name))
}

// groupInput reads the fields of a new group (facts, operation 2). Only group must be there: the old API had no other.
func groupInput(form url.Values) (directory.CreateGroupInput, error) {
	in := directory.CreateGroupInput{Name: form.Get("group"), Admins: []*directory.UserRef{}}
	access, err := accessType(form)
	if err != nil {
		return in, err
	}
	in.AccessType = &access
	if form.Has("folderOwner") {
		owner := directory.UserByName(form.Get("folderOwner"))
		in.FolderOwner = &owner
	}
	in.UseDefaultStorage, err = useDefaultStorage(form)
	return in, err
}

// accessType is WRITE_OWNER where none is given: what the old server gave a group on its folder (facts "What folderOwner /
// accessType mean").
func accessType(form url.Values) (directory.AccessType, error) {
	if !form.Has("accessType") {
		return directory.AccessTypeWriteOwner, nil
	}
	switch t := directory.AccessType(form.Get("accessType")); t {
	case directory.AccessTypeReadOnly, directory.AccessTypeWriteOwner, directory.AccessTypeWriteAll, directory.AccessTypeAdministrator:
		return t, nil
	}
	return "", &directory.Error{Code: directory.Invalid, Field: "accessType",
		Message: "The accessType must be READ_ONLY, WRITE_OWNER, WRITE_ALL or ADMINISTRATOR."}
}

// useDefaultStorage is true or false as Java writes them, in capitals or not; nil, which is true, where it is not given.
func useDefaultStorage(form url.Values) (*bool, error) {
	if !form.Has("useDefaultStorage") {
		return nil, nil
	}
	v := strings.ToLower(form.Get("useDefaultStorage"))
	yes := v == "true"
	if !yes && v != "false" {
		return nil, &directory.Error{Code: directory.Invalid, Field: "useDefaultStorage", Message: "The useDefaultStorage must be true or false."}
	}
	return &yes, nil
}

// remove is DELETE /groups/{group}: 200 with the name, as it stood in the path.
func (d *door) remove(w http.ResponseWriter, r *legacy.Request) error {
	return legacy.Write(w, r, d.dir.DeleteGroup, directory.DeleteGroupInput{Group: group(r)}, directory.Selection{}, writeText(r.Var("group")))
}

// writeText writes a string as JAX-RS does under text/plain: its bytes, without quotes.
func writeText(text string) func(http.ResponseWriter, *legacy.Request, *directory.Payload) error {
	return func(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(text)) // the client is gone; there is nobody to tell
		return nil
	}
}
