package alldoors_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"roster/internal/directory"
)

// fact is something that is so of a group, or of a user.
type fact string

const (
	theName         fact = "name"
	theDescription  fact = "description"
	theExternalID   fact = "external id"
	theMembers      fact = "members"
	theAdmins       fact = "admins"
	theOrdinary     fact = "members who are no admins"
	thePeople       fact = "members and admins in one list"
	theNumbers      fact = "how many members, how many admins"
	theTags         fact = "tags"
	theTokens       fact = "tokens"
	theID           fact = "id"
	theUUID         fact = "UUID"
	theNumber       fact = "number"
	theHandle       fact = "handle"
	theKind         fact = "type"
	thePublic       fact = "public"
	theFolder       fact = "folder: access, owner, default storage"
	theVersion      fact = "version"
	theCreation     fact = "time of creation"
	theChange       fact = "time of the last change"
	userName        fact = "a user's name"
	userNumber      fact = "a user's number"
	userUUID        fact = "a user's UUID"
	userMail        fact = "a user's mail"
	userFullName    fact = "a user's full name"
	userGroups      fact = "a user's groups"
	visibleToPeople fact = "what a user without rights sees"
)

// groupFacts and userFacts are all facts, in the order of the table.
var (
	groupFacts = []fact{theName, theDescription, theExternalID, theMembers, theAdmins, theOrdinary, thePeople, theNumbers, theTags, theTokens,
		theID, theUUID, theNumber, theHandle, theKind, thePublic, theFolder, theVersion, theCreation, theChange}
	userFacts = []fact{userName, userNumber, userUUID, userMail, userFullName, userGroups, visibleToPeople}
)

// waysIn are the columns of the table.
var waysIn = []directory.Door{directory.DoorGraphQL, directory.DoorCDS, directory.DoorEntrust, directory.DoorAuthress, directory.DoorD4Science,
	directory.DoorEnterpriseTester}

// shown is where a door shows a fact, and as what.
type shown struct {
	where string
	as    func(string) string // nil: as it is
}

// views is the table of the doors: what is not in a door's row, it cannot show.
var views = map[directory.Door]map[fact]shown{
	directory.DoorGraphQL: {
		theName: {where: "`name`"}, theDescription: {where: "`description`"}, theExternalID: {where: "`externalId`"},
		theMembers: {where: "`members`"}, theAdmins: {where: "`admins`"}, theNumbers: {where: "`memberCount`, `adminCount`"},
		theTags: {where: "`tags`"}, theTokens: {where: "`tokens`"}, theID: {where: "`id`"}, theUUID: {where: "`uuid`"},
		theNumber: {where: "`number`"}, theHandle: {where: "`handle`"}, theKind: {where: "`type`"}, thePublic: {where: "`public`"},
		theFolder: {where: "`accessType`, `folderOwner`, `useDefaultStorage`"}, theVersion: {where: "`version`"},
		theCreation: {where: "`createdAt`"}, theChange: {where: "`updatedAt`"},
		userName: {where: "`username`"}, userNumber: {where: "`number`"}, userUUID: {where: "`uuid`"}, userMail: {where: "`email`"},
		userFullName: {where: "`fullName`"}, userGroups: {where: "`User.groups`"}, visibleToPeople: {where: "its groups, public groups"},
	},
	directory.DoorCDS: {
		theName: {where: "`name`"}, theAdmins: {where: "`admins`"}, theOrdinary: {where: "`users`"},
		theTokens: {where: "`GET /group/{name}/token`"}, theNumber: {where: "`id`"}, thePublic: {where: "is in `GET /group/public`"},
		userName: {where: "`username`"}, userNumber: {where: "`id`"}, userMail: {where: "`email`"}, userFullName: {where: "`fullname`"},
		userGroups: {where: "own: `GET /group`"}, visibleToPeople: {where: "its groups; names of public ones"},
	},
	directory.DoorEntrust: {
		theName: {where: "`name`"}, theExternalID: {where: "`externalId`"}, theUUID: {where: "`id`"}, theKind: {where: "`type`", as: entrustKind},
		theCreation: {where: "`created`, in seconds", as: inSeconds}, theChange: {where: "`lastModified`, in seconds", as: inSeconds},
		visibleToPeople: {where: "nothing"},
	},
	directory.DoorAuthress: {
		theName: {where: "`name`"}, theMembers: {where: "`users`"}, theAdmins: {where: "`admins`"}, theTags: {where: "`tags`"},
		theHandle: {where: "`groupId`"}, theChange: {where: "`lastUpdated`, in milliseconds", as: inMilliseconds},
		userName: {where: "`userId`"}, visibleToPeople: {where: "its groups, public groups"},
	},
	directory.DoorD4Science: {
		theName: {where: "the path"}, theAdmins: {where: "`GET …/admins`"}, thePeople: {where: "`GET …/users`"},
		userName: {where: "the name in lists"}, userGroups: {where: "own: `GET /groups`"},
		visibleToPeople: {where: "admins of its groups and of public ones; users of none"},
	},
	directory.DoorEnterpriseTester: {
		theName: {where: "`Name`"}, theDescription: {where: "`Description`"}, theMembers: {where: "`Users`, expanded"}, theUUID: {where: "`Id`"},
		userName: {where: "`UserName`"}, userUUID: {where: "`Id`"}, userMail: {where: "`Email`"}, userFullName: {where: "`FirstName`, `LastName`"},
		userGroups: {where: "`Groups`, expanded"}, visibleToPeople: {where: "every group"},
	},
}

func entrustKind(kind string) string {
	return map[string]string{"MANAGED": "MGMT_UI", "DIRECTORY": "LDAP_AD"}[kind]
}

func inSeconds(at string) string { return cut(at, "2006-01-02T15:04:05Z") }

func inMilliseconds(at string) string { return cut(at, "2006-01-02T15:04:05.000Z") }

func cut(at, layout string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return err.Error()
	}
	return t.UTC().Format(layout)
}

// facts are what is so of one group or user, in words.
type facts map[fact]string

// factsOf are all that the model knows of a group.
func (g *group) facts() facts {
	return facts{
		theName: g.name, theDescription: g.description, theExternalID: g.externalID, theMembers: g.members.String(), theAdmins: g.admins.String(),
		theOrdinary: g.members.but(g.admins).String(), thePeople: g.members.and(g.admins).String(), theNumbers: numbers(len(g.members), len(g.admins)),
		theTags: spelt(g.tags), theTokens: tokens(g.tokens), theID: g.id, theUUID: g.uuid, theNumber: strconv.Itoa(g.number), theHandle: g.handle,
		theKind: g.kind, thePublic: strconv.FormatBool(g.public), theFolder: folder(g.access, g.owner, g.defaultStorage),
		theVersion: strconv.Itoa(g.version), theCreation: g.created, theChange: g.updated,
	}
}

func (m *model) factsOf(u *person) facts {
	return facts{userName: u.username, userNumber: strconv.Itoa(u.number), userUUID: u.uuid, userMail: u.email, userFullName: u.fullName,
		userGroups: m.of(u.username).String()}
}

func numbers(members, admins int) string { return fmt.Sprintf("%d, %d", members, admins) }

func folder(access, owner string, storage bool) string {
	return fmt.Sprintf("%s, %s, %t", access, owner, storage)
}

func spelt(tags map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		fmt.Fprintf(&b, "%q: %q, ", k, tags[k])
	}
	return b.String()
}

func tokens(ts []token) string {
	lines := []string{}
	for _, t := range ts {
		lines = append(lines, fmt.Sprintf("%d %s %s %s", t.number, t.description, t.expiration, t.prefix))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// reading is what a door was found to show: of every group that there is, and of the users who turned up.
type reading struct {
	groups, users map[string]facts // by name
}

func newReading() reading { return reading{map[string]facts{}, map[string]facts{}} }

// expected is what a door ought to show of the groups.
func (m *model) expected(door directory.Door) map[string]facts {
	out := map[string]facts{}
	for _, g := range m.groups {
		out[g.name] = seenThrough(door, g.facts())
	}
	return out
}

// seenThrough are those of the facts that a door shows, as it shows them.
func seenThrough(door directory.Door, all facts) facts {
	out := facts{}
	for f, v := range all {
		if s, ok := views[door][f]; ok {
			if s.as != nil {
				v = s.as(v)
			}
			out[f] = v
		}
	}
	return out
}

// visible are the groups that a user without any right of the whole directory reads through a door's list.
func (m *model) visible(door directory.Door, user string) set {
	out := m.of(user)
	for _, g := range m.groups {
		if door == directory.DoorEnterpriseTester || (g.public && door != directory.DoorCDS && door != directory.DoorD4Science) {
			out[g.name] = true
		}
	}
	return out
}

// table is the views as the page has them.
func table() string {
	titles := map[directory.Door]string{directory.DoorGraphQL: "GraphQL", directory.DoorCDS: "CDS", directory.DoorEntrust: "Entrust",
		directory.DoorAuthress: "Authress", directory.DoorD4Science: "D4Science", directory.DoorEnterpriseTester: "Enterprise Tester"}
	var b strings.Builder
	b.WriteString("| fact |")
	for _, d := range waysIn {
		b.WriteString(" " + titles[d] + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(waysIn)+1) + "\n")
	for _, f := range slices.Concat(groupFacts, userFacts) {
		b.WriteString("| " + string(f) + " |")
		for _, d := range waysIn {
			where := views[d][f].where
			if where == "" {
				where = "–"
			}
			b.WriteString(" " + where + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
