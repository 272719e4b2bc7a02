package directory_test

import (
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// until waits until the feed stands as it is to.
func until(t *testing.T, dir *directory.Service, what string, is func(s directory.FeedState) bool) {
	t.Helper()
	for ctx := patience(t); ; {
		if is(dir.FeedState()) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not %s: %+v", what, dir.FeedState())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// The feed tells how many read it, what waits for them, and since when it has not been read to its end: while an old transaction
// holds the log back that is longer and longer, and then it is over.
func TestFeedState(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, db.Options{})
	if s := w.FeedState(); s != (directory.FeedState{}) {
		t.Errorf("without streams: %+v", s)
	}
	reader := &subscriber{w: w, s: w.Service, by: w.root()}
	st := reader.open(t.Context())
	w.users("first")
	if err := reader.take(t.Context(), st, 1); err != nil { // it is at the end of the log: what comes now waits for it
		t.Fatal(err)
	}
	w.users("second")
	until(t, w.Service, "behind by what nobody took", func(s directory.FeedState) bool { return s.Streams == 1 && s.Waiting > 0 && s.Longest == s.Waiting })

	old, err := w.beam.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Rollback() }()
	if _, err := old.ExecContext(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	w.users("third")
	until(t, w.Service, "held back", func(s directory.FeedState) bool { return s.Lag > 2*time.Second })
	if err := old.Rollback(); err != nil {
		t.Fatal(err)
	}
	until(t, w.Service, "caught up", func(s directory.FeedState) bool { return s.Lag < 1500*time.Millisecond })
	st.Close()
	until(t, w.Service, "without streams", func(s directory.FeedState) bool { return s == directory.FeedState{} })
}
