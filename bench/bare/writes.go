package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5"
)

// users are the members that a request names, by TypeIDs.
func users(r *http.Request) ([]id, error) {
	var body struct {
		Users []string `json:"users"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, errBad
	}
	ids := make([]id, len(body.Users))
	for i, text := range body.Users {
		var err error
		if ids[i], err = parseID("usr", text); err != nil {
			return nil, err
		}
	}
	// In one order for everybody: two that write the same rows wait for each other, and no more.
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

func (s *server) addMembers(r *http.Request) (a addAnswer, err error) {
	gid, err := parseID("grp", r.PathValue("id"))
	if err != nil {
		return a, err
	}
	us, err := users(r)
	if err != nil {
		return a, err
	}
	ids := make([]id, len(us))
	for i := range ids {
		ids[i] = newID()
	}
	rows, err := s.pool.Query(r.Context(), s.add, gid, ids, us, s.actorID, s.actor, rand.Text())
	if err != nil {
		return a, err
	}
	a.AddMembers, err = changed(rows, "ADDED", "ALREADY_MEMBER")
	return a, err
}

func (s *server) removeMembers(r *http.Request) (a removeAnswer, err error) {
	gid, err := parseID("grp", r.PathValue("id"))
	if err != nil {
		return a, err
	}
	us, err := users(r)
	if err != nil {
		return a, err
	}
	rows, err := s.pool.Query(r.Context(), s.remove, gid, us, s.actor, rand.Text())
	if err != nil {
		return a, err
	}
	a.RemoveMembers, err = changed(rows, "REMOVED", "NOT_A_MEMBER")
	return a, err
}

// changed reads what a write tells of each user.
func changed(rows pgx.Rows, yes, no string) (c change, err error) {
	defer rows.Close()
	for rows.Next() {
		var o outcome
		var did bool
		if err := rows.Scan(&o.Username, &did, &c.Group.MemberCount, &c.Group.Version); err != nil {
			return c, err
		}
		if o.Result = no; did {
			o.Result = yes
		}
		c.Outcomes = append(c.Outcomes, o)
	}
	rows.Close()
	return c, rows.Err()
}
