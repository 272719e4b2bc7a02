package directory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/google/uuid"

	"roster/db"
)

// Standbys answer reads in the place of the database that they follow (docs/decisions/0020). Which of them may is known before anybody
// asks: the primary and the standbys are looked at all the time, each on a connection of its own, and a request only compares what was
// seen. A standby may answer if nobody could tell it from the primary as that was a moment ago, the longest lag, and if it shows
// what this caller has to see: what it wrote itself, what its tokens of consistency name, and whatever changed anybody's rights.
//
// Nil is none, which costs nothing.
type Standbys struct {
	config  StandbyConfig
	all     []*standby
	begin   time.Time
	primary atomic.Pointer[primary]
	turn    atomic.Uint64

	mu      sync.Mutex
	samples []sample // the primary's positions, oldest first

	wrote  *lru.Cache[uuid.UUID, need] // by caller
	writes sync.Mutex                  // of those who write it, or rights
	floor  atomic.Int64                // the latest of those that were forgotten
	rights atomic.Pointer[need]        // the last change of rights by this server
}

// StandbyConfig is what Standbys are made of.
type StandbyConfig struct {
	Primary *db.Store     // a connection to the primary to look at it by, beside the pool
	All     []StandbyPool // the standbys
	MaxLag  time.Duration // how far behind the primary a standby may be that answers
	Wait    time.Duration // how long a read waits for a standby to show what a token names, before the primary answers it
	Alone   time.Duration // how long standbys answer while the primary does not
	Every   time.Duration // how often each server is looked at; 0: a tenth of a second
	// OnChange, if set, hears when a server ceases to be used, and why, and when it is used again. 0 is the primary, 1 the first standby.
	OnChange func(server int, err error)
}

// StandbyPool is a standby: a pool for what it is asked, and a connection to look at it by.
type StandbyPool struct{ Reads, Watch *db.Store }

const (
	lookEvery  = 100 * time.Millisecond
	lookTime   = time.Second // for an answer: who takes longer is away
	maxSamples = 4096
	maxWrote   = 16_384 // callers whose last write is remembered
)

// instant is a time by this process's monotonic clock, since it began to look.
type instant = time.Duration

// sample is a position of the primary's: all that was committed before at lies within it.
type sample struct {
	at  instant
	wal uint64
}

// primary is the primary as it was seen last.
type primary struct {
	db.Position
	at     instant // before it was asked
	away   bool    // it has not answered since
	useful context.Context
	giveUp context.CancelFunc
}

// standby is one of them. What was seen of it is nil while it is of no use.
type standby struct {
	StandbyPool
	number int
	seen   atomic.Pointer[sighting]
	said   string // what was last told of it; its own loop's
}

// sighting is what was seen of a standby.
type sighting struct {
	db.Position
	fresh  instant // all that was committed before then is there
	useful context.Context
	giveUp context.CancelFunc
}

// need is something that a read has to show: what was committed by then, or instead what that transaction wrote, and all that ended
// before it. 0 is nothing.
type need struct {
	at    instant
	tx    uint64 // has ended
	below uint64 // all below have ended
}

// NewStandbys makes them; Watch has to run. Nil without any.
func NewStandbys(c StandbyConfig) *Standbys {
	if len(c.All) == 0 {
		return nil
	}
	if c.Every == 0 {
		c.Every = lookEvery
	}
	if c.OnChange == nil {
		c.OnChange = func(int, error) {}
	}
	b := &Standbys{config: c, begin: time.Now()}
	for i, p := range c.All {
		b.all = append(b.all, &standby{StandbyPool: p, number: i + 1})
	}
	var err error
	if b.wrote, err = lru.NewWithEvict(maxWrote, func(_ uuid.UUID, n need) { raise(&b.floor, n.at) }); err != nil {
		panic(err) // only a size of none is an error
	}
	return b
}

func raise(to *atomic.Int64, at instant) {
	for {
		old := to.Load()
		if old >= int64(at) || to.CompareAndSwap(old, int64(at)) {
			return
		}
	}
}

func (b *Standbys) now() instant { return time.Since(b.begin) }

// Look looks at the primary for the first time, and reports whether it answered: until it has, writes have no token.
func (b *Standbys) Look(ctx context.Context) bool {
	if b == nil {
		return true
	}
	b.lookAtPrimary(ctx)
	return b.primary.Load() != nil
}

// Watch looks at the primary and the standbys until ctx is done. The primary comes first: nothing is known of a standby without it.
func (b *Standbys) Watch(ctx context.Context) {
	if b == nil {
		return
	}
	b.Look(ctx)
	var all sync.WaitGroup
	all.Go(func() { b.loop(ctx, b.lookAtPrimary) })
	for _, s := range b.all {
		all.Go(func() { b.loop(ctx, func(ctx context.Context) { b.lookAt(ctx, s) }) })
	}
	all.Wait()
}

func (b *Standbys) loop(ctx context.Context, look func(context.Context)) {
	tick := time.NewTicker(b.config.Every)
	defer tick.Stop()
	for {
		look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

var (
	errNotPrimary = errors.New("it is a standby itself")
	errNoStandby  = errors.New("it is no standby")
	errForeign    = errors.New("it is a standby of another database")
	errElsewhere  = errors.New("it is not known to follow the database since the last failover")
	errBehind     = errors.New("it is too far behind")
)

func (b *Standbys) lookAtPrimary(ctx context.Context) {
	at, was := b.now(), b.primary.Load()
	limited, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p, err := b.config.Primary.Position(limited)
	if err == nil && p.Standby {
		err = errNotPrimary
	}
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		b.sample(sample{at, p.WAL})
		is := &primary{Position: p, at: at}
		if was == nil || was.away {
			is.useful, is.giveUp = context.WithCancel(context.WithoutCancel(ctx))
		} else {
			is.useful, is.giveUp = was.useful, was.giveUp
		}
		b.primary.Store(is)
		if was != nil && was.away {
			b.config.OnChange(0, nil)
		}
	case was != nil && !was.away:
		is := *was
		is.away = true
		b.primary.Store(&is)
		was.giveUp()
		b.config.OnChange(0, err)
	}
}

// sample keeps a position. A position before the last is another server's, of which the old ones say nothing. Of too many, every other one
// of the older half goes.
func (b *Standbys) sample(s sample) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.samples); n > 0 && s.wal < b.samples[n-1].wal {
		b.samples = nil
	}
	if n := len(b.samples); n >= 2 && b.samples[n-2].wal == s.wal {
		b.samples = b.samples[:n-1] // it stands where it stood
	}
	if b.samples = append(b.samples, s); len(b.samples) > maxSamples {
		kept := b.samples[:0]
		for i, s := range b.samples {
			if i > maxSamples/2 || i%2 == 0 {
				kept = append(kept, s)
			}
		}
		b.samples = kept
	}
}

// fresh is as of when a standby that has replayed so much shows everything; false if that is too long ago to tell.
func (b *Standbys) fresh(wal uint64) (instant, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range slices.Backward(b.samples) {
		if s.wal <= wal {
			return s.at, true
		}
	}
	return 0, false
}

func (b *Standbys) lookAt(ctx context.Context, s *standby) {
	limited, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p, err := s.Watch.Position(limited)
	if ctx.Err() != nil {
		return
	}
	fresh, known := b.fresh(p.WAL)
	of := b.primary.Load()
	switch {
	case err != nil:
	case of == nil:
		return
	case !p.Standby:
		err = errNoStandby
	case p.Home != of.Home:
		err = errForeign
	case p.Timeline != of.Timeline:
		err = errElsewhere
	case !known:
		err = errBehind
	}
	was := s.seen.Load()
	if err != nil {
		if s.seen.Store(nil); was != nil {
			was.giveUp()
		}
		s.tell(b, err)
		return
	}
	is := &sighting{Position: p, fresh: fresh}
	if was == nil {
		is.useful, is.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	} else {
		is.useful, is.giveUp = was.useful, was.giveUp
	}
	s.seen.Store(is)
	if b.lag(of, is) > b.config.MaxLag {
		err = errBehind
	}
	s.tell(b, err)
}

// tell tells what is new.
func (s *standby) tell(b *Standbys, err error) {
	say := ""
	if err != nil {
		say = "unused"
	}
	if say != s.said {
		s.said = say
		b.config.OnChange(s.number, err)
	}
}

// lag is how far behind a standby is. While the primary is away nothing is written that it could miss.
func (b *Standbys) lag(of *primary, s *sighting) time.Duration {
	if of.away {
		return of.at - s.fresh
	}
	return b.now() - s.fresh
}

// Away reports whether the primary does not answer and a standby answers reads in its place.
func (b *Standbys) Away() bool {
	if b == nil {
		return false
	}
	p := b.primary.Load()
	return p != nil && p.away && slices.ContainsFunc(b.all, func(s *standby) bool { return b.answers(p, s.seen.Load()) })
}

// answers reports whether a standby may answer at all.
func (b *Standbys) answers(p *primary, s *sighting) bool {
	return s != nil && b.lag(p, s) <= b.config.MaxLag && (!p.away || b.now()-p.at <= b.config.Alone)
}

// lookUp finds out about a caller: from the primary, and while that is away from a standby. It gives the standby as it was
// seen before, if that told.
func (b *Standbys) lookUp(ctx context.Context, store *db.Store, look func(context.Context, *db.Store) error) (told *sighting, err error) {
	if b == nil {
		return nil, look(ctx, store)
	}
	if p := b.primary.Load(); !b.Away() {
		err = until(ctx, p, func(ctx context.Context) error { return look(ctx, store) })
		if !db.Away(err) || ctx.Err() != nil {
			return nil, err
		}
	}
	for _, s := range b.all {
		if seen := s.seen.Load(); seen != nil && b.answers(b.primary.Load(), seen) {
			if serr := look(ctx, s.Reads); serr == nil {
				return seen, nil
			}
		}
	}
	if err == nil {
		err = errPrimaryAway
	}
	return nil, err
}

// until does something for as long as the primary is not known to be away.
func until(ctx context.Context, p *primary, do func(context.Context) error) error {
	if p == nil {
		return do(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.useful, cancel)() //nolint:contextcheck // it ends this, and nothing is asked with it
	return do(ctx)
}

var errPrimaryAway = &Error{Code: Unavailable, Message: "The database is away, and its standby does not know this. Try again later."}

// note remembers that a caller has to see something from now on.
func (b *Standbys) note(by Caller, n need) {
	who, ok := by.self()
	if b == nil || !ok {
		return
	}
	n.at = b.now()
	b.writes.Lock()
	defer b.writes.Unlock()
	if was, ok := b.wrote.Peek(who); ok {
		n.tx, n.below = max(n.tx, was.tx), max(n.below, was.below)
	}
	b.wrote.Add(who, n)
}

// self is who is remembered for a caller's writes: the user, or the token of a group.
func (c Caller) self() (uuid.UUID, bool) {
	switch {
	case c.User != nil:
		return c.User.UUID, true
	case c.Token != nil:
		return c.Token.root, true
	}
	return uuid.Nil, false
}

// changedRights remembers that every read has to show what that transaction wrote.
func (b *Standbys) changedRights(tx uint64) {
	b.writes.Lock()
	defer b.writes.Unlock()
	n := need{at: b.now(), tx: tx}
	if was := b.rights.Load(); was != nil {
		n.tx = max(n.tx, was.tx)
	}
	b.rights.Store(&n)
}
