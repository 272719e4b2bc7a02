package db

import (
	"context"
	"errors"
	"strconv"
)

// This file lets a standby answer what only reads (docs/decisions/0020). A standby may break off whatever it is asked, since it is
// away, or has to replay what stands in the way of a query. Nobody is to hear of that: the primary is asked instead.

// Position is how far a server of the database has come.
type Position struct {
	Standby   bool
	WAL       uint64 // what has been written, or replayed, as a place in the write-ahead log
	Settled   uint64 // every transaction below this one has ended, and what it wrote is seen
	Authority int64  // the epoch of the authority table
	Timeline  int64  // which failovers it comes after; a standby says so late unless its role has pg_read_all_stats
	Home      string // names the database, of whose standbys it is the same
	Epoch     string // as Log's; on a standby, Home
}

// Position reads it. All that was committed before it was asked for is within WAL; what it says beside that is as old as WAL, or older.
//
// Behind the last record of a page the next one is written after the page's header, of 24 or 40 bytes: there is nothing in a header
// that a standby could replay, so that the place before it is the same.
//
// Places of two timelines say nothing of each other. A standby streams from none that its own does not lead to: so what it receives is
// of its timeline, which not everybody may see; what its control file says is as old as its last restart point, or the last page written.
func (s *Store) Position(ctx context.Context) (Position, error) {
	var p Position
	var wal int64
	_, err := s.queryRow(ctx, `SELECT w.standby, w.wal - CASE WHEN w.wal % w.page IN (24, 40) THEN w.wal % w.page ELSE 0 END,
			pg_snapshot_xmin(pg_current_snapshot())::text, `+epochNow+`, h.home, concat_ws(' ', h.home, w.walfile),
			coalesce(('x' || w.walfile)::bit(32)::bigint, greatest((SELECT timeline_id FROM pg_control_checkpoint()),
				(SELECT min_recovery_end_timeline FROM pg_control_recovery()), (SELECT received_tli FROM pg_stat_wal_receiver)))
		FROM settings s JOIN pg_database d ON d.datname = current_database(), LATERAL (SELECT pg_is_in_recovery() AS standby,
			(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::bigint AS wal,
			CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS walfile,
			current_setting('wal_block_size')::bigint AS page) w,
			LATERAL (SELECT concat_ws(' ', s.value, s.xmin, d.oid, (SELECT system_identifier FROM pg_control_system())) AS home) h
		WHERE s.key = 'epoch'`, nil, &p.Standby, &wal, xid{&p.Settled}, &p.Authority, &p.Home, &p.Epoch, &p.Timeline)
	p.WAL = uint64(wal) //nolint:gosec // it counts up from nothing
	return p, err
}

// Ended reports whether a transaction has ended as this server sees it: what it wrote is seen by every statement that comes after. The
// snapshot of a standby does not name the transactions that run, so it cannot be asked of it; and the status of one that is yet to be
// heard of is an error.
func (s *Store) Ended(ctx context.Context, tx uint64) (bool, error) {
	var ended bool
	_, err := s.queryRow(ctx, `SELECT CASE WHEN $1::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN false
		ELSE coalesce(pg_xact_status($1::text::xid8) <> 'in progress', true) END`, []any{strconv.FormatUint(tx, 10)}, &ended)
	return ended, err
}

// Settled reports below which transaction all have ended.
func (s *Store) Settled(ctx context.Context) (uint64, error) {
	var tx uint64
	_, err := s.queryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text`, nil, xid{&tx})
	return tx, err
}

// Mark is a transaction that comes after everything that has been committed, and ends at once.
func (s *Store) Mark(ctx context.Context) (uint64, error) {
	var tx uint64
	_, err := s.queryRow(ctx, `SELECT pg_current_xact_id()::text`, nil, xid{&tx})
	return tx, err
}

// Standby is a store of a standby for reads that s answers if the standby does not. useful ends when the standby is given up: what it
// was asked by then is not waited for. a is the standby's own AsOf: what it compares says nothing to the primary.
func (s *Store) Standby(standby *Store, useful context.Context, a *AsOf) *Store {
	of := *standby.AsOf(a)
	of.primary, of.useful = s, useful
	return &of
}

// Primary is the store for what only the primary can tell.
func (s *Store) Primary() *Store {
	if s.primary == nil {
		return s
	}
	return s.primary
}

// eitherWay runs a read on a standby, and where that fails on the primary. What the primary says counts; but if it does not answer, and
// all that the standby had to say was that the caller has to be found anew, the standby's word does.
func eitherWay[T any](ctx context.Context, s *Store, read func(ctx context.Context, s *Store) (T, error)) (T, error) {
	if s.primary == nil {
		return read(ctx, s)
	}
	out, err := readStandby(ctx, s, read)
	if err == nil || ctx.Err() != nil {
		return out, err
	}
	again, perr := read(ctx, s.primary)
	if errors.Is(err, ErrStale) && Away(perr) {
		return out, err
	}
	return again, perr
}

func readStandby[T any](ctx context.Context, s *Store, read func(ctx context.Context, s *Store) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.useful, cancel)() //nolint:contextcheck // it ends this, and nothing is asked with it
	alone := *s
	alone.primary = nil
	return read(ctx, &alone)
}

// Away reports whether an error says that a server did not answer.
func Away(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == Unavailable || e.Kind == Timeout)
}

// The reads of lists, apart, so that what they capture costs those nothing who have no standby.

func findEitherWay[T any](ctx context.Context, s *Store, t *Table[T], l List) ([]Part[T], error) {
	return eitherWay(ctx, s, func(ctx context.Context, s *Store) ([]Part[T], error) { return Find(ctx, s, t, l) })
}

func countEitherWay[T any](ctx context.Context, s *Store, t *Table[T], l List) ([]int, error) {
	return eitherWay(ctx, s, func(ctx context.Context, s *Store) ([]int, error) { return Count(ctx, s, t, l) })
}

func (s *Store) checkEitherWay(ctx context.Context, groups []GroupRef, users []UserRef, visible Cond) ([]Facts, error) {
	return eitherWay(ctx, s, func(ctx context.Context, s *Store) ([]Facts, error) { return s.Check(ctx, groups, users, visible) })
}
