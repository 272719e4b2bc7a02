package entrust

import (
	"fmt"
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// setUserGroups makes a user a member of exactly the groups whose UUIDs the array holds; it may be empty, and name one twice (§3).
func (d door) setUserGroups(w http.ResponseWriter, r *legacy.Request) error {
	user, ok := legacy.UUID(r.Var("userid"))
	if !ok {
		return invalid("userid", "The id of a user is a UUID.")
	}
	var ids []string
	if err := legacy.DecodeRequired(r, &ids); err != nil {
		return err
	}
	groups, err := groupRefs(ids)
	if err != nil {
		return err
	}
	in := directory.SetUserGroupsInput{User: directory.UserByUUID(user), Groups: groups}
	return legacy.Write(w, r, d.dir.SetUserGroups, in, directory.Selection{}, answerEmpty)
}

func groupRefs(ids []string) ([]*directory.GroupRef, error) {
	refs := make([]*directory.GroupRef, len(ids))
	for i, text := range ids {
		id, ok := legacy.UUID(text)
		if !ok {
			return nil, invalid(fmt.Sprintf("[%d]", i), fmt.Sprintf("The id of a group is a UUID: number %d of the list is none.", i+1))
		}
		refs[i] = &directory.GroupRef{UUID: &id}
	}
	return refs, nil
}
