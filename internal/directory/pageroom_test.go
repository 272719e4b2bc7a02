package directory_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"roster/internal/directory"
)

// TestReleasedPages: pages whose memory goes from one to the next, of several lists by many at a time, hold what they held when their memory
// was their own; one that was let go holds nothing.
func TestReleasedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users("boss")
	for i := range 60 {
		w.group(fmt.Sprintf("%c%02d", 'a'+rune(i%2), i), "", "boss", true)
	}
	by := w.as("boss")
	read := func(prefix string, first int) (*directory.GroupConnection, string) {
		p := directory.Page{PageArgs: directory.PageArgs{First: &first}, Rows: true, Cursors: true, Filter: &directory.GroupFilter{Name: &directory.StringFilter{StartsWith: &prefix}}}
		people := directory.Link{Key: "admins", Field: "admins", Page: &directory.Page{Rows: true}, Select: directory.Selection{Fields: []string{"id"}}}
		c, err := w.Groups(t.Context(), by, p, directory.Selection{Fields: []string{"id", "name", "createdAt"}, Links: []directory.Link{people}})
		if err != nil {
			t.Error(err)
			return nil, ""
		}
		var b strings.Builder
		for i, e := range c.Edges {
			if e.Node != c.Nodes()[i] {
				t.Error("an edge and a node are two")
			}
			admins, err := directory.Linked[*directory.AdminConnection](e.Node, "admins")
			if err != nil || len(admins.Nodes()) != 1 {
				t.Error(e.Node.Name, err)
			}
			fmt.Fprintln(&b, e.Cursor, e.Node.ID(), e.Node.Name, e.Node.CreatedAt, e.Node.Description)
		}
		return c, b.String()
	}
	want := map[string]string{}
	for _, prefix := range []string{"a", "b"} {
		for first := range 31 {
			c, text := read(prefix, first)
			if got := len(c.Edges); got != first {
				t.Fatalf("%d groups of %d", got, first)
			}
			want[prefix+fmt.Sprint(first)] = text // never let go
		}
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 0))
			for range 40 {
				prefix, first := string('a'+rune(r.IntN(2))), r.IntN(31)
				c, text := read(prefix, first)
				if c == nil {
					return
				}
				if text != want[prefix+fmt.Sprint(first)] {
					t.Errorf("%s, %d: got\n%swant\n%s", prefix, first, text, want[prefix+fmt.Sprint(first)])
				}
				if r.IntN(4) == 0 {
					continue // it keeps its memory
				}
				if c.Release(); first >= 8 && len(c.Nodes())+len(c.Edges) > 0 {
					t.Error("a page that was let go has groups")
				}
			}
		})
	}
	all.Wait()
	(*directory.GroupConnection)(nil).Release()
}
