package directory

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"sync"

	"roster/db"
)

// Page sizes. More than MaxPage is an error, not a silent cut.
const (
	DefaultPage = 25
	MaxPage     = 200
)

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// Connection is one page of a list, as in the Relay specification of cursor connections.
type Connection[T any] struct {
	Edges      []*Edge[T]
	PageInfo   *PageInfo
	TotalCount int // of the whole list; counted only if it was selected

	LatestCursor string // of a page of the change log: where the log is complete

	nodes []*T
	room  *room[T] // nil: its memory is nobody else's
}

// newConnections makes n empty pages, one beside the other.
func newConnections[T any](n int) []*Connection[T] {
	type page struct {
		Connection[T]
		info PageInfo
	}
	pages, conns := make([]page, n), make([]*Connection[T], n)
	for i := range pages {
		c := &pages[i].Connection
		c.Edges, c.nodes, c.PageInfo = []*Edge[T]{}, []*T{}, &pages[i].info
		conns[i] = c
	}
	return conns
}

// room is the memory of a page, which a later one uses again. Its nodes point to the objects, its edges to the nodes, whatever those are.
type room[T any] struct {
	objects []T
	nodes   []*T
	edges   []*Edge[T]
	home    *sync.Pool
}

// leastKept and mostKept are how many objects on, and up to how many, memory is worth keeping.
const (
	leastKept = 8
	mostKept  = MaxPage + 1
)

// roomFor has place for n objects; nil if that is not worth keeping.
func roomFor[T any](home *sync.Pool, n int) *room[T] {
	if n < leastKept || n > mostKept {
		return nil
	}
	if r, ok := home.Get().(*room[T]); ok && len(r.objects) >= n {
		return r
	}
	r := &room[T]{objects: make([]T, n), nodes: make([]*T, n), home: home}
	for i := range r.objects {
		r.nodes[i] = &r.objects[i]
	}
	r.edges = edgesOf(r.nodes)
	return r
}

// Release gives the memory of the page to a later one. It is for who has done with the page and all that was in it. No page has none.
func (c *Connection[T]) Release() {
	if c == nil || c.room == nil {
		return
	}
	r := c.room
	n := len(c.nodes)
	clear(r.objects[:n]) // of what they refer to
	for _, e := range r.edges[:n] {
		e.Cursor = ""
	}
	c.room, c.nodes, c.Edges = nil, nil, nil
	r.home.Put(r)
}

// edgesOf makes the edges of nodes, one beside the other.
func edgesOf[T any](nodes []*T) []*Edge[T] {
	made, edges := make([]Edge[T], len(nodes)), make([]*Edge[T], len(nodes))
	for i, n := range nodes {
		made[i].Node = n
		edges[i] = &made[i]
	}
	return edges
}

// Nodes are the objects of the page without their cursors.
func (c *Connection[T]) Nodes() []*T { return c.nodes }

// Edge is an object with the cursor of its place in the list.
type Edge[T any] struct {
	Cursor string // only if it was asked for: Page.Cursors
	Node   *T
}

// The connections of the API.
type (
	GroupConnection       = Connection[Group]
	GroupEdge             = Edge[Group]
	UserConnection        = Connection[User]
	UserEdge              = Edge[User]
	MemberConnection      = Connection[Member]
	MemberEdge            = Edge[Member]
	AdminConnection       = Connection[Admin]
	AdminEdge             = Edge[Admin]
	TokenConnection       = Connection[Token]
	TokenEdge             = Edge[Token]
	ActionConnection      = Connection[Action]
	ActionEdge            = Edge[Action]
	WorkerModelConnection = Connection[WorkerModel]
	WorkerModelEdge       = Edge[WorkerModel]
	ChangeConnection      = Connection[Change]
	ChangeEdge            = Edge[Change]
)

// PageArgs are the four arguments of a connection.
type PageArgs struct {
	First, Last   *int
	After, Before *string
}

// window is what PageArgs come down to.
type window struct {
	limit         int
	all, backward bool
	cursors       bool // of every object, beside those of the page's ends
	noEnds        bool // and not of those either
	after, before *string
}

func (p PageArgs) window() (window, error) {
	w := window{limit: DefaultPage, after: p.After, before: p.Before}
	size, field := p.First, "first"
	if p.Last != nil {
		if p.First != nil {
			return w, invalid("last", "Give first or last, not both.")
		}
		size, field, w.backward = p.Last, "last", true
	}
	if size != nil {
		w.limit = *size
	}
	switch {
	case w.limit < 0:
		return w, invalid(field, "A page has 0 to %d items.", MaxPage)
	case w.limit > MaxPage:
		return w, exceeded(field, "A page has at most %d items.", MaxPage).by("page")
	}
	return w, nil
}

// forged blames a value that Postgres cannot read on the cursor, where there is one: the only text that reaches a list unchecked.
func (w window) forged(err error) error {
	var de *db.Error
	switch {
	case !errors.As(err, &de) || de.Kind != db.Check:
		return err
	case w.after != nil:
		return invalid("after", noCursor)
	case w.before != nil:
		return invalid("before", noCursor)
	}
	return err
}

const noCursor = "This is not a cursor of this list."

// resume gives an empty page of the change log the cursor to go on from: the one it was asked with, or else where the log was
// complete before the page was read; for a page of none, its beginning.
func (i *PageInfo) resume(w window, l list, print uint64) {
	if l.log == nil || i.EndCursor != nil {
		return
	}
	if i.EndCursor = w.after; w.after == nil {
		at := db.Place{Tx: l.log.Settled}
		if w.limit == 0 && !w.all {
			at = l.log.Horizon
		}
		end := l.log.cursor(at, print)
		i.EndCursor = &end
	}
}

// places spells the cursors of a page's rows.
type places[R any] struct {
	keys  []db.AppendKey[R]
	print uint64
	tag   []string // of the change log

	raw, value, spelled []byte
	ends                []int // in spelled, of the cursors there
}

// put gives the page the cursors of its ends, and returns them: those alone, or those of every row. They share their memory.
func (p *places[R]) put(i *PageInfo, rows []R, every bool) []string {
	if len(rows) == 0 {
		return nil
	}
	p.spelled, p.ends = p.spelled[:0], p.ends[:0]
	for j := range rows {
		if every || j == 0 || j == len(rows)-1 {
			p.add(&rows[j])
		}
		if j == 0 && every {
			p.spelled = slices.Grow(p.spelled, (len(p.spelled)+placeSlack)*(len(rows)-1))
			p.ends = slices.Grow(p.ends, len(rows)-1)
		}
	}
	all, from, cs := string(p.spelled), 0, make([]string, len(p.ends))
	for j, to := range p.ends {
		cs[j], from = all[from:to], to
	}
	i.StartCursor, i.EndCursor = &cs[0], &cs[len(cs)-1]
	return cs
}

// placeSlack is how much longer than the first cursor of a page the others are thought to be.
const placeSlack = 8

// add spells the cursor of one row.
func (p *places[R]) add(row *R) {
	b := binary.BigEndian.AppendUint64(append(p.raw[:0], cursorVersion), p.print)
	for _, k := range p.keys {
		p.value = k(p.value[:0], row)
		b = append(binary.AppendUvarint(b, uint64(len(p.value))), p.value...)
	}
	p.raw = seal(appendValues(b, p.tag))
	p.spelled = base64.RawURLEncoding.AppendEncode(p.spelled, p.raw)
	p.ends = append(p.ends, len(p.spelled))
}

// cursorVersion is the first byte of a cursor: another one is another format.
const cursorVersion = 1

// encodeCursor spells a place in a list: a version, the fingerprint of list, order and filter, the key values, a checksum.
func encodeCursor(fingerprint uint64, at []string) string {
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, fingerprint)
	return base64.RawURLEncoding.EncodeToString(seal(appendValues(b, at)))
}

func appendValues(b []byte, values []string) []byte {
	for _, v := range values {
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	return b
}

func seal(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }

// decodeCursor reads a cursor of the given list with n values; one that is damaged, or of another list, order or filter, is Invalid.
func decodeCursor(field, text string, fingerprint uint64, n int) ([]string, error) {
	print, at, ok := openCursor(text, n)
	switch {
	case ok && print != fingerprint:
		return nil, invalid(field, "This cursor belongs to a list with another order or filter.")
	case !ok || len(at) != n:
		return nil, invalid(field, noCursor)
	}
	return at, nil
}

// openCursor is what is written in a cursor: the fingerprint of its list, and values, of which n are expected. False if it is damaged.
func openCursor(text string, n int) (fingerprint uint64, at []string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 13 || b[0] != cursorVersion {
		return 0, nil, false
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return 0, nil, false
	}
	at = make([]string, 0, n)
	for rest := body[9:]; len(rest) > 0; {
		size, w := binary.Uvarint(rest)
		if w <= 0 || size > uint64(len(rest)-w) { //nolint:gosec // w is never more than what there is
			return 0, nil, false
		}
		end := w + int(size) //nolint:gosec // it is within rest
		at = append(at, string(rest[w:end]))
		rest = rest[end:]
	}
	return binary.BigEndian.Uint64(body[1:9]), at, true
}

// fingerprint binds cursors to a list: its name, its order, and its filter, which does not include what the caller may see.
func fingerprint(list string, order []db.Order, filter db.Cond) uint64 {
	for _, o := range order {
		list += "," + o.Key
		if o.Desc {
			list += "-"
		}
	}
	return filter.Fingerprint(list)
}

// AnyPage is a page of a list of whatever type.
type AnyPage interface {
	Len() int
	NodeAt(i int) any
	CursorAt(i int) string
	Info() *PageInfo
	Total() int
	Latest() string
}

// Len is how many objects the page has.
func (c *Connection[T]) Len() int { return len(c.Edges) }

// NodeAt is the i-th object of the page, a pointer.
func (c *Connection[T]) NodeAt(i int) any { return c.Edges[i].Node }

// CursorAt is the cursor of the i-th object.
func (c *Connection[T]) CursorAt(i int) string { return c.Edges[i].Cursor }

// Info says where the page lies.
func (c *Connection[T]) Info() *PageInfo { return c.PageInfo }

// Latest is LatestCursor.
func (c *Connection[T]) Latest() string { return c.LatestCursor }

// Total is TotalCount.
func (c *Connection[T]) Total() int { return c.TotalCount }
