package db

import (
	"context"
	"errors"
	"sync/atomic"
)

// AsOf is how the authority table stood when a caller was found: what is remembered of the caller holds as long as it stands so.
// The first statement of a request compares it, within its own snapshot. Nothing is compared twice.
type AsOf struct {
	epoch int64
	seen  atomic.Bool
}

// At is a memory of the epoch; seen says that it was read for this very request.
func At(epoch int64, seen bool) *AsOf {
	a := &AsOf{epoch: epoch}
	a.seen.Store(seen)
	return a
}

// Anew is the same memory, not compared yet; nil if there is nothing to compare.
func (a *AsOf) Anew() *AsOf {
	if a.Seen() {
		return nil
	}
	return At(a.epoch, false)
}

// Epoch is what the memory is of; false for callers that nobody had to remember.
func (a *AsOf) Epoch() (int64, bool) {
	if a == nil {
		return 0, false
	}
	return a.epoch, true
}

// Seen reports whether the memory has been compared. Nil, for callers that nobody had to remember, is always right.
func (a *AsOf) Seen() bool { return a == nil || a.seen.Load() }

// ErrStale is a statement that was not run, or ran and found nothing, since somebody's authority changed after the caller was found.
// Nothing was done.
var ErrStale = errors.New("db: authority has changed")

// AsOf is the store for a request whose caller was found at that epoch.
func (s *Store) AsOf(a *AsOf) *Store {
	if a.Seen() {
		return s
	}
	of := *s
	of.asOf = a
	return &of
}

// epochNow is SQL for the epoch in the statement's snapshot.
const epochNow = "(SELECT epoch FROM authority)"

// still is the condition that the memory of the request's caller holds; the zero Cond once it has been compared. Postgres looks at
// it once for a statement, before anything else.
func (s *Store) still() Cond {
	if s.asOf.Seen() {
		return Cond{}
	}
	return cond(epochNow+" = ?::bigint", s.asOf.epoch)
}

// found says that a statement with the condition still has returned a row.
func (s *Store) found() {
	if s.asOf != nil {
		s.asOf.seen.Store(true)
	}
}

// Compare compares the memory of the request's caller by itself, unless that has been done. It fails with ErrStale.
func (s *Store) Compare(ctx context.Context) error {
	if s.asOf.Seen() {
		return nil
	}
	if s.primary != nil {
		_, err := eitherWay(ctx, s, func(ctx context.Context, s *Store) (struct{}, error) { return struct{}{}, s.Compare(ctx) })
		return err
	}
	a := s.asOf
	plain := *s
	plain.asOf = nil
	var epoch int64
	if _, err := plain.queryRow(ctx, "SELECT epoch FROM authority WHERE one = $1", []any{true}, &epoch); err != nil {
		return err
	}
	if epoch != a.epoch {
		return ErrStale
	}
	a.seen.Store(true)
	return nil
}
