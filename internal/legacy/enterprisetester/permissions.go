package enterprisetester

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// In Enterprise Tester groups are what permissions are given to. Roster gives them to users and tokens: by being in a group nobody
// may do more. So a group's own permissions are none, of either kind ("Neighbouring operations").

// globalPermissions answers the permissions of a group for everything: an array of {Id, Key}.
func (d door) globalPermissions(w http.ResponseWriter, r *legacy.Request) error {
	return d.permissions(w, r, []struct{}{})
}

// projectPermissions answers the projects that a group has permissions for: {Projects: [{ProjectId}]}.
func (d door) projectPermissions(w http.ResponseWriter, r *legacy.Request) error {
	return d.permissions(w, r, struct{ Projects []struct{} }{[]struct{}{}})
}

// permissions answers for a group, if it is there.
func (d door) permissions(w http.ResponseWriter, r *legacy.Request, none any) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	g, err := d.dir.Group(r.Context(), r.By, ref, directory.Selection{})
	switch {
	case err != nil:
		return err
	case g == nil:
		return noGroup()
	}
	return legacy.WriteJSON(w, http.StatusOK, jsonType, none)
}
