package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
)

// script is what one connection sends in a row before it goes on to the next script, or stops.
type script struct {
	requests [][]byte
	writes   int // how many of them write
}

// reads are scripts of one request each.
func reads(requests [][]byte) []script {
	ss := make([]script, len(requests))
	for i, r := range requests {
		ss[i].requests = [][]byte{r}
	}
	return ss
}

// client makes requests ready to be sent.
type client struct{ token string } // "": nobody asks

func (c client) get(path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
}

func (c client) post(path string, body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // bodies are maps, lists and strings
	}
	auth := ""
	if c.token != "" {
		auth = "Authorization: Bearer " + c.token + "\r\n"
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, auth, len(text), text)
}

type object = map[string]any

func (c client) graphql(query string, variables object) []byte {
	return c.post("/graphql", object{"query": query, "variables": variables})
}

// The documents. A workload has one, and what varies is a variable.
const (
	oneGroup = `query Group($id: ID!) {
  group(by: {id: $id}) {
    id number handle name description type externalId accessType useDefaultStorage public tags { key value }
    version createdAt updatedAt memberCount adminCount
  }
}`
	pageFields = `edges { cursor node { id name description memberCount createdAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`
	pageOf = `query Page($after: String, $filter: GroupFilter) {
  groups(first: 50, after: $after, filter: $filter) {
    ` + pageFields + `
  }
}`
	pageAndTotal = `query PageAndTotal {
  groups(first: 50) {
    totalCount
    ` + pageFields + `
  }
}`
	withPeople = `query Teams($filter: GroupFilter) {
  groups(first: 50, filter: $filter) {
    nodes {
      id name memberCount
      members(first: 10) { nodes { id addedAt user { username } } }
      admins(first: 3) { nodes { user { username } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`
	ofUser = `query GroupsOfUser($id: ID!) {
  user(by: {id: $id}) {
    username
    groups(first: 50) { nodes { id name memberCount } pageInfo { hasNextPage endCursor } }
  }
}`
	addMembers = `mutation Add($input: AddMembersInput!) {
  addMembers(input: $input) { group { memberCount version } outcomes { username result } }
}`
	removeMembers = `mutation Remove($input: RemoveMembersInput!) {
  removeMembers(input: $input) { group { memberCount version } outcomes { username result } }
}`
	addMany = `mutation AddMany($input: AddMembersInput!) { addMembers(input: $input) { group { memberCount version } } }`
	// walkBack goes through the list from its end, to find what lies at nine tenths of it.
	walkBack = `query Back($before: String) { groups(last: 200, before: $before) { edges { cursor node { name } } } }`
)

// requests are all that is sent, to both.
type requests struct {
	sample         *sample
	roster, nobody client
}

func named(how, text string) object { return object{"name": object{how: text}} }

func (r requests) oneGroup() (bare, roster [][]byte) {
	for _, id := range r.sample.groups {
		bare = append(bare, r.nobody.get("/groups/"+id.typed("grp")))
		roster = append(roster, r.roster.graphql(oneGroup, object{"id": id.typed("grp")}))
	}
	return bare, roster
}

func (r requests) byPrefix() (bare, roster [][]byte) {
	for _, p := range r.sample.prefixes {
		bare = append(bare, r.nobody.get("/groups?first=50&prefix="+url.QueryEscape(p)))
		roster = append(roster, r.roster.graphql(pageOf, object{"filter": named("startsWith", p)}))
	}
	return bare, roster
}

func (r requests) byPart() (bare, roster [][]byte) {
	for _, p := range r.sample.parts {
		bare = append(bare, r.nobody.get("/groups?first=50&contains="+url.QueryEscape(p)))
		roster = append(roster, r.roster.graphql(pageOf, object{"filter": named("contains", p)}))
	}
	return bare, roster
}

func (r requests) firstPage() (bare, roster [][]byte) {
	return [][]byte{r.nobody.get("/groups?first=50")}, [][]byte{r.roster.graphql(pageOf, object{})}
}

func (r requests) deepPage() (bare, roster [][]byte) {
	for _, p := range r.sample.deep {
		bare = append(bare, r.nobody.get("/groups?first=50&after="+base64.RawURLEncoding.EncodeToString([]byte(p.name))))
		roster = append(roster, r.roster.graphql(pageOf, object{"after": p.cursor}))
	}
	return bare, roster
}

func (r requests) withPeople() (bare, roster [][]byte) {
	for _, p := range r.sample.prefixes {
		bare = append(bare, r.nobody.get("/teams?first=50&prefix="+url.QueryEscape(p)))
		roster = append(roster, r.roster.graphql(withPeople, object{"filter": named("startsWith", p)}))
	}
	return bare, roster
}

func (r requests) ofUser() (bare, roster [][]byte) {
	for _, id := range r.sample.users {
		bare = append(bare, r.nobody.get("/users/"+id.typed("usr")+"/groups?first=50"))
		roster = append(roster, r.roster.graphql(ofUser, object{"id": id.typed("usr")}))
	}
	return bare, roster
}

func (r requests) pageAndTotal() [][]byte { return [][]byte{r.roster.graphql(pageAndTotal, object{})} }

// changes are, for each pair, the request that adds the user and the one that removes the user again.
func (r requests) changes() (bare, roster [][2][]byte) {
	for _, p := range r.sample.pairs {
		group, user := p.group.typed("grp"), p.user.typed("usr")
		users := object{"users": []string{user}}
		input := object{"input": object{"group": object{"id": group}, "users": []object{{"id": user}}}}
		bare = append(bare, [2][]byte{r.nobody.post("/groups/"+group+"/add", users), r.nobody.post("/groups/"+group+"/remove", users)})
		roster = append(roster, [2][]byte{r.roster.graphql(addMembers, input), r.roster.graphql(removeMembers, input)})
	}
	return bare, roster
}

// writes are scripts that add a member and remove it.
func writes(pairs [][2][]byte) []script {
	ss := make([]script, len(pairs))
	for i := range pairs {
		ss[i] = script{pairs[i][:], 2}
	}
	return ss
}

// mixed are scripts of nine reads, a member added, nine reads, the member removed: a read is two times out of three one group,
// else a page.
func mixed(ones, pages [][]byte, pairs [][2][]byte) []script {
	ss := make([]script, len(pairs))
	n := 0
	for i := range ss {
		s := &ss[i]
		s.writes = 2
		for _, write := range pairs[i] {
			for range 9 {
				if n++; n%3 == 0 {
					s.requests = append(s.requests, pages[n%len(pages)])
				} else {
					s.requests = append(s.requests, ones[n%len(ones)])
				}
			}
			s.requests = append(s.requests, write)
		}
	}
	return ss
}

// many is the request that adds the first n joiners to the one group.
func (r requests) many(n int) []byte {
	users := make([]object, n)
	for i, u := range r.sample.joiners[:n] {
		users[i] = object{"id": u.typed("usr")}
	}
	return r.roster.graphql(addMany, object{"input": object{"group": object{"id": r.sample.bulk.group.typed("grp")}, "users": users}})
}
