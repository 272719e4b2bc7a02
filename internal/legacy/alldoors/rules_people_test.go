package alldoors_test

import (
	"slices"

	"roster/internal/directory"
)

func (a *act) addMembers(name string, users []string, unknown directory.OnUnknownUser, adminsAreIn bool) outcome {
	g, code := a.on(name, toMembers)
	if code != "" {
		return refused(code, forGroup)
	}
	us, ok := a.people(users, unknown)
	if !ok {
		return refused(directory.NotFound, forUser)
	}
	if adminsAreIn {
		us = us.but(g.admins)
	}
	did := len(us.but(g.members)) > 0
	a.join(g, us)
	return outcome{changes: a.log, did: did}
}

// removeMembers takes people out altogether, but never the last admin. insist refuses those who are not in the group.
func (a *act) removeMembers(name string, users []string, insist bool) outcome {
	g, code := a.on(name, toMembers)
	if code != "" {
		return refused(code, forGroup)
	}
	us, ok := a.people(users, directory.OnUnknownUserFail)
	switch {
	case !ok:
		return refused(directory.NotFound, forUser)
	case insist && len(us.but(g.members.and(g.admins))) > 0:
		return refused(directory.Invalid, forBody)
	case len(g.admins) > 0 && len(us) > 0 && len(g.admins.but(us)) == 0:
		return refused(directory.LastAdmin, forUser)
	}
	did := len(us.but(g.members.and(g.admins))) < len(us)
	a.leave(g, us)
	a.demote(g, us)
	return outcome{changes: a.log, did: did}
}

// addAdmins promotes, which makes nobody a member. insist refuses those who are not in the group.
func (a *act) addAdmins(name string, users []string, unknown directory.OnUnknownUser, insist bool) outcome {
	g, code := a.on(name, toAdmins)
	if code != "" {
		return refused(code, forGroup)
	}
	us, ok := a.people(users, unknown)
	switch {
	case !ok:
		return refused(directory.NotFound, forUser)
	case insist && len(us.but(g.members.and(g.admins))) > 0:
		return refused(directory.Invalid, forBody)
	}
	a.promote(g, us)
	return a.done()
}

// removeAdmins demotes: they stay as members. insist refuses those who are no admins.
func (a *act) removeAdmins(name string, users []string, insist bool) outcome {
	g, code := a.on(name, toAdmins)
	if code != "" {
		return refused(code, forGroup)
	}
	us, ok := a.people(users, directory.OnUnknownUserFail)
	switch {
	case !ok:
		return refused(directory.NotFound, forUser)
	case insist && len(us.but(g.admins)) > 0:
		return refused(directory.Invalid, forBody)
	case len(g.admins) > 0 && len(us) > 0 && len(g.admins.but(us)) == 0:
		return refused(directory.LastAdmin, forUser)
	}
	were := us.but(us.but(g.admins))
	a.demote(g, were)
	a.join(g, were)
	return a.done()
}

// setMembers replaces the members, and the admins if they are given.
func (a *act) setMembers(name string, members, admins []string, unknown directory.OnUnknownUser) outcome {
	rights := []right{toMembers}
	if admins != nil {
		rights = append(rights, toAdmins)
	}
	g, code := a.on(name, rights...)
	if code != "" {
		return refused(code, forGroup)
	}
	ms, ok := a.people(members, unknown)
	as, fine := a.people(admins, unknown)
	if !ok || !fine {
		return refused(directory.NotFound, forUser)
	}
	if admins == nil {
		as = nil
	}
	a.become(g, ms, as)
	return a.done()
}

// setUserGroups makes a user a member of these groups and of no other; adminships stay.
func (a *act) setUserGroups(user string, names []string) outcome {
	if a.by != root {
		return refused(directory.Forbidden, forGroup)
	}
	u := a.user(user)
	wanted := map[*group]bool{}
	for _, n := range names {
		wanted[a.group(n)] = true
	}
	if u == nil || wanted[nil] {
		return refused(directory.NotFound, forUser)
	}
	for _, g := range a.groups {
		if wanted[g] {
			a.join(g, setOf(u.username))
		} else {
			a.leave(g, setOf(u.username))
		}
	}
	return a.done()
}

func (a *act) createToken(name, description, expiration string) outcome {
	g, code := a.on(name, toTokens)
	if code != "" {
		return refused(code, forGroup)
	}
	g.tokens = append(g.tokens, token{description: description, expiration: expiration})
	a.wrote(directory.ChangeKindTokenCreated, g, "")
	return a.done()
}

// revokeToken ends the token of a group with a number, if there is one: of another group's, nothing is known.
func (a *act) revokeToken(name string, number int) outcome {
	g, code := a.on(name, toTokens)
	if code != "" {
		return refused(code, forGroup)
	}
	left := slices.DeleteFunc(slices.Clone(g.tokens), func(t token) bool { return t.number == number })
	if len(left) < len(g.tokens) {
		a.wrote(directory.ChangeKindTokenRevoked, g, "")
	}
	g.tokens = left
	return a.done()
}

func (a *act) createUser(username, email, fullName string) outcome {
	switch {
	case a.by != root:
		return refused(directory.Forbidden, "")
	case a.user(username) != nil:
		return refused(directory.Conflict, forName)
	}
	a.users = append(a.users, &person{username: username, email: email, fullName: fullName})
	a.wrote(directory.ChangeKindUserCreated, nil, username)
	return a.done()
}

// deleteUser ends all that a user was in, unless a group would lose its last admin.
func (a *act) deleteUser(name string) outcome {
	u := a.user(name)
	switch {
	case a.by != root:
		return refused(directory.Forbidden, "")
	case u == nil:
		return refused(directory.NotFound, forUser)
	}
	for _, g := range a.groups {
		if g.admins[u.username] && len(g.admins) == 1 {
			return refused(directory.LastAdmin, forUser)
		}
		a.leave(g, setOf(u.username))
		a.demote(g, setOf(u.username))
		if g.owner == u.username {
			g.owner = ""
		}
	}
	a.users = slices.DeleteFunc(a.users, func(o *person) bool { return o == u })
	a.wrote(directory.ChangeKindUserDeleted, nil, u.username)
	return a.done()
}
