package cds

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// getGroups lists number and name of the groups that the caller is in, or of all for those who see all (§4.1).
func (d *door) getGroups(w http.ResponseWriter, r *legacy.Request) error {
	l := directory.Listing{WithPublic: yes(r, "withPublic")}
	short := yes(r, "withoutDefault")
	if short {
		l.Without = d.DefaultGroup
	}
	return stream(w, short, func(each func(*directory.Group) error) error {
		return d.dir.WalkListing(r.Context(), r.By, l, each)
	})
}

// getPublicGroups lists the public groups (§4.2).
func (d *door) getPublicGroups(w http.ResponseWriter, r *legacy.Request) error {
	return stream(w, false, func(each func(*directory.Group) error) error {
		return d.dir.WalkPublic(r.Context(), r.By, each)
	})
}

// yes reads a query parameter that is true for these words alone (§4.1).
func yes(r *legacy.Request, name string) bool {
	switch r.URL.Query().Get(name) {
	case "true", "TRUE", "yes", "YES", "1":
		return true
	}
	return false
}

// stream writes groups as they are read. A list that is not there at all reads null, where CDS left it so.
func stream(w http.ResponseWriter, nullIfNone bool, walk func(each func(*directory.Group) error) error) error {
	out, n := legacy.NewStream(w, jsonType), 0
	err := walk(func(g *directory.Group) error {
		if n++; n == 1 {
			took(w)
		}
		return out.Add(refOf(g))
	})
	switch {
	case err != nil:
		return err
	case n == 0 && nullIfNone:
		return write(w, http.StatusOK, nil)
	case n == 0:
		took(w)
	}
	return out.Close()
}

// selected reads the group of a write's answer.
var selected = directory.Want(directory.Link{Key: "group", Field: "group", Select: groupRef})

// echo answers a body back, with the number of the group that it became: nothing else of it is read again (§4.3, §4.5).
func echo(status int, g Group) func(http.ResponseWriter, *legacy.Request, *directory.Payload) error {
	return func(w http.ResponseWriter, _ *legacy.Request, p *directory.Payload) error {
		made, err := directory.Linked[*directory.Group](p, "group")
		if err != nil {
			return err
		}
		g.ID = int64(made.Number)
		return write(w, status, g)
	}
}

// addGroup makes a group with the caller as its admin; of the body, the name is all that counts (§4.3).
func (d *door) addGroup(w http.ResponseWriter, r *legacy.Request) error {
	var g Group
	if err := legacy.DecodeJSON(r, &g); err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.CreateGroup, directory.CreateGroupInput{Name: g.Name}, selected, echo(http.StatusCreated, g))
}

// getGroup reads a group with its people (§4.4).
func (d *door) getGroup(w http.ResponseWriter, r *legacy.Request) error {
	found, err := d.dir.RequireGroup(r.Context(), r.By, named(r), withAll)
	if err != nil {
		return err
	}
	g, err := groupOf(found)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, g)
}

// updateGroup renames a group and replaces everybody in it (§4.5).
func (d *door) updateGroup(w http.ResponseWriter, r *legacy.Request) error {
	g, err := decodeGroup(r)
	if err != nil {
		return d.unless(r, directory.OperationGroupUpdate, err)
	}
	return legacy.Write(w, r, d.dir.ReplaceGroup, directory.ReplaceGroupInput{
		UpdateGroupInput: directory.UpdateGroupInput{Group: named(r), Name: directory.Some(g.Name)},
		Members:          usersOf(g.Users), Admins: usersOf(g.Admins), Distinct: true,
	}, selected, echo(http.StatusOK, g))
}

// decodeGroup reads the body of an update, which has to name an admin.
func decodeGroup(r *legacy.Request) (Group, error) {
	var g Group
	err := legacy.DecodeJSON(r, &g)
	if err == nil && len(g.Admins) == 0 {
		err = &directory.Error{Code: directory.LastAdmin, Field: "input.admins", Message: "Name an admin."}
	}
	return g, err
}

// deleteGroup deletes a group with all that is its (§4.6).
func (d *door) deleteGroup(w http.ResponseWriter, r *legacy.Request) error {
	return legacy.Write(w, r, d.dir.DeleteGroup, directory.DeleteGroupInput{Group: named(r)}, directory.Selection{}, done)
}
