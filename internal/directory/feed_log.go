package directory

import (
	"context"
	"hash/fnv"
	"strconv"

	"roster/db"
)

// changeLog is the state of the change log as a reader met it. Nil is the state of any other list, which has none.
type changeLog struct{ db.Log }

// tag is what cursors of the log carry beside their place: in which sequence of transaction ids it is one. It stands outside the
// fingerprint, so that a cursor of another database can be told from one of another list.
func (l *changeLog) tag() []string {
	if l == nil {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.Epoch))
	return []string{strconv.FormatUint(h.Sum64(), 36)}
}

// enter takes the place out of a cursor. One of another epoch means nothing here.
func (l *changeLog) enter(at []string, print uint64) ([]string, error) {
	if l == nil || at == nil {
		return at, nil
	}
	n := len(at) - 1
	if at[n] != l.tag()[0] {
		return nil, l.resync(print)
	}
	return at[:n], l.holds(at[:n], print)
}

// from is the condition that the list adds to a cursor.
func (l *changeLog) from(at []string) db.Cond {
	place, _ := db.PlaceOf(at) // holds has looked
	return db.ChangeFrom(place.Tx)
}

// holds fails for a place after which changes have been dropped.
func (l *changeLog) holds(at []string, print uint64) error {
	place, ok := db.PlaceOf(at)
	switch {
	case !ok:
		return invalid("after", noCursor)
	case place.Before(l.Horizon):
		return l.resync(print)
	}
	return nil
}

// check comes after the page has been read: what followed the cursor may have been dropped between the two.
func (l *changeLog) check(ctx context.Context, store *db.Store, at []string, print uint64) error {
	if l == nil || at == nil {
		return nil
	}
	now, err := store.Log(ctx)
	if err != nil {
		return err
	}
	after := changeLog{now}
	if now.Epoch != l.Epoch {
		return after.resync(print)
	}
	return after.holds(at, print)
}

// resync is the error of a cursor that there is no going on from. It names the place from which the log will tell all that is written
// after now: whoever reads the lists once more and goes on from there has everything.
func (l *changeLog) resync(print uint64) *Error {
	return &Error{Code: ResyncRequired, Field: "after", Cursor: l.cursor(db.Place{Tx: l.Settled}, print),
		Message: "The changes after this cursor are no longer there. Read what you need anew, then go on from the cursor in extensions."}
}

// cursor spells a place of the log.
func (l *changeLog) cursor(at db.Place, print uint64) string {
	return encodeCursor(print, append(at.Cursor(), l.tag()...))
}

// latest is the cursor of the place up to which the log is complete.
func (l *changeLog) latest(print uint64) string {
	if l == nil {
		return ""
	}
	return l.cursor(db.Place{Tx: l.Settled}, print)
}
