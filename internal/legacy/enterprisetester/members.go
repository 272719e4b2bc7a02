package enterprisetester

import (
	"fmt"
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// getGroupMembers answers a part of the members ("Neighbouring operations").
func (d door) getGroupMembers(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	q, part, err := membersQuery(r)
	if err != nil {
		return err
	}
	total, rows, err := d.dir.SliceMembers(r.Context(), r.By, ref, part, memberFields(q.expand))
	if err != nil {
		return err
	}
	items := q.items(w, total)
	for m, err := range rows {
		if err != nil {
			return err
		}
		if err := addUser(items, r.Base, m, q.expand); err != nil {
			return err
		}
	}
	return items.Close()
}

// setGroupMembers makes exactly these users the members, and answers the part of them that the query asks for.
func (d door) setGroupMembers(w http.ResponseWriter, r *legacy.Request) error {
	ref, err := groupRef(r)
	if err != nil {
		return err
	}
	q, part, err := membersQuery(r)
	if err != nil {
		return err
	}
	var in memberships
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	users, err := in.users()
	if err != nil {
		return err
	}
	expected, err := legacy.IfMatch(r)
	if err != nil {
		return err
	}
	set := directory.SetMembersInput{Group: ref, Members: users, ExpectedVersion: expected}
	return legacy.Write(w, r, d.dir.SetMembers, set, membersAfter(q, part), func(w http.ResponseWriter, r *legacy.Request, p *directory.Payload) error {
		return answerMembers(w, r, p, q)
	})
}

// membersAfter is what a write reads of the members: all that the filter lets through, since there are no more than were sent.
func membersAfter(q query, part directory.Slice) directory.Selection {
	page := whole()
	page.Filter, page.Order, page.Total = part.Filter, part.Order, part.Total
	return directory.Want(directory.Link{Key: "group", Field: "group", Select: directory.Selection{
		Links: []directory.Link{{Key: "members", Field: "members", Page: page, Select: memberFields(q.expand)}},
	}})
}

func answerMembers(w http.ResponseWriter, r *legacy.Request, p *directory.Payload, q query) error {
	g, err := directory.Linked[*directory.Group](p, "group")
	if err != nil {
		return err
	}
	c, err := directory.Linked[*directory.MemberConnection](g, "members")
	if err != nil {
		return err
	}
	members := c.Nodes()
	members = members[min(q.skip, len(members)):]
	if q.top != nil {
		members = members[:min(*q.top, len(members))]
	}
	items := q.items(w, c.TotalCount)
	for _, m := range members {
		if err := addUser(items, r.Base, m, q.expand); err != nil {
			return err
		}
	}
	return items.Close()
}

func addUser(items *legacy.Stream, base string, m *directory.Member, x expansion) error {
	u, err := userOf(base, m, x)
	if err != nil {
		return err
	}
	return items.Add(u)
}

// membersQuery is what the query wants of the members.
func membersQuery(r *legacy.Request) (query, directory.Slice, error) {
	q, err := queryOf(r.URL.Query())
	if err != nil {
		return q, directory.Slice{}, err
	}
	part := q.slice()
	if part.Filter, err = memberFilter(q.filter); err != nil {
		return q, part, err
	}
	part.Order, err = memberOrder(q.orderBy)
	return q, part, err
}

// users are references to the users named. A list must be there: none is an empty one.
func (m memberships) users() ([]*directory.UserRef, error) {
	if m.Items == nil {
		return nil, invalid("Items", "Items is required: the users that are to be the members.")
	}
	refs := make([]*directory.UserRef, len(*m.Items))
	for i, item := range *m.Items {
		field := fmt.Sprintf("Items[%d]", i)
		switch {
		case item.ID != nil && *item.ID != "":
			id, ok := legacy.UUID(*item.ID)
			if !ok {
				return nil, invalid(field+".Id", field+".Id is not a GUID.")
			}
			refs[i] = &directory.UserRef{UUID: &id}
		case item.UserName != nil && *item.UserName != "":
			refs[i] = &directory.UserRef{Username: item.UserName}
		default:
			return nil, invalid(field, field+" names no user: give its Id or its UserName.")
		}
	}
	return refs, nil
}
