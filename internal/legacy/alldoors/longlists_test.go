package alldoors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"roster/db"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/rostertest"
)

const (
	manyGroups = 12_000
	pageRows   = 1_000    // of a walk; what has been read and not written is no more
	pieceBytes = 34 << 10 // a piece with the element that filled it
	bulkName   = "bulk-"  // of every group, and nowhere else in it
)

// wholeLists are what each door answers without pages.
var wholeLists = map[directory.Door]string{
	directory.DoorCDS:              "/group",
	directory.DoorEntrust:          "/api/web/v1/groups",
	directory.DoorD4Science:        "/groups",
	directory.DoorEnterpriseTester: "/api/groups",
}

// crowd is a directory with many groups, whose first administrator is in all of them, behind every door.
type crowd struct {
	*world
	handler http.Handler

	mu    sync.Mutex
	pages int // of groups that were asked for
	until int
	do    func() // when that many were
}

func newCrowd(t *testing.T, groups int) *crowd {
	t.Helper()
	c := &crowd{}
	c.world = newWorldWith(t, nil, db.Options{OnStatement: c.hear})
	for _, statement := range []string{
		`INSERT INTO groups (id, handle, name, public) SELECT gen_random_uuid(), 'b-' || n, 'bulk-' || n, n % 2 = 0 FROM generate_series(1, $1::int) n`,
		`INSERT INTO members (group_id, user_id, id, username_key, via)
			SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'GRAPHQL' FROM groups g, users u WHERE $1::int > 0`,
		`ANALYZE groups, members`,
	} {
		args := []any{groups}
		if strings.HasPrefix(statement, "ANALYZE") {
			args = nil
		}
		if _, err := c.beside.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	c.handler = auth.RequestIDs(legacy.Serve(c.doors, http.NotFoundHandler()))
	return c
}

func (c *crowd) hear(_ context.Context, text string) {
	if !strings.Contains(text, "FROM groups g") || !strings.Contains(text, "LIMIT") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages++; c.pages == c.until {
		c.do()
	}
}

// at has something done before the n-th page is read.
func (c *crowd) at(n int, do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.do = n, do
}

func (c *crowd) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages
}

func listOf(t *testing.T, door directory.Door) *http.Request {
	t.Helper()
	from := authorised(door, rostertest.AdminSecret, request{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wholeLists[door], nil)
	for name, value := range from.header {
		r.Header.Set(name, value)
	}
	return r
}

// sink takes an answer, piece by piece.
type sink struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	flushed int
	wrote   func(b []byte) error
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Flush()                 { s.flushed++ }
func (s *sink) Write(b []byte) (int, error) {
	s.body.Write(b)
	return len(b), s.wrote(b)
}

// TestLongLists holds whole lists to constant memory: what was read of the database and has not gone out is one page at most, at
// every piece, and pieces are small.
func TestLongLists(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, manyGroups)
	for door := range wholeLists {
		before, written := c.asked(), 0
		s := &sink{header: http.Header{}}
		s.wrote = func(b []byte) error {
			written += bytes.Count(b, []byte(bulkName))
			if read := (c.asked() - before) * pageRows; read-written > pageRows {
				t.Errorf("%s: %d groups were read when %d had gone out", door, read, written)
			}
			if len(b) > pieceBytes {
				t.Errorf("%s: a piece of %d bytes", door, len(b))
			}
			return nil
		}
		c.handler.ServeHTTP(s, listOf(t, door))
		var list any
		if err := json.Unmarshal(s.body.Bytes(), &list); err != nil || s.status != http.StatusOK {
			t.Errorf("%s: %d, %v", door, s.status, err)
		}
		if pages := c.asked() - before; written != manyGroups || pages > manyGroups/pageRows+1 || s.flushed == 0 {
			t.Errorf("%s: %d groups in %d pages, %d flushes", door, written, pages, s.flushed)
		}
		if length := s.header.Get("Content-Length"); length != "" {
			t.Errorf("%s: a list that is not read yet has the length %s", door, length)
		}
	}
}

// TestListBreaksOff has the database fail in the middle of a list. The client must not take what it has for the whole.
func TestListBreaksOff(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 5*pageRows)
	srv := httptest.NewServer(c.handler)
	t.Cleanup(srv.Close)
	rename := func(from, to string) {
		if _, err := c.beside.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Error(err)
		}
	}
	for door, path := range wholeLists {
		first, logged := c.asked(), len(c.log.String())
		c.at(first+4, func() { rename("groups", "lost") })
		r := listOf(t, door)
		r.RequestURI = ""
		var err error
		if r.URL, err = r.URL.Parse(srv.URL + path); err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || len(body) == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d, %d bytes, then %v", door, res.StatusCode, len(body), err)
		}
		if log := c.log.String()[logged:]; !strings.Contains(log, "request failed") || strings.Count(log, "\n") != 1 {
			t.Errorf("%s: the log says %q", door, log)
		}
		rename("lost", "groups")
	}
}

// TestClientHangsUp has the client go after the first piece: nothing more is read, and nobody is blamed.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 5*pageRows)
	for door := range wholeLists {
		first := c.asked()
		r := listOf(t, door)
		ctx, hangUp := context.WithCancel(r.Context())
		s := &sink{header: http.Header{}, wrote: func([]byte) error {
			hangUp()
			return nil
		}}
		if broken := serveBroken(c.handler, s, r.WithContext(ctx)); !broken {
			t.Errorf("%s: the answer ended in order", door)
		}
		if pages := c.asked() - first; pages > 4 { // names alone are so short that three pages are a piece
			t.Errorf("%s: %d pages were read for nobody", door, pages)
		}
	}
	if log := c.log.String(); log != "" {
		t.Errorf("the log says %s", log)
	}
}

// serveBroken serves a request and reports whether the answer was broken off, as net/http has it.
func serveBroken(h http.Handler, w http.ResponseWriter, r *http.Request) (broken bool) {
	defer func() {
		if v := recover(); v != nil {
			broken = v == http.ErrAbortHandler //nolint:errorlint // a panic's value is bare
		}
	}()
	h.ServeHTTP(w, r)
	return false
}
