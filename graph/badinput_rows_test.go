package graph_test

import "strings"

var (
	long300  = strings.Repeat("x", 300)
	umlauts  = strings.Repeat("ü", 257) // 257 characters, 514 bytes
	long4097 = strings.Repeat("x", 4097)
)

var badLists = []bad{
	write("no users", "addMembers", m{"group": eng, "users": []m{}}, "INVALID", "input.users"),
	write("no users to remove", "removeMembers", m{"group": eng, "users": []m{}}, "INVALID", "input.users"),
	write("no admins", "addAdmins", m{"group": eng, "users": []m{}}, "INVALID", "input.users"),
	write("no admins to remove", "removeAdmins", m{"group": eng, "users": []m{}}, "INVALID", "input.users"),
	write("10,001 users", "addMembers", m{"group": eng, "users": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.users"),
	write("10,001 users to remove", "removeMembers", m{"group": eng, "users": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.users"),
	write("10,001 admins", "addAdmins", m{"group": eng, "users": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.users"),
	write("10,001 admins to remove", "removeAdmins", m{"group": eng, "users": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.users"),
	write("10,001 members", "setMembers", m{"group": eng, "members": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.members"),
	write("10,001 admins set", "setMembers", m{"group": eng, "members": []m{}, "admins": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.admins"),
	write("10,001 members of a new group", "createGroup", m{"name": "x", "members": userRefs(10_001)}, "LIMIT_EXCEEDED", "input.members"),
	write("10,001 groups", "setUserGroups", m{"user": m{"username": "bob"}, "groups": repeat(eng, 10_001)}, "LIMIT_EXCEEDED", "input.groups"),
	write("51 tags", "createGroup", m{"name": "x", "tags": repeat(m{"key": "k", "value": "v"}, 51)}, "LIMIT_EXCEEDED", "input.tags"),
	write("101 requirements", "putAction", m{"name": "x", "group": eng, "requirements": repeat(m{"name": "n", "type": "t", "value": ""}, 101)}, "LIMIT_EXCEEDED", "input.requirements"),
	write("101 parameters", "putAction", m{"name": "x", "group": eng, "parameters": repeat(m{"name": "n", "type": "t"}, 101)}, "LIMIT_EXCEEDED", "input.parameters"),
	write("101 capabilities", "putWorkerModel", m{"name": "x", "group": eng, "type": "HOST", "registeredCapabilities": repeat(m{"name": "n", "type": "t", "value": ""}, 101)}, "LIMIT_EXCEEDED", "input.registeredCapabilities"),
	ask("101 nodes", "[ID!]!", `{ nodes(ids: $v) { id } }`, repeat(someUser, 101), "LIMIT_EXCEEDED", "ids"),
	ask("1,001 pairs", "[MembershipPair!]!", `{ checkMemberships(pairs: $v) { group } }`, repeat(m{"group": eng, "user": m{"number": 1}}, 1001), "LIMIT_EXCEEDED", "pairs"),
}

var badText = []bad{
	write("NUL in a name", "createGroup", m{"name": "a\x00b"}, "INVALID", "input.name"),
	write("a line break in a name", "createGroup", m{"name": "a\nb"}, "INVALID", "input.name"),
	write("a control character in a name", "updateGroup", m{"group": eng, "name": "a\x7fb"}, "INVALID", "input.name"),
	write("a control character beyond ASCII", "createGroup", m{"name": "a\u0085b"}, "INVALID", "input.name"),
	write("an empty name", "createGroup", m{"name": ""}, "INVALID", "input.name"),
	write("a blank name", "createGroup", m{"name": " \u00a0\u2003"}, "INVALID", "input.name"),
	write("NUL in a description", "createGroup", m{"name": "x", "description": "a\x00"}, "INVALID", "input.description"),
	write("NUL in an external id", "updateGroup", m{"group": eng, "externalId": "\x00"}, "INVALID", "input.externalId"),
	write("an empty external id", "createGroup", m{"name": "x", "externalId": ""}, "INVALID", "input.externalId"),
	write("a handle with a space", "createGroup", m{"name": "x", "handle": "a b"}, "INVALID", "input.handle"),
	write("an empty handle", "createGroup", m{"name": "x", "handle": ""}, "INVALID", "input.handle"),
	write("a handle and a line break", "createGroup", m{"name": "x", "handle": "ab\n"}, "INVALID", "input.handle"),
	write("NUL in a tag's key", "createGroup", m{"name": "x", "tags": []m{{"key": "a", "value": ""}, {"key": "b\x00", "value": ""}}}, "INVALID", "input.tags[1].key"),
	write("NUL in a tag's value", "updateGroup", m{"group": eng, "tags": []m{{"key": "a", "value": "\x00"}}}, "INVALID", "input.tags[0].value"),
	write("an empty tag", "createGroup", m{"name": "x", "tags": []m{{"key": "", "value": ""}}}, "INVALID", "input.tags[0].key"),
	write("NUL in a username", "createUser", m{"username": "a\x00"}, "INVALID", "input.username"),
	write("a tab in a username", "updateUser", m{"user": m{"username": "dan"}, "username": "a\tb"}, "INVALID", "input.username"),
	write("NUL in an address", "createUser", m{"username": "x", "email": "\x00"}, "INVALID", "input.email"),
	write("NUL in a full name", "updateUser", m{"user": m{"username": "dan"}, "fullName": "\x00"}, "INVALID", "input.fullName"),
	write("NUL in a token's description", "createToken", m{"description": "\x00"}, "INVALID", "input.description"),
	write("NUL in an action", "putAction", m{"name": "a\x00", "group": eng}, "INVALID", "input.name"),
	write("NUL in a requirement", "putAction", m{"name": "a", "group": eng, "requirements": []m{{"name": "n", "type": "t", "value": "a\x00"}}}, "INVALID", "input.requirements[0].value"),
	write("NUL in a parameter", "putAction", m{"name": "a", "group": eng, "parameters": []m{{"name": "n", "type": "t"}, {"name": "n", "type": "t", "description": "\x00"}}}, "INVALID", "input.parameters[1].description"),
	write("NUL in settings", "putWorkerModel", m{"name": "a", "group": eng, "type": "DOCKER", "docker": m{"a": []any{1, m{"b": "\x00"}}}}, "INVALID", "input.docker"),
	write("NUL in a key of settings", "putWorkerModel", m{"name": "a", "group": eng, "type": "VSPHERE", "virtualMachine": m{"\x00": 1}}, "INVALID", "input.virtualMachine"),
	write("settings that are a list", "putWorkerModel", m{"name": "a", "group": eng, "type": "DOCKER", "docker": []any{1}}, "INVALID", "input.docker"),
	ask("NUL in a filter", "String!", `{ groups(filter: {name: {contains: $v}}) { totalCount } }`, "\x00", "INVALID", "filter.name.contains"),
	ask("NUL in a list of a filter", "[String!]", `{ users(filter: {or: [{email: {notIn: $v}}]}) { totalCount } }`, []string{"a", "\x00"}, "INVALID", "filter.or[0].email.notIn[1]"),
	ask("NUL in a search", "String", `{ users(filter: {search: $v}) { totalCount } }`, "a\x00", "INVALID", "filter.search"),
	ask("NUL in a tag of a filter", "String", `{ groups(filter: {tag: {key: "k", value: $v}}) { totalCount } }`, "a\x00", "INVALID", "filter.tag.value"),
	ask("NUL in an actor", "String", `{ changes(filter: {actor: $v}) { totalCount } }`, "a\x00", "INVALID", "filter.actor"),
	ask("NUL in a reference", "String!", `{ group(by: {name: $v}) { id } }`, "a\x00", "INVALID", "by.name"),
	ask("NUL in a nested filter", "String", `{ groups { nodes { members(filter: {search: $v}) { totalCount } } } }`, "a\x00", "INVALID", "filter.search"),
	ask("NUL in a cursor", "String", `{ groups(after: $v) { totalCount } }`, "\x00", "INVALID", "after"),
}

var badNames = []bad{
	write("a group's name in another case", "createGroup", m{"name": "eNGINEERING"}, "CONFLICT", "input.name"),
	write("beyond ASCII", "createGroup", m{"name": "zÜRICH"}, "CONFLICT", "input.name"),
	write("renamed", "updateGroup", m{"group": eng, "name": "OPERATIONS"}, "CONFLICT", "input.name"),
	write("a user's name in another case", "createUser", m{"username": "CYD"}, "CONFLICT", "input.username"),
	write("a user renamed", "updateUser", m{"user": m{"username": "dan"}, "username": "EVE"}, "CONFLICT", "input.username"),
	write("an external id", "updateUser", m{"user": m{"username": "dan"}, "externalId": "x-EVE"}, "CONFLICT", "input.externalId"),
	write("a handle", "createGroup", m{"name": "x", "handle": "eng"}, "CONFLICT", "input.handle"),
	write("300 characters", "createGroup", m{"name": long300}, "INVALID", "input.name"),
	write("257 characters of two bytes", "createGroup", m{"name": umlauts}, "INVALID", "input.name"),
	write("renamed to 300 characters", "updateGroup", m{"group": eng, "name": long300}, "INVALID", "input.name"),
	write("a username of 300", "createUser", m{"username": long300}, "INVALID", "input.username"),
	write("a full name of 300", "createUser", m{"username": "x", "fullName": long300}, "INVALID", "input.fullName"),
	write("an address of 400", "createUser", m{"username": "x", "email": strings.Repeat("x", 400)}, "INVALID", "input.email"),
	write("an external id of 300", "createGroup", m{"name": "x", "externalId": long300}, "INVALID", "input.externalId"),
	write("restored as 300 characters", "restoreGroup", m{"group": eng, "name": long300}, "INVALID", "input.name"),
	write("restored under a handle of 65", "restoreGroup", m{"group": eng, "handle": strings.Repeat("x", 65)}, "INVALID", "input.handle"),
	write("restored under an external id of 300", "restoreGroup", m{"group": eng, "externalId": long300}, "INVALID", "input.externalId"),
	write("a handle of 65", "createGroup", m{"name": "x", "handle": strings.Repeat("x", 65)}, "INVALID", "input.handle"),
	write("a description of 4,097", "createGroup", m{"name": "x", "description": long4097}, "INVALID", "input.description"),
	write("a key of 129", "createGroup", m{"name": "x", "tags": []m{{"key": strings.Repeat("x", 129), "value": ""}}}, "INVALID", "input.tags[0].key"),
	write("a value of 129", "createGroup", m{"name": "x", "tags": []m{{"key": "k", "value": strings.Repeat("x", 129)}}}, "INVALID", "input.tags[0].value"),
	write("an action of 300", "putAction", m{"name": long300, "group": eng}, "INVALID", "input.name"),
	write("a worker model of 300", "putWorkerModel", m{"name": long300, "group": eng, "type": "HOST"}, "INVALID", "input.name"),
	write("a requirement of 300", "putAction", m{"name": "x", "group": eng, "requirements": []m{{"name": long300, "type": "t", "value": ""}}}, "INVALID", "input.requirements[0].name"),
	write("settings of 65 KiB", "putWorkerModel", m{"name": "x", "group": eng, "type": "DOCKER", "docker": m{"a": strings.Repeat("x", 65<<10)}}, "LIMIT_EXCEEDED", "input.docker"),
	ask("a filter of 4,097", "String", `{ groups(filter: {name: {eq: $v}}) { totalCount } }`, long4097, "INVALID", "filter.name.eq"),
}

// deep nests filters by a key, n of them.
func deep(key string, n int) m {
	if n == 1 {
		return m{"search": "x"}
	}
	if key == "not" {
		return m{key: deep(key, n-1)}
	}
	return m{key: []m{deep(key, n-1)}}
}

const listGroups = `{ groups(filter: $v) { totalCount } }`

var badFilters = []bad{
	ask("and too deep", "GroupFilter", listGroups, deep("and", 6), "LIMIT_EXCEEDED", "filter"+strings.Repeat(".and[0]", 5)),
	ask("or too deep", "UserFilter", `{ users(filter: $v) { totalCount } }`, deep("or", 6), "LIMIT_EXCEEDED", "filter"+strings.Repeat(".or[0]", 5)),
	ask("not too deep", "GroupFilter", listGroups, deep("not", 6), "LIMIT_EXCEEDED", "filter"+strings.Repeat(".not", 5)),
	ask("a thousand deep", "GroupFilter", listGroups, deep("not", 1000), "LIMIT_EXCEEDED", "filter"+strings.Repeat(".not", 5)),
	ask("deep below a group", "GroupFilter", `{ viewer { groups(filter: $v) { totalCount } } }`, deep("not", 6), "LIMIT_EXCEEDED", "filter"+strings.Repeat(".not", 5)),
	ask("1,001 values", "GroupFilter", listGroups, m{"name": m{"in": repeat("x", 1001)}}, "LIMIT_EXCEEDED", "filter.name.in"),
	ask("1,001 others", "GroupFilter", listGroups, m{"not": m{"externalId": m{"notIn": repeat("x", 1001)}}}, "LIMIT_EXCEEDED", "filter.not.externalId.notIn"),
	ask("1,001 ids", "GroupFilter", listGroups, m{"id": m{"in": repeat(someGroup, 1001)}}, "LIMIT_EXCEEDED", "filter.id.in"),
	ask("1,001 types", "GroupFilter", listGroups, m{"type": m{"in": repeat("MANAGED", 1001)}}, "LIMIT_EXCEEDED", "filter.type"),
	ask("1,001 kinds", "[ChangeKind!]", `{ changes(filter: {kinds: $v}) { totalCount } }`, repeat("GROUP_CREATED", 1001), "LIMIT_EXCEEDED", "filter.kinds"),
	ask("1,001 doors", "[Door!]", `{ changes(filter: {via: $v}) { totalCount } }`, repeat("CDS", 1001), "LIMIT_EXCEEDED", "filter.via"),
	ask("1,001 filters", "GroupFilter", listGroups, m{"or": repeat(m{"search": "x"}, 1001)}, "LIMIT_EXCEEDED", "filter"),
	ask("1,001 filters in all", "GroupFilter", listGroups, m{"or": repeat(m{"and": repeat(m{"public": true}, 50)}, 50)}, "LIMIT_EXCEEDED", "filter.or[19]"),
}

var badValues = []bad{
	read("no DateTime", `{ groups(filter: {createdAt: {gt: "yesterday"}}) { totalCount } }`, "INVALID", "filter.createdAt.gt"),
	read("a date alone", `{ users(filter: {or: [{createdAt: {lte: "2026-01-01"}}]}) { totalCount } }`, "INVALID", "filter.or[0].createdAt.lte"),
	read("a DateTime before the year 1", `{ groups(filter: {createdAt: {gt: "0000-01-01T00:00:00Z"}}) { totalCount } }`, "INVALID", "filter.createdAt.gt"),
	read("a DateTime before the year 1 by its offset", `{ groups(filter: {createdAt: {gt: "0001-01-01T00:00:00+01:00"}}) { totalCount } }`, "INVALID", "filter.createdAt.gt"),
	read("a DateTime after the year 9999", `{ groups(filter: {createdAt: {gt: "9999-12-31T23:59:59-01:00"}}) { totalCount } }`, "INVALID", "filter.createdAt.gt"),
	read("a nested DateTime", `{ groups { nodes { members(filter: {addedAt: {lt: "x"}}) { totalCount } } } }`, "INVALID", "filter.addedAt.lt"),
	write("an expiry in the past", "addMembers", m{"group": eng, "users": []m{{"number": 1}}, "expiresAt": "2020-01-01T00:00:00Z"}, "INVALID", "input.expiresAt"),
	write("no expiry", "addMembers", m{"group": eng, "users": []m{{"number": 1}}, "expiresAt": "soon"}, "INVALID", "input.expiresAt"),
	write("no UUID in a list", "createGroup", m{"name": "x", "members": []m{{"number": 1}, {"uuid": "zz"}}}, "INVALID", "input.members[1].uuid"),
	write("a negative limit", "setMembers", m{"group": eng, "members": []m{}, "atMost": -1}, "INVALID", "input.atMost"),
	write("more than the limit", "setMembers", m{"group": eng, "members": []m{}, "atMost": 1}, "LIMIT_EXCEEDED", "input.atMost"),
	write("another version", "deleteGroup", m{"group": eng, "expectedVersion": 2147483647}, "CONFLICT", "input.expectedVersion"),
	write("an endless overlap", "rotateToken", m{"token": "tok_01h455vb4pex5vsknk084sn02q", "overlapSeconds": 9223372036854775}, "INVALID", "input.overlapSeconds"),
	write("an overlap of a week and a second", "rotateToken", m{"token": "tok_01h455vb4pex5vsknk084sn02q", "overlapSeconds": 604801}, "INVALID", "input.overlapSeconds"),
	write("a token's end in the past", "createToken", m{"expiresAt": "2020-01-01T00:00:00Z"}, "INVALID", "input.expiresAt"),
	write("two owners", "createToken", m{"group": eng, "user": m{"number": 1}}, "INVALID", "input.user"),
	write("an unknown enum value", "createUser", m{"username": "x", "roles": []string{"GOD"}}, "GRAPHQL_VALIDATION_FAILED", ""),
	write("an unknown field", "createUser", m{"username": "x", "password": "x"}, "GRAPHQL_VALIDATION_FAILED", ""),
	write("a missing field", "createUser", m{"email": "x"}, "GRAPHQL_VALIDATION_FAILED", ""),
	read("no document", `{ groups {`, "GRAPHQL_PARSE_FAILED", ""),
	read("an unknown query", `{ passwords }`, "GRAPHQL_VALIDATION_FAILED", ""),
	read("no integer", `{ groups(first: "1") { totalCount } }`, "GRAPHQL_VALIDATION_FAILED", ""),
}
