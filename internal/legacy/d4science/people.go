package d4science

import (
	"net/http"
	"slices"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// users is GET /groups/{groupId}/users: everybody in the group, its admins included (facts, operation 4), sorted.
func (d *door) users(w http.ResponseWriter, r *legacy.Request) error {
	g, err := d.dir.People(r.Context(), r.By, group(r), people("members", "admins"))
	if err != nil {
		return err
	}
	return writeNames(w, g, "members", "admins")
}

// admins is GET /groups/{groupId}/admins, for everybody who sees the group.
func (d *door) admins(w http.ResponseWriter, r *legacy.Request) error {
	g, err := d.dir.Group(r.Context(), r.By, group(r), people("admins"))
	if err != nil {
		return err
	}
	return writeNames(w, g, "admins")
}

// addUser is PUT /groups/{id}/users, and PUT /groups/{id} of the old API: whether the user is in the group by this.
func (d *door) addUser(w http.ResponseWriter, r *legacy.Request) error {
	u, err := formUser(r)
	if err != nil {
		return err
	}
	in := directory.AddMembersInput{Group: group(r), Users: u, AdminsAreIn: true}
	return legacy.Write(w, r, d.dir.AddMembers, in, directory.Selection{}, writeWhether(directory.MemberResultAdded))
}

// removeUser is DELETE /groups/{groupId}/users/{userId}: whether the user was in the group.
func (d *door) removeUser(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveMembersInput{Group: group(r), Users: pathUser(r)}
	return legacy.Write(w, r, d.dir.RemoveMembers, in, directory.Selection{}, writeWhether(directory.MemberResultRemoved))
}

// addAdmin is PUT /groups/{id}/admins: 204, also if the user is an admin already.
func (d *door) addAdmin(w http.ResponseWriter, r *legacy.Request) error {
	u, err := formUser(r)
	if err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.AddAdmins, directory.AddAdminsInput{Group: group(r), Users: u}, directory.Selection{}, noContent)
}

// removeAdmin is DELETE /groups/{id}/admins/{userId}: 204; the user stays in the group.
func (d *door) removeAdmin(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveAdminsInput{Group: group(r), Users: pathUser(r), AdminsOnly: true}
	return legacy.Write(w, r, d.dir.RemoveAdmins, in, directory.Selection{}, noContent)
}

func noContent(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// formUser is the user that the form's userId names.
func formUser(r *legacy.Request) ([]*directory.UserRef, error) {
	form, err := decodeForm(r, urlencoded)
	if err != nil {
		return nil, err
	}
	if form.Get("userId") == "" {
		return nil, &directory.Error{Code: directory.Invalid, Field: "userId", Message: "The form has no userId."}
	}
	return one(form.Get("userId")), nil
}

func pathUser(r *legacy.Request) []*directory.UserRef { return one(r.Var("user")) }

func one(username string) []*directory.UserRef {
	u := directory.UserByName(username)
	return []*directory.UserRef{&u}
}

// people is the selection of a group's lists with the names of the users in them.
func people(lists ...string) directory.Selection {
	named := directory.Want(directory.Link{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}})
	var s directory.Selection
	for _, l := range lists {
		s.Links = append(s.Links, directory.Link{Key: l, Field: l, Page: &directory.Page{Rows: true, All: true}, Select: named})
	}
	return s
}

// writeNames writes the names of the users in a group's lists, each once. No group at all is refused as a group that is not there.
func writeNames(w http.ResponseWriter, g *directory.Group, lists ...string) error {
	if g == nil {
		return &directory.Error{Code: directory.NotFound, Message: "There is no such group, or none that you may see."}
	}
	names := []string{}
	for _, l := range lists {
		more, err := namesOf(g, l)
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	return legacy.WriteJSON(w, http.StatusOK, "application/json", slices.Compact(names))
}

func namesOf(g *directory.Group, list string) ([]string, error) {
	if list == "admins" {
		c, err := directory.Linked[*directory.AdminConnection](g, list)
		return usernames(c, err)
	}
	c, err := directory.Linked[*directory.MemberConnection](g, list)
	return usernames(c, err)
}

func usernames[T any](c *directory.Connection[T], err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(c.Edges))
	for _, e := range c.Edges {
		u, err := directory.Linked[*directory.User](any(e.Node).(directory.Object), "user")
		if err != nil {
			return nil, err
		}
		names = append(names, u.Username)
	}
	return names, nil
}

// writeWhether writes whether that became of the one user of a write.
func writeWhether(result directory.MemberResult) func(http.ResponseWriter, *legacy.Request, *directory.Payload) error {
	return func(w http.ResponseWriter, _ *legacy.Request, p *directory.Payload) error {
		return legacy.WriteJSON(w, http.StatusOK, "application/json", p.Outcomes[0].Result == result)
	}
}
