package cds

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// addUserInGroup makes users members, by a list of their names; who is in the group already stays what he is (§4.7).
func (d *door) addUserInGroup(w http.ResponseWriter, r *legacy.Request) error {
	var names []string
	if err := legacy.DecodeJSON(r, &names); err != nil {
		return d.unless(r, directory.OperationMembersEdit, err)
	}
	_, err := d.dir.AddMembers(r.Context(), r.By, directory.AddMembersInput{
		Group: named(r), Users: namesOf(names), MayBeEmpty: true, AdminsAreIn: true,
	}, directory.Selection{})
	if err != nil {
		return err
	}
	return done(w)
}

// user is the user of the path, as the list that the directory takes.
func user(r *legacy.Request) []*directory.UserRef { return namesOf([]string{r.Var("user")}) }

// removeUserFromGroup takes a user out of a group, an admin as well as a member (§4.11).
func (d *door) removeUserFromGroup(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveMembersInput{Group: named(r), Users: user(r), MembersOnly: true}
	if _, err := d.dir.RemoveMembers(r.Context(), r.By, in, directory.Selection{}); err != nil {
		return err
	}
	return done(w)
}

// setUserGroupAdmin makes a user of the group its admin; a body is not looked at (§4.12).
func (d *door) setUserGroupAdmin(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.AddAdminsInput{Group: named(r), Users: user(r), MembersOnly: true}
	if _, err := d.dir.AddAdmins(r.Context(), r.By, in, directory.Selection{}); err != nil {
		return err
	}
	return done(w)
}

// removeUserGroupAdmin makes an admin an ordinary member; who is none stays what he is (§4.13).
func (d *door) removeUserGroupAdmin(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveAdminsInput{Group: named(r), Users: user(r)}
	if _, err := d.dir.RemoveAdmins(r.Context(), r.By, in, directory.Selection{}); err != nil {
		return err
	}
	return done(w)
}
