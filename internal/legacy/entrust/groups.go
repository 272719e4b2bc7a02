package entrust

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// written is what a write reads of the group that it wrote.
var written = directory.Want(directory.Link{Key: "group", Field: "group", Select: groupFields})

// createGroup makes a group: 200, not 201 (§3).
func (d door) createGroup(w http.ResponseWriter, r *legacy.Request) error {
	var in groupParms
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.CreateGroup, in.create(), written, answerWritten)
}

// updateGroup changes what is given of a group (§3).
func (d door) updateGroup(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	expected, err := legacy.IfMatch(r)
	if err != nil {
		return err
	}
	var in groupParms
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	update := in.update(ref)
	update.ExpectedVersion = expected
	return legacy.Write(w, r, d.dir.UpdateGroup, update, written, answerWritten)
}

func answerWritten(w http.ResponseWriter, _ *legacy.Request, p *directory.Payload) error {
	g, err := directory.Linked[*directory.Group](p, "group")
	return answerGroup(w, g, err)
}

// deleteGroup deletes a group: 200 and nothing else (§3).
func (d door) deleteGroup(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	expected, err := legacy.IfMatch(r)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.DeleteGroup, directory.DeleteGroupInput{Group: ref, ExpectedVersion: expected}, directory.Selection{}, answerEmpty)
}

// group answers the group of a UUID (§3).
func (d door) group(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	g, err := d.dir.Group(r.Context(), r.By, ref, groupFields)
	return answerGroup(w, g, err)
}

// groupByExternalID answers the group of an externalId, or else of a name (§2, §3).
func (d door) groupByExternalID(w http.ResponseWriter, r *legacy.Request) error {
	var in groupID
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	if in.ID == "" {
		return invalid("id", "The id is required: an externalId or a name.")
	}
	refs := []directory.GroupRef{directory.GroupByExternalID(in.ID), directory.GroupByName(in.ID)}
	g, err := d.dir.FirstGroup(r.Context(), r.By, refs, groupFields)
	return answerGroup(w, g, err)
}

// groups answers all groups in one array, by name (§3).
func (d door) groups(w http.ResponseWriter, r *legacy.Request) error {
	all := legacy.NewStream(w, jsonType)
	err := d.dir.WalkGroups(r.Context(), r.By, nil, groupFields, func(g *directory.Group) error { return all.Add(groupOf(g)) })
	if err != nil {
		return err
	}
	return all.Close()
}

// groupRef is the group that the path names by its UUID, in capitals or not; anything else is no id (§3).
func groupRef(r *legacy.Request) (directory.GroupRef, error) {
	id, ok := legacy.UUID(r.Var("id"))
	if !ok {
		return directory.GroupRef{}, invalid("id", "The id of a group is a UUID.")
	}
	return directory.GroupByUUID(id), nil
}

func answerGroup(w http.ResponseWriter, g *directory.Group, err error) error {
	switch {
	case err != nil:
		return err
	case g == nil:
		return &directory.Error{Code: directory.NotFound, Field: "id", Message: "There is no such group."}
	}
	legacy.SetETag(w, g)
	return legacy.WriteJSON(w, http.StatusOK, jsonType, groupOf(g))
}

// answerEmpty answers 200 without a body, as the operations do that return nothing (§3).
func answerEmpty(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
	w.WriteHeader(http.StatusOK)
	return nil
}
