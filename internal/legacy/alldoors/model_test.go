package alldoors_test

import (
	"maps"
	"slices"
	"strings"
)

// The model is the one abstract state: what groups and users there are, as the documentation has it, without a database, a door
// or a line of Roster's own code. Identities, versions and times are learnt from GraphQL, once each, and held to from then on.

// set is user names, as they are spelt.
type set map[string]bool

func (s set) String() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

func setOf(names ...string) set {
	s := set{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

// and is the union, but the difference without those of the other.
func (s set) and(o set) set {
	u := maps.Clone(s)
	maps.Copy(u, o)
	return u
}

func (s set) but(o set) set {
	d := set{}
	for n := range s {
		if !o[n] {
			d[n] = true
		}
	}
	return d
}

type person struct {
	username, email, fullName string
	uuid                      string
	number                    int
	secret                    string // of a token with every scope; "" for people who have none
}

type group struct {
	name, description, externalID string // externalID: "" is none
	kind                          string // MANAGED or DIRECTORY
	access, owner                 string
	defaultStorage, public        bool
	handle                        string // "" until it is learnt, or chosen
	tags                          map[string]string
	members, admins               set
	tokens                        []token
	id, uuid                      string
	number, version               int
	created, updated              string
	touched                       bool // by the last operation: a new version is to be seen
}

type token struct {
	description, expiration, prefix string
	number                          int
}

type model struct {
	groups []*group
	users  []*person
}

func (m *model) clone() *model {
	c := &model{users: slices.Clone(m.users)}
	for _, g := range m.groups {
		d := *g
		d.tags, d.members, d.admins, d.tokens = maps.Clone(g.tags), maps.Clone(g.members), maps.Clone(g.admins), slices.Clone(g.tokens)
		c.groups = append(c.groups, &d)
	}
	return c
}

// group finds by name, whatever the case; nil for none.
func (m *model) group(name string) *group {
	for _, g := range m.groups {
		if strings.EqualFold(g.name, name) {
			return g
		}
	}
	return nil
}

func (m *model) user(name string) *person {
	for _, u := range m.users {
		if strings.EqualFold(u.username, name) {
			return u
		}
	}
	return nil
}

// of are the names of the groups that a user is in, as a member or as an admin.
func (m *model) of(user string) set {
	s := set{}
	for _, g := range m.groups {
		if g.members[user] || g.admins[user] {
			s[g.name] = true
		}
	}
	return s
}
