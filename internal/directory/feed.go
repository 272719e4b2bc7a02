package directory

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"roster/db"
)

// How the feed is read.
const (
	feedBatch    = 500                    // changes read at once
	feedTick     = time.Second            // a look at the log though nobody called for it
	feedGap      = 5 * time.Millisecond   // between two looks at least: what comes meanwhile is read at once
	feedMaxWait  = 320 * time.Millisecond // between looks while an old transaction holds the log back
	feedRecheck  = 2 * time.Second        // until the callers are authenticated anew, though nothing called for it
	announceGap  = 25 * time.Millisecond  // between two announcements to other replicas
	announceTime = 5 * time.Second
)

// feed reads the change log once for all streams of this process. Its reader runs while there are streams. It never waits for one: what
// a stream does not take is kept for it, up to a bound.
type feed struct {
	s       *Service
	name    string        // this replica's, so that it does not wake itself twice
	wake    chan struct{} // there may be something new
	told    chan struct{} // something was committed here: other replicas are to be told
	limit   int           // changes that a stream may be behind
	onError func(error)

	lifecycle sync.Mutex // of the reader; not held while it works
	stop      func()     // ends the reader and waits for it; nil while there is none

	mu      sync.Mutex
	streams map[*Stream]struct{}
	log     changeLog // as the reader last saw it
	at      db.Place  // all changes up to here have been handed out
	turn    int       // how often the feed has begun anew
	caught  time.Time // when the log was last read to its end
	errors  int       // how often it could not be read
}

func newFeed(s *Service, c Config) *feed {
	f := &feed{s: s, name: rand.Text(), wake: make(chan struct{}, 1), told: make(chan struct{}, 1), limit: c.FeedBacklog, onError: c.OnFeedError,
		streams: map[*Stream]struct{}{}}
	if f.limit == 0 {
		f.limit = DefaultFeedBacklog
	}
	if f.onError == nil {
		f.onError = func(error) {}
	}
	return f
}

// DefaultFeedBacklog is how many changes a stream may be behind.
const DefaultFeedBacklog = 10_000

// committed is called after the commit of every write that changed something.
func (f *feed) committed() {
	nudge(f.wake)
	nudge(f.told)
	nudge(f.s.hooks.wake)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Announce tells other replicas of what is committed here, many commits at once, until ctx is done. Without it they find out within a second.
func (s *Service) Announce(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.feed.told:
		}
		limited, cancel := context.WithTimeout(ctx, announceTime)
		_ = s.store.Announce(limited, s.feed.name) // a hint: who does not get it looks by itself
		cancel()
		pause(ctx, announceGap)
	}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// join adds a stream and has the reader run.
func (f *feed) join(ctx context.Context, st *Stream) error {
	f.lifecycle.Lock()
	defer f.lifecycle.Unlock()
	if f.stop == nil {
		log, err := f.s.store.Log(ctx)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.log, f.at, f.caught = changeLog{log}, db.Place{Tx: log.Settled}, time.Now()
		f.mu.Unlock()
		f.start(context.WithoutCancel(ctx))
	}
	f.mu.Lock()
	f.streams[st] = struct{}{}
	same := f.log.Epoch == st.log.Epoch
	f.mu.Unlock()
	if same {
		return nil
	}
	log, err := f.s.store.Log(ctx) // the database was exchanged, and the reader does not know yet
	if err != nil {
		f.drop(st)
		return err
	}
	f.renew(log)
	return nil
}

// renew takes a newer look at the log. If it is another one, or has lost something that was not read, the feed begins anew: what the
// reader has in hand is void, and the streams of before end.
func (f *feed) renew(log db.Log) (same bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	same = log.Epoch == f.log.Epoch && !f.at.Before(log.Horizon)
	lost := log.Epoch == f.log.Epoch && !same
	f.log = changeLog{log}
	if same {
		return true
	}
	f.turn++
	f.at = db.Place{Tx: log.Settled}
	for st := range f.streams {
		if lost || st.log.Epoch != log.Epoch {
			st.end(f.log.resync(st.print))
		}
	}
	return false
}

func (f *feed) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.run(ctx)
	}()
	f.stop = func() {
		cancel()
		<-ended
	}
}

// leave takes a stream away. The last one ends the reader.
func (f *feed) leave(st *Stream) {
	f.lifecycle.Lock()
	defer f.lifecycle.Unlock()
	f.drop(st)
}

// drop is leave, of whoever holds the lifecycle.
func (f *feed) drop(st *Stream) {
	f.mu.Lock()
	_, there := f.streams[st]
	delete(f.streams, st)
	left := len(f.streams)
	f.mu.Unlock()
	if there && left == 0 {
		f.stop()
		f.stop = nil
	}
}

// run reads until ctx is done.
func (f *feed) run(ctx context.Context) {
	defer f.s.store.Hear(ctx, f.name, func() { nudge(f.wake) })()
	tick := time.NewTicker(feedTick)
	defer tick.Stop()
	r := &feedReader{feed: f}
	for ctx.Err() == nil {
		wait, err := r.look(ctx)
		if err != nil && ctx.Err() == nil {
			r.failed()
			if !r.failing {
				f.onError(err) // once, not every time that it is tried again
			}
			r.failing = true
			pause(ctx, feedTick)
			continue
		}
		r.failing = false
		pause(ctx, feedGap)
		var again <-chan time.Time
		if wait >= 0 {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-f.wake:
		case <-tick.C:
			r.ticked = true
		}
	}
}

// feedReader is what only the reader itself knows.
type feedReader struct {
	*feed
	failing bool
	ticked  bool
	wait    time.Duration // until the next look, while the log is held back
	checked time.Time     // when the callers were last authenticated
}

// look is read, whose panic ends the streams and not the process: what made it would make it again.
func (r *feedReader) look(ctx context.Context) (wait time.Duration, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err = &Error{Code: Internal, Message: "Something went wrong on our side.", Cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		ended := AsError(err)
		for _, st := range r.all() {
			st.end(&Error{Code: ended.Code, Message: ended.Message})
		}
	}()
	return r.read(ctx)
}

// all are the streams.
func (f *feed) all() []*Stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	return keys(f.streams)
}

// read takes a look: it reads what is new, decides who gets it, and hands it out. It says how long to wait until the next look, less than
// nothing for until there is a reason.
func (r *feedReader) read(ctx context.Context) (time.Duration, error) {
	at, turn := r.place()
	cs, more, err := r.s.store.ChangesAfter(ctx, at, feedBatch)
	if err != nil {
		return 0, err
	}
	if len(cs) > 0 || r.ticked || r.failing {
		r.ticked = false
		// After the page, so that a page of another database, or one from which something was dropped, is not handed out.
		log, err := r.s.store.Log(ctx)
		if err != nil || !r.renew(log) {
			return 0, err
		}
		if err := r.authenticate(ctx, cs); err != nil {
			return 0, err
		}
	}
	if len(cs) > 0 {
		if err := r.handOut(ctx, cs, turn); err != nil {
			return 0, err
		}
	}
	switch {
	case len(cs) > 0 && more:
		r.wait = 0
	case more:
		r.wait = min(max(2*r.wait, feedGap), feedMaxWait)
	default:
		r.wait = -1
		r.caughtUp()
	}
	return r.wait, nil
}

// place is where to read on, and in which turn of the feed.
func (f *feed) place() (db.Place, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at, f.turn
}

// handOut gives each stream what is for it.
func (r *feedReader) handOut(ctx context.Context, rows []db.Change, turn int) error {
	streams := r.attached()
	page, err := r.newFeedPage(ctx, rows, streams)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn != turn {
		return nil
	}
	for _, st := range streams { // not those that came meanwhile: what they read of the log by themselves has all of this
		st.put(page, r.limit)
	}
	r.at = rows[len(rows)-1].Place()
	return nil
}

// attached are the streams that read along.
func (f *feed) attached() []*Stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*Stream
	for st := range f.streams {
		if st.attached {
			out = append(out, st)
		}
	}
	return out
}
