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
	in := directory.AddMembersInput{Group: named(r), Users: namesOf(names), MayBeEmpty: true, AdminsAreIn: true}
	return legacy.Write(w, r, d.dir.AddMembers, in, directory.Selection{}, done)
}

// user is the user of the path, as the list that the directory takes.
func user(r *legacy.Request) []*directory.UserRef { return namesOf([]string{r.Var("user")}) }

// removeUserFromGroup takes a user out of a group, an admin as well as a member (§4.11).
func (d *door) removeUserFromGroup(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveMembersInput{Group: named(r), Users: user(r), MembersOnly: true}
	return legacy.Write(w, r, d.dir.RemoveMembers, in, directory.Selection{}, done)
}

// setUserGroupAdmin makes a user of the group its admin; a body is not looked at (§4.12).
func (d *door) setUserGroupAdmin(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.AddAdminsInput{Group: named(r), Users: user(r), MembersOnly: true}
	return legacy.Write(w, r, d.dir.AddAdmins, in, directory.Selection{}, done)
}

// removeUserGroupAdmin makes an admin an ordinary member; who is none stays what he is (§4.13).
func (d *door) removeUserGroupAdmin(w http.ResponseWriter, r *legacy.Request) error {
	in := directory.RemoveAdminsInput{Group: named(r), Users: user(r)}
	return legacy.Write(w, r, d.dir.RemoveAdmins, in, directory.Selection{}, done)
}
