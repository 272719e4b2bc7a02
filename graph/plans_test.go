package graph_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"roster/db"
)

// TestPlansFollowVariables has what is selected of a root field hang on a variable beside it, where a fragment or another field of the
// same name is left out or not. What one request was planned for is not what the next one asks.
func TestPlansFollowVariables(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	for _, query := range []string{
		`query($more: Boolean!) { groups(first: 1) { nodes { handle } } groups(first: 1) @include(if: $more) { nodes { name } } }`,
		`query($more: Boolean!) { groups(first: 1) { nodes { handle } } ...More @include(if: $more) } fragment More on Query { groups(first: 1) { nodes { name } } }`,
		`query($more: Boolean!) { groups(first: 1) { nodes { handle } } ... { ... @include(if: $more) { groups(first: 1) { nodes { name } } } } }`,
	} {
		for _, more := range []bool{false, true, false, true} {
			node := dig(t, a.ask(t, a.token, query, m{"more": more}), "groups", "nodes", 0).(m)
			if _, told := node["name"]; told != more || node["handle"] == nil {
				t.Errorf("%s\nmore %v: %v", query, more, node)
			}
		}
	}
}

// TestCrowdedDocuments are refused before they are validated, and otherwise like those that are crowded only once fragments are spread.
func TestCrowdedDocuments(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	for _, query := range []string{
		`{ groups { nodes { ` + strings.Repeat("id ", 1_000) + `} } }`,
		`{ ` + strings.Repeat("no_such_field ", 1_001) + `}`, // validation would say that there is none
		`{ __typename } query Other { ` + strings.Repeat("__typename ", 1_000) + `}`,
	} {
		for _, token := range []string{"", a.token} {
			if got := a.try(t, token, query, nil); len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "LIMIT_EXCEEDED" {
				t.Errorf("%.60s: %+v", query, got.Errors)
			}
		}
	}
}

// TestDoubledFragments: fragments that spread each other twice, which are few as they are written and more than can be counted once they are
// spread, are refused, and nobody walks them before.
func TestDoubledFragments(t *testing.T) {
	t.Parallel()
	a := organised(t, db.Options{})
	const levels = 200
	query := "{ viewer { ...F0 } } "
	for i := range levels {
		query += fmt.Sprintf("fragment F%d on Viewer { ...F%d ...F%[2]d } ", i, i+1)
	}
	query += fmt.Sprintf("fragment F%d on Viewer { roles }", levels)
	answered := make(chan bool, 1)
	go func() {
		_, body := a.post(t, a.token, query, nil)
		answered <- bytes.Contains(body, []byte("LIMIT_EXCEEDED"))
	}()
	select {
	case refused := <-answered:
		if !refused {
			t.Error("it is not refused")
		}
	case <-time.After(patience):
		t.Fatal("it is not answered")
	}
}

// TestDocumentsAreKeptWithinBounds sends documents that are as large as can be, without a credential and with one.
func TestDocumentsAreKeptWithinBounds(t *testing.T) {
	a := organised(t, db.Options{})
	send := func(token string, n int) (grown int64) {
		before := heap()
		for i := range n {
			_, body := a.post(t, token, fmt.Sprintf(`{ groups(filter: {name: {in: [%s]}}) { totalCount } } # %s %d`, strings.Repeat(`"" `, 3_900), token, i), nil)
			if !bytes.Contains(body, []byte("LIMIT_EXCEEDED")) && token != "" {
				t.Fatalf("%s", body)
			}
		}
		return heap() - before
	}
	if grown := send("", 100); grown > 20<<20 {
		t.Errorf("nobody filled %d bytes", grown)
	}
	if grown := send(a.token, 200); grown > 100<<20 {
		t.Errorf("200 documents are kept in %d bytes", grown)
	}
}

// heap is how much memory lives.
func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools had goes with the second
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
