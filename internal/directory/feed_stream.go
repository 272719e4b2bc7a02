package directory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// streamTime bounds each look of a stream into the log, whatever time the stream itself has.
const streamTime = 10 * time.Second

// StreamArgs say which changes a stream is of.
type StreamArgs struct {
	After  *string // a cursor of Changes or of a stream; nil: from now on
	Filter *ChangeFilter
}

// Stream hands out changes as they come: those that Changes would, in its order, none left out and none twice. Who reads it takes all
// that there is with Next and closes it in the end.
type Stream struct {
	feed  *feed
	args  StreamArgs
	sel   Selection
	sieve sieve
	print uint64
	log   *changeLog    // as it was at the beginning
	ready chan struct{} // there may be something to take

	cursor   string // of the last change that Next gave, or of the beginning; Next's alone
	past     bool   // what is in the log has been read: the rest is in the queue; Next's alone
	attached bool   // the reader puts changes in the queue; the feed's

	mu      sync.Mutex
	last    db.Place // the cursor as a place
	by      Caller
	all     bool // the caller sees every change
	decided map[standing]bool
	queue   []*Change
	ended   *Error
}

// Subscribe opens a stream of the changes that the caller sees, what is in the log already after the cursor among them. It ends with
// UNAUTHENTICATED when the caller's token does, and with LIMIT_EXCEEDED when it is taken from so slowly that too much is left; the
// error's Cursor says where to go on from. Codes: RESYNC_REQUIRED.
func (s *Service) Subscribe(ctx context.Context, by Caller, args StreamArgs, sel Selection) (*Stream, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	by, err := s.StillValid(ctx, by) // a connection may be older than what has become of its token
	if err != nil {
		return nil, err
	}
	st := &Stream{feed: s.feed, args: args, sel: sel, ready: make(chan struct{}, 1)}
	st.become(by)
	if err := st.begin(ctx, s); err != nil {
		return nil, err
	}
	return st, s.feed.join(ctx, st)
}

// begin checks the arguments and finds the place to begin at.
func (st *Stream) begin(ctx context.Context, s *Service) error {
	l, err := rootChanges(ctx, s.newReader(s.store, st.by), Page{Filter: filterOf(st.args.Filter)})
	if err != nil {
		return err
	}
	if st.sieve, err = newSieve(st.args.Filter); err != nil {
		return err
	}
	st.log, st.print = l.log, fingerprint(l.name, l.order, l.filter)
	if st.args.After == nil {
		st.last = db.Place{Tx: l.log.Settled}
		st.cursor = l.log.cursor(st.last, st.print)
		return nil
	}
	st.cursor = *st.args.After
	at, err := decodeCursor("after", st.cursor, st.print, len(l.order)+1+len(l.log.tag()))
	if err != nil {
		return err
	}
	if at, err = l.log.enter(at, st.print); err != nil {
		return err
	}
	st.last, _ = db.PlaceOf(at)
	return nil
}

// filterOf keeps a nil filter from becoming an interface that is not nil.
func filterOf(f *ChangeFilter) any {
	if f == nil {
		return nil
	}
	return f
}

// Close ends the stream for the one who reads it.
func (st *Stream) Close() { st.feed.leave(st) }

// Cursor is the cursor of the last change that Next gave, at the beginning that of the place where the stream begins.
func (st *Stream) Cursor() string { return st.cursor }

// Next waits for changes and gives some, in order. After an error there are none; an *Error has the cursor to go on from.
func (st *Stream) Next(ctx context.Context) ([]*ChangeEdge, error) {
	for {
		if err := st.over(ctx); err != nil {
			return nil, err
		}
		if !st.past {
			edges, err := st.history(ctx)
			if err != nil || len(edges) > 0 {
				return edges, st.failed(ctx, err)
			}
			continue
		}
		if cs := st.take(); len(cs) > 0 {
			edges, err := st.edges(ctx, cs)
			if err != nil || len(edges) > 0 {
				return edges, st.failed(ctx, err)
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-st.ready:
		}
	}
}

// over is why the stream has ended, if it has.
func (st *Stream) over(ctx context.Context) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended == nil {
		return ctx.Err()
	}
	e := *st.ended
	if e.Cursor == "" {
		e.Cursor = st.cursor
	}
	return &e
}

// failed gives an error the cursor to go on from.
func (st *Stream) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	e := *AsError(err)
	if e.Cursor == "" {
		e.Cursor = st.cursor
	}
	return &e
}

// history reads a page of what is in the log. At its end the stream is attached, and the log read to its end once more: what was not
// settled in it by then will be in the queue, and what is in both is given once.
func (st *Stream) history(ctx context.Context) ([]*ChangeEdge, error) {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	page := Page{Rows: true, Cursors: true, Filter: filterOf(st.args.Filter), PageArgs: PageArgs{After: &st.cursor}, size: MaxPage}
	c, err := st.feed.s.Changes(ctx, st.caller(), page, st.sel)
	if err != nil {
		return nil, err
	}
	if n := len(c.Edges); n > 0 {
		last := c.Edges[n-1]
		st.reach(last.Cursor, last.Node.place())
	}
	if !c.PageInfo.HasNextPage {
		st.past = st.feed.attach(st)
	}
	return c.Edges, nil
}

// attach has the reader give a stream what comes; true if it does already.
func (f *feed) attach(st *Stream) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := st.attached
	st.attached = true
	return was
}

// take takes some of the queue.
func (st *Stream) take() []*Change {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := min(len(st.queue), MaxPage)
	cs := st.queue[:n:n]
	if st.queue = st.queue[n:]; len(st.queue) == 0 {
		st.queue = nil // an array that was long is not kept
	}
	return cs
}

// reach notes how far Next is. What the queue has up to there is dropped.
func (st *Stream) reach(cursor string, at db.Place) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.cursor, st.last = cursor, at
	for len(st.queue) > 0 && !st.last.Before(st.queue[0].place()) {
		st.queue = st.queue[1:]
	}
}

// edges are changes of the queue with their cursors, and with what the selection says of them. The changes are all streams' own: those
// that lead somewhere are copied.
func (st *Stream) edges(ctx context.Context, cs []*Change) ([]*ChangeEdge, error) {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	end := cs[len(cs)-1].place()
	cs, err := st.stillVisible(ctx, cs)
	if err != nil {
		return nil, err
	}
	if len(st.sel.Links) > 0 && len(cs) > 0 {
		cs = mapped(cs, func(c *Change) *Change { mine := *c; return &mine })
		s := st.feed.s
		if err := s.kinds.change.expand(ctx, s.newReader(s.store, st.caller()), cs, st.sel); err != nil {
			return nil, err
		}
	}
	edges := make([]*ChangeEdge, len(cs))
	for i, c := range cs {
		edges[i] = &ChangeEdge{Cursor: st.log.cursor(c.place(), st.print), Node: c}
	}
	st.reach(st.log.cursor(end, st.print), end)
	if b := st.feed.s.standbys; b != nil { // who hears of a change sees it in lists, too
		b.note(st.caller(), need{below: end.Tx + 1})
	}
	return edges, nil
}

// stillVisible are those of the changes that the caller may see now: they may have waited in the queue for long.
func (st *Stream) stillVisible(ctx context.Context, cs []*Change) ([]*Change, error) {
	by := st.caller()
	if seesAllChanges(by) {
		return cs, nil
	}
	p := &feedPage{changes: cs, groups: map[uuid.UUID]db.Group{}, standings: map[[2]uuid.UUID]db.Group{}}
	if err := p.readStandings(ctx, st.feed.s.store, []*Stream{st}); err != nil {
		return nil, err
	}
	decided := map[standing]bool{}
	return slices.DeleteFunc(slices.Clone(cs), func(c *Change) bool { return !p.visible(by, c, decided) }), nil
}

func (c *Change) place() db.Place { return db.Place{Tx: c.tx, Seq: c.seq} }

// caller is who the stream is for, as of now.
func (st *Stream) caller() Caller {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.by
}

// become takes who the caller is now; nobody ends the stream.
func (st *Stream) become(by Caller) {
	if !by.Known() {
		st.end(wrongSecret)
		return
	}
	all := seesAllChanges(by)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.by, st.all, st.decided = by, all, map[standing]bool{}
}

// end ends the stream, and drops what it has not taken.
func (st *Stream) end(why *Error) {
	st.mu.Lock()
	if st.ended == nil {
		st.ended, st.queue = why, nil
	}
	st.mu.Unlock()
	nudge(st.ready)
}

// put adds what is for the stream to its queue; one that is too far behind ends.
func (st *Stream) put(p *feedPage, limit int) {
	switch before, n := st.add(p); {
	case n > limit:
		st.end(errSlow())
	case n > before:
		nudge(st.ready)
	}
}

// add tells how long the queue was, and is.
func (st *Stream) add(p *feedPage) (before, now int) {
	st.mu.Lock()
	defer st.mu.Unlock() // even if it panics: look ends the stream
	before = len(st.queue)
	for _, c := range p.changes {
		if st.ended == nil && st.last.Before(c.place()) && st.sieve.lets(c, p) && (st.all || p.visible(st.by, c, st.decided)) {
			st.queue = append(st.queue, c)
		}
	}
	return before, len(st.queue)
}

func errSlow() *Error {
	return exceeded("", "Changes come faster than you take them. Go on from the cursor in extensions.").by("backlog")
}
