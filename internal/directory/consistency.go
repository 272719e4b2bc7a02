package directory

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"roster/db"
)

// A token of consistency names the transaction of a write. A read that comes with it shows what was written: a standby on which the
// transaction has not ended yet does not answer it. It is known before the commit, and the same on every server. A cursor of the change
// log is one too: it names all that the log tells up to there.

// ConsistencyField is the field of errors about a token of consistency.
const ConsistencyField = "X-Roster-Consistency"

// maxNeeds bounds the tokens of a request.
const maxNeeds = 16

// writesPrint is the fingerprint of tokens, which are made as cursors are.
var writesPrint = fingerprint("writes", nil, db.Cond{})

// tagOf is how tokens and cursors name the database that they are of.
func tagOf(epoch string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(epoch))
	return strconv.FormatUint(h.Sum64(), 36)
}

// token is the token of a transaction; nil for none, or while the database has not been seen.
func (b *Standbys) token(tx uint64) *string {
	if b == nil || tx == 0 {
		return nil
	}
	p := b.primary.Load()
	if p == nil {
		return nil
	}
	t := encodeCursor(writesPrint, []string{strconv.FormatUint(tx, 10), tagOf(p.Epoch)})
	return &t
}

// named is what a token names.
type named struct {
	need
	tag string
}

func readToken(text string) (named, bool) {
	print, at, ok := openCursor(text, 3)
	if !ok {
		return named{}, false
	}
	if print == writesPrint && len(at) == 2 {
		tx, err := strconv.ParseUint(at[0], 10, 64)
		return named{need{tx: tx}, at[1]}, err == nil
	}
	if len(at) != 3 {
		return named{}, false
	}
	place, ok := db.PlaceOf(at[:2])
	if place.Seq > 0 {
		place.Tx++ // the transaction has ended as well
	}
	return named{need{below: place.Tx}, at[2]}, ok
}

// Sight is what the reads of one request have to show, and the token that its writes gave. Nil asks for nothing.
type Sight struct {
	names []named
	given atomic.Pointer[string]
}

// Sight reads the tokens that a request came with, in one header or several, by commas. Nil where there are no standbys: then every
// read shows everything. Codes: INVALID, LIMIT_EXCEEDED.
func (s *Service) Sight(headers []string) (*Sight, error) {
	if s.standbys == nil {
		return nil, nil
	}
	t := &Sight{}
	for text := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, ok := readToken(text)
		if !ok {
			return t, invalid(ConsistencyField, "This is no token of consistency. Send one as it was given, or none.")
		}
		if t.names = append(t.names, n); len(t.names) > maxNeeds {
			return t, exceeded(ConsistencyField, "At most %d tokens.", maxNeeds)
		}
	}
	return t, nil
}

// HasStandbys reports whether standbys answer reads.
func (s *Service) HasStandbys() bool { return s.standbys != nil }

// ReadsAlone reports whether standbys answer reads while the primary is away.
func (s *Service) ReadsAlone() bool { return s.standbys.Away() }

// Token is the token of the request's last write; "" without one.
func (t *Sight) Token() string {
	if given := t.given.Load(); given != nil {
		return *given
	}
	return ""
}

// view is the way in which a request's caller reads. It is one for all copies of a caller, and another for one found anew.
type view struct {
	sight *Sight
	asOf  *db.AsOf // of the caller's memory, compared on standbys: it tells the primary nothing
}

// Through is the caller who reads with that sight. Without one it reads from the primary.
func (c Caller) Through(t *Sight) Caller {
	if t != nil {
		c.view = &view{sight: t, asOf: c.asOf.Anew()}
	}
	return c
}

// Deciding is the caller who reads in order to write: from the primary.
func (c Caller) Deciding() Caller {
	c.decides = true
	return c
}

// compared reports whether the caller's memory has been compared, for reads: on whatever server.
func (c Caller) compared() bool {
	return c.asOf.Seen() || c.view != nil && !c.decides && c.view.asOf.Seen()
}

// reads is the reader for what only reads: on a standby, if there is one that may answer.
func (s *Service) reads(ctx context.Context, by Caller) *reader {
	if by.view == nil || by.decides {
		return s.newReader(s.store, by)
	}
	r := s.newReader(s.store, by)
	r.choose = func(ctx context.Context) *db.Store { return s.storeFor(ctx, by) }
	r.again(ctx)
	return r
}

// storeFor is the store for a read of the caller's.
func (s *Service) storeFor(ctx context.Context, by Caller) *db.Store {
	if by.view == nil || by.decides {
		return s.store.AsOf(by.asOf)
	}
	store := s.store
	if !by.compared() {
		store = store.AsOf(by.asOf)
	}
	on, seen := s.standbys.choose(ctx, by)
	if on == nil {
		return store
	}
	return store.Standby(on.Reads, seen.useful, by.view.asOf) //nolint:contextcheck // the context says until when the standby may be used
}

// choose finds a standby that may answer a read of the caller's.
func (b *Standbys) choose(ctx context.Context, by Caller) (*standby, *sighting) {
	p := b.primary.Load()
	if p == nil || slices.ContainsFunc(by.view.sight.names, func(n named) bool { return n.tag != tagOf(p.Epoch) }) {
		return nil, nil
	}
	own, asked := b.needs(by)
	var late []*standby
	first := b.turn.Add(1)
	for i := range b.all {
		s := b.all[(first+uint64(i))%uint64(len(b.all))]
		seen := s.seen.Load()
		if !b.answers(p, seen) || !agrees(by, p, seen) {
			continue
		}
		shows := func(n need) bool { return n.shown(seen) }
		switch ownToo := each(own, shows); {
		case ownToo && each(asked, shows):
			return s, seen
		case ownToo || p.away: // what it wrote itself the primary shows at once, where there is one
			late = append(late, s)
		}
	}
	if len(late) == 0 {
		return nil, nil
	}
	return b.await(ctx, late, append(own, asked...))
}

// needs are what a caller has to see since it wrote, or since rights have changed, and what it asks for by tokens.
func (b *Standbys) needs(by Caller) (own, asked []need) {
	own = append(own, need{at: instant(b.floor.Load())})
	if rights := b.rights.Load(); rights != nil {
		own = append(own, *rights)
	}
	if who, ok := by.self(); ok {
		if n, ok := b.wrote.Get(who); ok {
			own = append(own, n)
		}
	}
	for _, n := range by.view.sight.names {
		asked = append(asked, n.need)
	}
	return own, asked
}

// agrees reports whether a standby has the rights by which the caller was found, and no others are known. Else the primary says what
// holds; while it is away the standby does, and the caller is found anew there if need be.
func agrees(by Caller, p *primary, s *sighting) bool {
	epoch, remembered := by.asOf.Epoch()
	return p.away || !remembered || epoch == p.Authority && epoch == s.Authority //nolint:gocritic // three that are to be the same
}

// shown reports whether a standby shows it, as far as is known without asking.
func (n need) shown(s *sighting) bool {
	if n.at != 0 && n.at <= s.fresh {
		return true
	}
	return n.stands(s.Settled) && (n.at == 0 || n.tx != 0 || n.below != 0)
}

// stands reports whether all is over that is needed, if that is so of every transaction below that one.
func (n need) stands(settled uint64) bool { return n.tx < settled && n.below <= settled }

func each(needs []need, shown func(need) bool) bool {
	return !slices.ContainsFunc(needs, func(n need) bool { return !shown(n) })
}

// await asks those who may show it soon, until one does or it is time to go to the primary.
func (b *Standbys) await(ctx context.Context, late []*standby, needs []need) (*standby, *sighting) {
	over := time.NewTimer(b.config.Wait)
	defer over.Stop()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		for _, s := range late {
			if seen := s.seen.Load(); seen != nil && each(needs, func(n need) bool { return n.shown(seen) || s.shows(ctx, n, seen) }) {
				return s, seen
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-over.C:
			return nil, nil
		case <-time.After(pause):
		}
	}
}

// shows asks a standby. What is known by its time alone cannot be asked for.
func (s *standby) shows(ctx context.Context, n need, seen *sighting) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(seen.useful, cancel)() //nolint:contextcheck // as above
	if n.tx == 0 && n.below == 0 {
		return false
	}
	if n.below > 0 {
		if settled, err := s.Reads.Settled(ctx); err != nil || n.below > settled {
			return false
		}
	}
	if n.tx == 0 {
		return true
	}
	ended, err := s.Reads.Ended(ctx, n.tx)
	return err == nil && ended
}

// wrote takes a write of the caller's down: it gives its token to the request, and has the caller see it from now on. One that changed
// nothing has no transaction: it gets one that comes after all that it saw. A token that cannot be had is none; the caller still sees.
func (s *Service) wrote(ctx context.Context, by Caller, p *Payload) {
	b := s.standbys
	if b == nil || p.DryRun {
		return
	}
	tx := uint64(0)
	if len(p.changes) > 0 {
		tx = p.changes[0].Tx
		if slices.ContainsFunc(p.changes, func(c db.Change) bool { return slices.Contains(endsAuthority, ChangeKind(c.Kind)) }) {
			b.changedRights(tx)
		}
	}
	if by.view != nil && tx == 0 {
		if mark, err := s.store.Mark(ctx); err == nil {
			tx = mark
		}
	}
	b.note(by, need{tx: tx})
	if p.ConsistencyToken = b.token(tx); by.view != nil && p.ConsistencyToken != nil {
		by.view.sight.given.Store(p.ConsistencyToken)
	}
}
