package alldoors_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"roster/internal/directory"
)

// change is a row of the change log.
type change struct{ kind, group, user string }

// What an operation is refused for, besides its code: CDS has an id of its own for each.
const (
	forGroup  = "group"
	forUser   = "user"
	forName   = "name"
	forAdmins = "no admins in a whole list"
	forBody   = "body"
)

// outcome is what the rules say of an operation.
type outcome struct {
	code    directory.Code // "": it is done
	field   string
	changes []change
	did     bool // for the one user that it was about
}

func refused(code directory.Code, field string) outcome { return outcome{code: code, field: field} }

// act is an operation on the model: by whom, and through which way in. Refused, it leaves the model in no state to be used.
type act struct {
	*model
	by   string
	door directory.Door
	log  []change
}

func (a *act) done() outcome { return outcome{changes: a.log} }

func (a *act) wrote(kind directory.ChangeKind, g *group, user string) {
	c := change{kind: string(kind), user: user}
	if g != nil {
		c.group = g.name
	}
	a.log = append(a.log, c)
}

// right is what access is decided for.
type right string

const (
	toCreate  right = "create"
	toUpdate  right = "update"
	toDelete  right = "delete"
	toMembers right = "members"
	toAdmins  right = "admins"
	toTokens  right = "tokens"
)

// root is the first administrator, who may do everything; nobody else in these tests has a role.
const root = directory.FirstAdmin

// adminsMay says what the admin of a group may do to it through each way in, without any permission for the whole directory. A
// group's admins are nothing to Entrust and Enterprise Tester; D4Science asks for roles but where it lists none.
var adminsMay = map[directory.Door][]right{
	directory.DoorGraphQL:   {toUpdate, toDelete, toMembers, toAdmins, toTokens},
	directory.DoorCDS:       {toUpdate, toDelete, toMembers, toAdmins, toTokens},
	directory.DoorAuthress:  {toUpdate, toDelete, toMembers, toAdmins},
	directory.DoorD4Science: {toAdmins},
}

// may decides: "" or the code of the refusal. g is nil for a group that is not there.
func (a *act) may(r right, g *group) directory.Code {
	imported := g != nil && g.kind == string(directory.GroupTypeDirectory)
	switch {
	case a.door == directory.DoorEntrust && imported && (r == toUpdate || r == toDelete):
		return directory.Forbidden
	case a.by == root, r == toCreate && a.door == directory.DoorCDS:
		return ""
	case r == toCreate:
		return directory.Forbidden
	case g != nil && g.admins[a.by] && slices.Contains(adminsMay[a.door], r):
		return ""
	}
	return a.hides(r, g)
}

// hides is how a refusal reads: FORBIDDEN first behind some doors, NOT_FOUND for what is not seen behind others.
func (a *act) hides(r right, g *group) directory.Code {
	switch {
	case a.door == directory.DoorCDS, a.door == directory.DoorEntrust, a.door == directory.DoorD4Science && r != toAdmins:
		return directory.Forbidden
	case g == nil:
		return directory.NotFound
	case a.door == directory.DoorEnterpriseTester, g.public, g.members[a.by], g.admins[a.by]:
		return directory.Forbidden
	}
	return directory.NotFound
}

// on finds the group that an operation is on, for callers who may do it.
func (a *act) on(name string, rights ...right) (*group, directory.Code) {
	g := a.group(name)
	for _, r := range rights {
		if code := a.may(r, g); code != "" {
			return nil, code
		}
	}
	if g == nil {
		return nil, directory.NotFound
	}
	return g, ""
}

// people finds the users of a list, each once. Unknown ones fail it, are left out, or are created.
func (a *act) people(names []string, unknown directory.OnUnknownUser) (set, bool) {
	found := set{}
	for _, n := range names {
		u := a.user(n)
		switch {
		case u == nil && unknown == directory.OnUnknownUserSkip:
			continue
		case u == nil && unknown != directory.OnUnknownUserCreate:
			return nil, false
		case u == nil:
			u = &person{username: n}
			a.users = append(a.users, u)
			a.wrote(directory.ChangeKindUserCreated, nil, n)
		}
		found[u.username] = true
	}
	return found, true
}

// newGroup is what a new group shall be; admins are nil for a list that is not given.
type newGroup struct {
	name, handle, description, externalID, access, owner string
	tags                                                 map[string]string
	members, admins                                      []string
	unknown                                              directory.OnUnknownUser
	storage, public                                      bool
}

var cdsName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func (a *act) createGroup(in newGroup) outcome {
	if code := a.may(toCreate, nil); code != "" {
		return refused(code, forGroup)
	}
	if a.door == directory.DoorCDS && !cdsName.MatchString(in.name) {
		return refused(directory.Invalid, forName)
	}
	members, ok := a.people(in.members, in.unknown)
	admins, fine := a.people(in.admins, in.unknown)
	if !ok || !fine || (in.owner != "" && a.user(in.owner) == nil) {
		return refused(directory.NotFound, forUser)
	}
	if in.admins == nil {
		admins = setOf(a.by)
	}
	if a.taken(nil, in.name, in.handle, in.externalID) {
		return refused(directory.Conflict, forName)
	}
	g := &group{name: in.name, handle: in.handle, description: in.description, externalID: in.externalID, kind: "MANAGED", access: in.access,
		owner: in.owner, defaultStorage: in.storage, public: in.public, tags: maps.Clone(in.tags), members: set{}, admins: set{}}
	a.groups = append(a.groups, g)
	a.wrote(directory.ChangeKindGroupCreated, g, "")
	a.join(g, members)
	a.promote(g, admins)
	return a.done()
}

// taken reports whether another group has one of these.
func (a *act) taken(but *group, name, handle, externalID string) bool {
	return slices.ContainsFunc(a.groups, func(g *group) bool {
		return g != but && (strings.EqualFold(g.name, name) || (handle != "" && g.handle == handle) || (externalID != "" && g.externalID == externalID))
	})
}

func (a *act) join(g *group, us set) {
	for u := range us.but(g.members) {
		g.members[u], g.touched = true, true
		a.wrote(directory.ChangeKindMemberAdded, g, u)
	}
}

func (a *act) leave(g *group, us set) {
	for u := range us {
		if g.members[u] {
			delete(g.members, u)
			g.touched = true
			a.wrote(directory.ChangeKindMemberRemoved, g, u)
		}
	}
}

func (a *act) promote(g *group, us set) {
	for u := range us.but(g.admins) {
		g.admins[u], g.touched = true, true
		a.wrote(directory.ChangeKindAdminAdded, g, u)
	}
}

func (a *act) demote(g *group, us set) {
	for u := range us {
		if g.admins[u] {
			delete(g.admins, u)
			g.touched = true
			a.wrote(directory.ChangeKindAdminRemoved, g, u)
		}
	}
}

// patch is what an update changes: nil leaves alone.
type patch struct {
	name, description, externalID, access, owner *string
	storage, public                              *bool
	tags                                         map[string]string
}

func (a *act) updateGroup(name string, p patch) outcome {
	g, code := a.on(name, toUpdate)
	if code != "" {
		return refused(code, forGroup)
	}
	if code := a.patch(g, p); code != "" {
		return refused(code, forName)
	}
	return a.done()
}

func (a *act) patch(g *group, p patch) directory.Code {
	before := *g
	for _, f := range []struct{ to, from *string }{{&g.name, p.name}, {&g.description, p.description}, {&g.externalID, p.externalID},
		{&g.access, p.access}, {&g.owner, p.owner}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if p.storage != nil {
		g.defaultStorage = *p.storage
	}
	if p.public != nil {
		g.public = *p.public
	}
	if p.tags != nil {
		g.tags = p.tags
	}
	same := g.name == before.name && g.description == before.description && g.externalID == before.externalID && g.access == before.access &&
		g.owner == before.owner && g.defaultStorage == before.defaultStorage && g.public == before.public && maps.Equal(g.tags, before.tags)
	switch {
	case same:
		return ""
	case a.door == directory.DoorCDS && g.name != before.name && !cdsName.MatchString(g.name):
		return directory.Invalid
	case a.taken(g, g.name, "", g.externalID):
		return directory.Conflict
	}
	g.touched = true
	a.wrote(directory.ChangeKindGroupUpdated, g, "")
	return ""
}

func (a *act) deleteGroup(name string) outcome {
	g, code := a.on(name, toDelete)
	if code != "" {
		return refused(code, forGroup)
	}
	a.groups = slices.DeleteFunc(a.groups, func(o *group) bool { return o == g })
	a.wrote(directory.ChangeKindGroupDeleted, g, "")
	return a.done()
}

// replaceGroup is the PUT of CDS and Authress: name, both lists and, where given, tags. distinct refuses who is named twice.
func (a *act) replaceGroup(name string, p patch, members, admins []string, unknown directory.OnUnknownUser, distinct bool) outcome {
	if distinct && len(admins) == 0 {
		if code := a.may(toUpdate, a.group(name)); code != "" {
			return refused(code, forGroup)
		}
		return refused(directory.LastAdmin, forAdmins)
	}
	g, code := a.on(name, toUpdate, toMembers, toAdmins)
	if code != "" {
		return refused(code, forGroup)
	}
	if code := a.patch(g, p); code != "" {
		return refused(code, forName)
	}
	ms, ok := a.people(members, unknown)
	as, fine := a.people(admins, unknown)
	switch {
	case !ok || !fine:
		return refused(directory.NotFound, forUser)
	case distinct && len(ms.and(as)) < len(members)+len(admins):
		return refused(directory.Invalid, forBody)
	}
	if distinct { // CDS lists nobody twice: an admin who is a member too stays one
		ms = ms.and(as.but(as.but(g.members)))
	}
	a.become(g, ms, as)
	return a.done()
}

// become makes the lists what they are given as; admins are nil where they stay.
func (a *act) become(g *group, members, admins set) {
	a.leave(g, g.members.but(members))
	a.join(g, members)
	if admins != nil {
		a.demote(g, g.admins.but(admins))
		a.promote(g, admins)
	}
}
