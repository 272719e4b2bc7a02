package graph

import (
	"bytes"
	"testing"
)

// TestAloneEqualsExecutor holds queries of one root field, which go past the executor, to what it would answer: where they fail, at
// nulls, and where something beside the field or below it keeps them from it.
func TestAloneEqualsExecutor(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, query := range []string{
		`{ viewer { roles } }`,
		`{ me: viewer { __typename user { id groups { totalCount } } } }`,
		`{ group(by: {name: "none"}) { id } }`,
		`{ group(by: {}) { id } }`,
		`{ group(by: {name: "a", handle: "b"}) { id } }`,
		`{ g: group(by: {id: "usr_01h455vb4pex5vsknk084sn02q"}) { id } }`,
		`{ node(id: "bad") { id } }`,
		`{ nodes(ids: ["bad"]) { id } }`,
		`{ groups(first: 1000) { totalCount } }`,
		`{ all: groups(first: 1, last: 1) { totalCount } }`,
		`{ groups(after: "bad") { nodes { id } } }`,
		`{ groups(first: 0) { nodes { id } pageInfo { endCursor } } }`,
		`{ checkMemberships(pairs: []) { isMember } }`,
		`{ explainAccess(operation: MEMBERS_EDIT, group: {name: "none"}) { allowed } }`,
		`{ explainAccess(operation: GROUP_CREATE) { allowed rule because } }`,
		`{ webhook(id: "wbh_01h455vb4pex5vsknk084sn02q") { id } }`,
		`{ changes(after: "bad") { totalCount } }`,
		`{ __typename }`,
		`{ __schema { queryType { name } } }`,
		`query Q { ...F } fragment F on Query { viewer { roles } }`,
		`query Q($no: Boolean = false) { viewer @include(if: $no) { roles } }`,
		`query Q($no: Boolean = false) { viewer { roles @skip(if: $no) permissions @include(if: $no) } }`,
		`{ viewer { ... @include(if: true) { roles } } }`,
		`{ groups(first: 2) { ... @defer { totalCount } nodes { id } } }`,
		`query A { viewer { roles } } query B { viewer { roles } }`,
		`{ viewer }`,
		`mutation { deleteGroup(input: {group: {name: "none"}}) { deletedId } }`,
	} {
		for range 2 { // made, and kept
			if fast, slow := p.ask(t, p.fast, query), p.ask(t, p.slow, query); !bytes.Equal(fast, slow) {
				t.Errorf("%s\nalone:    %s\nexecutor: %s", query, fast, slow)
			}
		}
	}
}

// TestRootsAreAll: a new field of Query has its place among those that can be alone.
func TestRootsAreAll(t *testing.T) {
	t.Parallel()
	for _, f := range parsedSchema.Query.Fields {
		if roots[f.Name] == nil && f.Name != "__schema" && f.Name != "__type" {
			t.Errorf("%s is not among the roots", f.Name)
		}
	}
}
