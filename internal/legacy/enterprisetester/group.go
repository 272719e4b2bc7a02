package enterprisetester

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// written is what a write reads of the group that it wrote.
var written = directory.Want(directory.Link{Key: "group", Field: "group", Select: groupFields(expansion{})})

// getGroup answers a group, with its users if they are expanded ("GET /api/group/{id}").
func (d door) getGroup(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	x := expansionOf(r.URL.Query())
	g, err := d.dir.Group(r.Context(), r.By, ref, groupFields(x))
	return answerGroup(w, r, g, x, err)
}

// updateGroup replaces name and description: both are required, and a description that is missing is an empty one
// ("PUT /api/group/{id}").
func (d door) updateGroup(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	expected, err := legacy.IfMatch(r)
	if err != nil {
		return err
	}
	var in groupBody
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.UpdateGroup, directory.UpdateGroupInput{
		Group: ref, ExpectedVersion: expected, Name: directory.Some(in.Name), Description: directory.Optional[string]{Set: true, Value: in.Description},
	}, written, answerWritten)
}

// deleteGroup deletes a group: 200, a content type, and nothing of it ("DELETE /api/group/{id}").
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

func answerEmpty(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	return nil
}

func answerWritten(w http.ResponseWriter, r *legacy.Request, p *directory.Payload) error {
	g, err := directory.Linked[*directory.Group](p, "group")
	return answerGroup(w, r, g, expansion{}, err)
}

func answerGroup(w http.ResponseWriter, r *legacy.Request, g *directory.Group, x expansion, err error) error {
	switch {
	case err != nil:
		return err
	case g == nil:
		return noGroup()
	}
	out, err := groupOf(r.Base, g, x)
	if err != nil {
		return err
	}
	if !x.users { // users can change while the group does not
		legacy.SetETag(w, g)
	}
	return legacy.WriteJSON(w, http.StatusOK, jsonType, out)
}
