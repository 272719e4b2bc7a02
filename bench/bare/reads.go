package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

func (s *server) group(r *http.Request) (a groupAnswer, err error) {
	gid, err := parseID("grp", r.PathValue("id"))
	if err != nil {
		return a, err
	}
	g := &a.Group
	var tags []byte
	err = s.pool.QueryRow(r.Context(), s.one, gid).Scan(&gid, &g.Number, &g.Handle, &g.Name, &g.Description, &g.Type, &g.ExternalID, &g.AccessType,
		&g.UseDefaultStorage, &g.Public, &tags, &g.Version, &g.CreatedAt.Time, &g.UpdatedAt.Time, &g.MemberCount, &g.AdminCount)
	if err != nil {
		return a, err
	}
	g.ID = gid.typed("grp")
	g.Tags, err = tagsOf(tags)
	return a, err
}

// first is how many are wanted; one more is read, to know whether there are more.
func first(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.URL.Query().Get("first"))
	if err != nil || n < 1 || n > 200 {
		return 0, errBad
	}
	return n, nil
}

// prefixEnd is the least text above all that begin with the prefix.
func prefixEnd(prefix string) string {
	b := []byte(prefix)
	b[len(b)-1]++
	return string(b)
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (s *server) pageRows(r *http.Request, n int) (pgx.Rows, error) {
	q := r.URL.Query()
	switch {
	case q.Get("after") != "":
		name, err := nameAt(q.Get("after"))
		if err != nil {
			return nil, err
		}
		return s.pool.Query(r.Context(), s.pageAfter, n+1, name)
	case q.Get("prefix") != "":
		p := strings.ToLower(q.Get("prefix"))
		return s.pool.Query(r.Context(), s.prefix, n+1, p, prefixEnd(p))
	case q.Get("contains") != "":
		return s.search.Query(r.Context(), s.contains, n+1, "%"+likeEscapes.Replace(strings.ToLower(q.Get("contains")))+"%")
	}
	return s.pool.Query(r.Context(), s.page, n+1)
}

func (s *server) groups(r *http.Request) (a pageAnswer, err error) {
	n, err := first(r)
	if err != nil {
		return a, err
	}
	rows, err := s.pageRows(r, n)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	p := &a.Groups
	p.Edges = make([]edge, 0, n)
	p.PageInfo.HasPreviousPage = r.URL.Query().Get("after") != ""
	for rows.Next() {
		if len(p.Edges) == n {
			p.PageInfo.HasNextPage = true
			break
		}
		var gid id
		var key string
		var e edge
		if err := rows.Scan(&gid, &e.Node.Name, &key, &e.Node.Description, &e.Node.MemberCount, &e.Node.CreatedAt.Time); err != nil {
			return a, err
		}
		e.Node.ID, e.Cursor = gid.typed("grp"), cursorOf(key)
		p.Edges = append(p.Edges, e)
	}
	if k := len(p.Edges); k > 0 {
		p.PageInfo.StartCursor, p.PageInfo.EndCursor = &p.Edges[0].Cursor, &p.Edges[k-1].Cursor
	}
	rows.Close()
	return a, rows.Err()
}

// How many of each group's people are shown.
const (
	membersShown = 10
	adminsShown  = 3
)

func (s *server) teams(r *http.Request) (a teamsAnswer, err error) {
	n, err := first(r)
	prefix := strings.ToLower(r.URL.Query().Get("prefix"))
	if err != nil || prefix == "" {
		return a, errBad
	}
	rows, err := s.pool.Query(r.Context(), s.people, n+1, prefix, prefixEnd(prefix), membersShown, adminsShown)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	p := &a.Groups
	p.Nodes = make([]team, 0, n)
	var last string
	var ids []id
	var times []time.Time
	var members, admins []string
	for rows.Next() {
		if len(p.Nodes) == n {
			p.PageInfo.HasNextPage = true
			break
		}
		var gid id
		var t team
		if err := rows.Scan(&gid, &t.Name, &last, &t.MemberCount, &ids, &times, &members, &admins); err != nil {
			return a, err
		}
		t.ID = gid.typed("grp")
		t.Members.Nodes, t.Admins.Nodes = make([]member, len(ids)), make([]userOnly, len(admins))
		for i := range ids {
			t.Members.Nodes[i] = member{ids[i].typed("mem"), timeOfDay{times[i]}, person{members[i]}}
		}
		for i := range admins {
			t.Admins.Nodes[i].User.Username = admins[i]
		}
		p.Nodes = append(p.Nodes, t)
	}
	p.PageInfo.EndCursor = endOf(len(p.Nodes), last)
	rows.Close()
	return a, rows.Err()
}

// endOf is the cursor of the last of n.
func endOf(n int, key string) *string {
	if n == 0 {
		return nil
	}
	c := cursorOf(key)
	return &c
}

func (s *server) groupsOfUser(r *http.Request) (a userAnswer, err error) {
	uid, err := parseID("usr", r.PathValue("id"))
	if err != nil {
		return a, err
	}
	n, err := first(r)
	if err != nil {
		return a, err
	}
	rows, err := s.pool.Query(r.Context(), s.ofUser, uid, n+1)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	p := &a.User.Groups
	p.Nodes = make([]brief, 0, n)
	var last string
	found := false
	for rows.Next() {
		if found = true; len(p.Nodes) == n {
			p.PageInfo.HasNextPage = true
			break
		}
		var gid *id
		var name, key *string
		var count *int
		if err := rows.Scan(&a.User.Username, &gid, &name, &key, &count); err != nil {
			return a, err
		}
		if gid != nil { // null: the user is in no group
			last = *key
			p.Nodes = append(p.Nodes, brief{gid.typed("grp"), *name, *count})
		}
	}
	p.PageInfo.EndCursor = endOf(len(p.Nodes), last)
	rows.Close()
	if err := rows.Err(); err != nil || found {
		return a, err
	}
	return a, pgx.ErrNoRows
}
