package enterprisetester

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// searchGroups answers a part of the groups ("Neighbouring operations").
func (d door) searchGroups(w http.ResponseWriter, r *legacy.Request) error {
	q, err := queryOf(r.URL.Query())
	if err != nil {
		return err
	}
	part := q.slice()
	if part.Filter, err = groupFilter(q.filter); err != nil {
		return err
	}
	if part.Order, err = groupOrder(q.orderBy); err != nil {
		return err
	}
	total, rows, err := d.dir.SliceGroups(r.Context(), r.By, part, groupFields(q.expand))
	if err != nil {
		return err
	}
	items := q.items(w, total)
	for g, err := range rows {
		if err != nil {
			return err
		}
		out, err := groupOf(r.Base, g, q.expand)
		if err != nil {
			return err
		}
		if err := items.Add(out); err != nil {
			return err
		}
	}
	return items.Close()
}

// createGroup makes a group: 200, unlike most of the system's POSTs ("Neighbouring operations").
func (d door) createGroup(w http.ResponseWriter, r *legacy.Request) error {
	var in groupBody
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	return legacy.Write(w, r, d.dir.CreateGroup, directory.CreateGroupInput{
		Name: in.Name, Description: in.Description, Admins: []*directory.UserRef{}, // the system has no group admins: none is one
	}, written, answerWritten)
}
