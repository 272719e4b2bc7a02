package authress

import (
	"net/http"
	"regexp"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// create is POST /v1/groups: 201 with the group. The lists are taken exactly as given: the caller becomes nothing in the group.
func (d *door) create(w http.ResponseWriter, r *legacy.Request) error {
	in, err := decodeGroup(r)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.CreateGroup, directory.CreateGroupInput{
		Name: in.name, Handle: in.id, Tags: in.tagList(), Members: in.users, Admins: in.admins, OnUnknownUser: directory.OnUnknownUserCreate,
	}, answer, writeWritten(http.StatusCreated))
}

// get is GET /v1/groups/{groupId}.
func (d *door) get(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	g, err := d.dir.Group(r.Context(), r.By, ref, selection)
	if err != nil {
		return err
	}
	if g == nil {
		return &directory.Error{Code: directory.NotFound, Message: "There is no such group, or none that you have any permission to."}
	}
	return writeGroup(w, r, http.StatusOK, g)
}

// update is PUT /v1/groups/{groupId}: name, users, admins and, where given, tags become those of the body (facts §3, update).
func (d *door) update(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	since, err := unmodifiedSince(r)
	if err != nil {
		return err
	}
	in, err := decodeGroup(r)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.ReplaceGroup, directory.ReplaceGroupInput{
		UpdateGroupInput: directory.UpdateGroupInput{Group: ref, Name: directory.Some(in.name), Tags: in.tags},
		Members:          in.users, Admins: in.admins, OnUnknownUser: directory.OnUnknownUserCreate, UnmodifiedSince: since,
	}, answer, writeWritten(http.StatusOK))
}

// remove is DELETE /v1/groups/{groupId}: 204 without a body.
func (d *door) remove(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.DeleteGroup, directory.DeleteGroupInput{Group: ref}, directory.Selection{}, noContent)
}

func noContent(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Patterns of the vendor's schema (facts §2), and how its validator quotes them.
var groupIDPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

const (
	groupIDShown = `^[a-zA-Z0-9-_]+$`
	maxGroupID   = 64
)

// groupRef is the group of the path. Its groupId is Roster's handle.
func groupRef(r *legacy.Request) (directory.GroupRef, error) {
	var f faults
	id := f.bounded("request.path.groupId", r.Var("groupId"), 1, maxGroupID)
	f.pattern("request.path.groupId", id, groupIDPattern, groupIDShown)
	return directory.GroupByHandle(id), f.err()
}

// writeWritten answers the group that was written.
func writeWritten(status int) func(http.ResponseWriter, *legacy.Request, *directory.Payload) error {
	return func(w http.ResponseWriter, r *legacy.Request, p *directory.Payload) error {
		g, err := directory.Linked[*directory.Group](p, "group")
		if err != nil {
			return err
		}
		return writeGroup(w, r, status, g)
	}
}
