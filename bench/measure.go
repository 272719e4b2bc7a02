package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// results are what a run has measured.
type results struct {
	lines []line
	bulks []bulkLine
}

type line struct {
	workload
	a, b measured
}

type bulkLine struct {
	bulk
	timed
}

func (b *bench) connect(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, b.url) }

// all runs the selected workloads, the reads first: they see the data as it was made.
func (b *bench) all(ctx context.Context) (r results, err error) {
	c, err := b.connect(ctx)
	if err != nil {
		return r, err
	}
	defer c.Close(ctx)
	before, err := ledgerOf(ctx, c)
	if err != nil {
		return r, err
	}
	writes := 0
	for _, w := range workloads() {
		if !b.selected(w.name) || w.writes && len(b.requests.sample.pairs) < connections {
			continue
		}
		l, err := b.measure(ctx, w, c)
		if err != nil {
			return r, fmt.Errorf("%s: %w", w.name, err)
		}
		writes += l.a.writes + l.b.writes
		r.lines = append(r.lines, l)
		fmt.Fprintf(b.progress, "%-64s %s %8.0f/s  %s %8.0f/s  ratio %.2f\n", w.title, l.a.name, median(l.a.rates), l.b.name, median(l.b.rates), l.ratio().median)
	}
	if writes > 0 {
		if err := before.balanced(ctx, c, writes); err != nil {
			return r, err
		}
	}
	for _, m := range bulks() {
		if !b.selected(m.name) || b.than != "" || len(b.requests.sample.joiners) < m.members {
			continue
		}
		t, err := b.addMany(ctx, m, c)
		if err != nil {
			return r, fmt.Errorf("%s: %w", m.name, err)
		}
		r.bulks = append(r.bulks, bulkLine{m, t})
		fmt.Fprintf(b.progress, "%-64s bare SQL %.0f ms  Roster %.0f ms\n", m.title, median(t.bare)*1000, median(t.roster)*1000)
	}
	return r, nil
}

// measure checks that both sides of a workload do the same, then times them.
func (b *bench) measure(ctx context.Context, w workload, c *pgx.Conn) (l line, err error) {
	l.workload = w
	sa, sb := w.sides(b.requests, b.bare, b.roster)
	x, y := b.requests.changes()
	if b.than != "" && sa.server != sb.server {
		sa, x = &side{name: "before", server: b.bare, scripts: sb.scripts}, y
	}
	same := 0
	switch {
	case w.writes:
		if same, err = sameWrites(ctx, c, b.requests.sample.pairs, x, y, sa, sb); err != nil {
			return l, err
		}
	case sa.server != sb.server:
		if err := sameReads(sa, sb); err != nil {
			return l, err
		}
	}
	if _, err := c.Exec(ctx, "VACUUM (ANALYZE) groups, members, admins, changes"); err != nil {
		return l, err
	}
	between := func() error { return nil }
	if w.writes {
		between = func() error { return b.checkpoint(ctx) }
	}
	if err := b.checkpoint(ctx); err != nil {
		return l, err
	}
	l.a, l.b, err = b.compare(ctx, sa, sb, between)
	l.b.writes += same
	if err == nil && b.profiles != "" {
		err = b.profiled(ctx, w.name, sb, &l)
	}
	return l, err
}

// checkpoint comes before each burst of writes: the first write to a page after one is the dearer, and now that is so for both.
func (b *bench) checkpoint(ctx context.Context) error { return execute(ctx, b.url, "CHECKPOINT") }

// profiled loads Roster once more and has it profiled meanwhile.
func (b *bench) profiled(ctx context.Context, name string, s *side, l *line) error {
	if err := s.connect(); err != nil {
		return err
	}
	defer s.disconnect()
	d := max(b.duration, 3*time.Second)
	done := make(chan error, 1)
	go func() { done <- profile(ctx, b.pprof, filepath.Join(b.profiles, name+".pprof"), d) }()
	got, err := s.load(b.postgres, d)
	l.b.writes += got.writes
	if err != nil {
		return err
	}
	return <-done
}

// walk finds the cursors at nine tenths of the list of groups, as a client finds them: page by page, here from the end.
func (b *bench) walk(s size) error {
	conn, err := dial(b.roster.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	variables := object{}
	for left := int(s) / 10; left > 0; left -= 200 {
		status, body, err := conn.do(b.requests.roster.graphql(walkBack, variables))
		if err != nil {
			return err
		}
		places, err := placesOf(body)
		if err != nil || len(places) == 0 {
			return fmt.Errorf("walking back: answer %d (%v): %.300s", status, err, body)
		}
		b.requests.sample.deep, variables["before"] = places, places[0].cursor
	}
	return nil
}

// placesOf reads an answer to walkBack.
func placesOf(body []byte) (places []place, err error) {
	var a struct {
		Data struct {
			Groups struct {
				Edges []struct {
					Cursor string
					Node   struct{ Name string }
				}
			}
		}
	}
	err = json.Unmarshal(body, &a)
	for _, e := range a.Data.Groups.Edges {
		places = append(places, place{e.Cursor, e.Node.Name})
	}
	return places, err
}
