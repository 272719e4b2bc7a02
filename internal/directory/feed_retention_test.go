package directory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

const week = 7 * 24 * time.Hour

// age makes all changes so far older, and has the partition that they are in end here.
func (w *world) age(by time.Duration) {
	w.t.Helper()
	w.settle()
	w.exec(`UPDATE changes SET at = at - make_interval(secs => $1::float8)`, by.Seconds())
	w.exec(`DO $$ DECLARE p text; bound text; lower text; BEGIN
		SELECT relname INTO p FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = 'changes'::regclass AND relname LIKE 'changes\_%\_%'
			ORDER BY split_part(relname, '_', 2)::numeric DESC LIMIT 1;
		bound := (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1)::text;
		lower := split_part(p, '_', 2);
		EXECUTE format('ALTER TABLE changes DETACH PARTITION %I', p);
		EXECUTE format('ALTER TABLE changes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p, lower, bound);
		EXECUTE format('ALTER TABLE %I RENAME TO %I', p, 'changes_' || lower || '_' || bound);
		EXECUTE format('CREATE TABLE %I PARTITION OF changes FOR VALUES FROM (%L) TO (%L)', 'changes_' || bound || '_' || bound::bigint + 1000000, bound, bound::bigint + 1000000);
	END $$`)
}

// keep looks after the log until nobody is in the way.
func (w *world) keep(ctx context.Context, keep time.Duration, want int) {
	w.t.Helper()
	for dropped := 0; dropped < want; {
		n, err := w.KeepChanges(ctx, keep)
		if err != nil || ctx.Err() != nil {
			w.t.Fatal("dropping changes: ", err, ctx.Err())
		}
		dropped += n
	}
	if n, err := w.KeepChanges(ctx, keep); n != 0 || err != nil {
		w.t.Fatalf("more was dropped: %d, %v", n, err)
	}
}

// TestRetention: what is older than it is kept goes, a reader in the window notices nothing, and one behind it is told where to start anew.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := patience(t)
	w.users("old1", "old2")
	f := &follower{w: w}
	f.read(1)
	behind := f.cursor
	w.age(2 * week)
	for f.read(200) {
		continue
	}
	atEdge, seen := f.cursor, len(f.seen)
	w.users("mid1", "mid2")
	w.settle()
	f.read(1)
	within := f.cursor
	w.age(3 * 24 * time.Hour) // and the first ones are older still
	w.users("new1")
	w.settle() // or else the stream has it before it
	live := &subscriber{w: w, s: w.Service, by: directory.System(), cursor: within}
	st := live.open(ctx)
	st.Attach(ctx)
	w.keep(ctx, 0, 0)
	before := w.log("true")
	w.keep(ctx, week, 1)
	if d := cmp.Diff(before[seen:], w.log("true")); d != "" {
		t.Errorf("what is left of the log:\n%s", d)
	}
	w.users("new2")
	w.settle()
	want := w.log("true")
	for name, from := range map[string]struct {
		cursor *string
		skip   int
	}{"at the edge": {atEdge, 0}, "within the window": {within, 1}} {
		r := &subscriber{w: w, s: w.Service, by: directory.System(), cursor: from.cursor}
		if err := r.takeAll(ctx, len(want)-from.skip); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want[from.skip:], r.seen); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	if err := live.take(ctx, st, 1); err != nil || live.seen[0] != want[len(want)-1] {
		t.Errorf("the stream that was there goes on with %v, %v", live.seen, err)
	}
	_, err := w.Changes(ctx, directory.System(), directory.Page{Rows: true, PageArgs: directory.PageArgs{After: behind}}, wantedOfChanges)
	_, refused := w.Subscribe(ctx, directory.System(), directory.StreamArgs{After: behind}, nothing)
	for _, err := range []error{err, refused} {
		var e *directory.Error
		if !errors.As(err, &e) || e.Code != directory.ResyncRequired {
			t.Fatalf("a cursor behind the window: %v", err)
		}
		w.users("late" + name())
		again := &subscriber{w: w, s: w.Service, by: directory.System(), cursor: &e.Cursor}
		if err := again.takeAll(ctx, 1); err != nil {
			t.Error(err)
		}
	}
	w.keep(ctx, week, 0) // the middle ones are in the window
}

// TestRoomIsMade: partitions are made ahead, each once, and what comes when that was not done has a place all the same.
func TestRoomIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := patience(t)
	ahead := `SELECT max(split_part(c.relname, '_', 3)::numeric) - pg_snapshot_xmax(pg_current_snapshot())::text::numeric > 1000000
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'changes'::regclass AND c.relname ~ '^changes_[0-9]+_[0-9]+$'`
	if _, err := w.KeepChanges(ctx, 0); err != nil || w.text(ahead) != "true" {
		t.Fatalf("there is no room ahead: %v", err)
	}
	w.exec(`DO $$ DECLARE p text; BEGIN
		FOR p IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'changes'::regclass AND inhrelid <> 'changes_rest'::regclass LOOP
			EXECUTE 'DROP TABLE ' || p;
		END LOOP;
	END $$`)
	w.users("ann", "bob")
	if n := w.text(`SELECT count(*) FROM changes_rest`); n != "2" {
		t.Errorf("%s changes without a partition are kept, want 2", n)
	}
	together(4, func(int) {
		if _, err := w.KeepChanges(ctx, 0); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.KeepChanges(ctx, 0); err != nil || w.text(ahead) != "true" {
		t.Errorf("afterwards there is no room ahead: %v", err)
	}
	w.users("cid")
	w.settle()
	f := &follower{w: w}
	for f.read(1) {
		continue
	}
	if d := cmp.Diff(w.log("true"), f.seen); d != "" || len(f.seen) != 3 {
		t.Errorf("of three changes the feed shows %d:\n%s", len(f.seen), d)
	}
}
