package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// connections is how many clients there are at a time.
const connections = 16

// side is one of the two that a workload compares: a server and what it is sent.
type side struct {
	name    string
	server  *server
	scripts []script
	clients []*worker
}

// worker is one connection with its part of the scripts: every sixteenth, so that no two write to one group.
type worker struct {
	*connection
	next      int
	latencies []time.Duration
	requests  int
	writes    int
	err       error
}

func (s *side) connect() error {
	for i := range connections {
		c, err := dial(s.server.addr)
		if err != nil {
			return err
		}
		s.clients = append(s.clients, &worker{connection: c, next: i})
	}
	return nil
}

func (s *side) disconnect() {
	for _, w := range s.clients {
		_ = w.Close() // there is nothing more to be heard
	}
	s.clients = nil
}

// good is how every right answer begins, GraphQL's without errors.
var good = []byte(`{"data":{`)

// take is the next of the worker's scripts.
func (w *worker) take(scripts []script) *script {
	s := &scripts[w.next%len(scripts)]
	w.next += connections
	return s
}

// work sends whole scripts until the time is over.
func (w *worker) work(scripts []script, until time.Time) {
	for time.Now().Before(until) {
		s := w.take(scripts)
		for _, r := range s.requests {
			began := time.Now()
			status, body, err := w.do(r)
			if err == nil && (status != 200 || !bytes.HasPrefix(body, good)) {
				err = fmt.Errorf("answer %d: %.300s\nto %.300s", status, body, r)
			}
			if w.err = err; err != nil {
				return
			}
			w.latencies = append(w.latencies, time.Since(began))
			w.requests++
		}
		w.writes += s.writes
	}
}

// burst is what came of some seconds of load.
type burst struct {
	rate             float64 // requests a second
	requests, writes int
	latencies        []time.Duration
	server, postgres time.Duration // on a processor
}

// load keeps all connections of a side busy.
func (s *side) load(p *postgres, d time.Duration) (b burst, err error) {
	for _, w := range s.clients {
		w.latencies, w.requests, w.writes = w.latencies[:0], 0, 0
	}
	serverBefore, _, _ := cpuOf(s.server.cmd.Process.Pid)
	before := p.cpu()
	began := time.Now()
	var all sync.WaitGroup
	for _, w := range s.clients {
		all.Go(func() { w.work(s.scripts, began.Add(d)) })
	}
	all.Wait()
	took := time.Since(began)
	serverAfter, _, _ := cpuOf(s.server.cmd.Process.Pid)
	b.server = serverAfter - serverBefore
	for pid, t := range p.cpu() {
		b.postgres += t - before[pid]
	}
	for _, w := range s.clients {
		if w.err != nil {
			return b, fmt.Errorf("%s: %w", s.name, w.err)
		}
		b.requests += w.requests
		b.writes += w.writes
		b.latencies = append(b.latencies, w.latencies...)
	}
	b.rate = float64(b.requests) / took.Seconds()
	return b, nil
}

// measured is a side after all rounds.
type measured struct {
	name             string
	rates            []float64
	p50, p99         time.Duration
	requests, writes int
	server, postgres time.Duration
}

func (m *measured) add(b burst) {
	m.rates = append(m.rates, b.rate)
	m.requests += b.requests
	m.writes += b.writes
	m.server += b.server
	m.postgres += b.postgres
}

// perThousand is processor time, in seconds for a thousand requests.
func (m *measured) perThousand(d time.Duration) float64 {
	if m.requests == 0 {
		return 0
	}
	return d.Seconds() * 1000 / float64(m.requests)
}

// compare loads the two sides in turns, each round the other one first; before comes before each burst.
func (b *bench) compare(ctx context.Context, x, y *side, before func() error) (mx, my measured, err error) {
	sides, results := [2]*side{x, y}, [2]*measured{&mx, &my}
	var latencies [2][]time.Duration
	for i, s := range sides {
		results[i].name = s.name
		if err := s.connect(); err != nil {
			return mx, my, err
		}
		defer s.disconnect()
		w, err := s.load(b.postgres, max(b.duration/3, 500*time.Millisecond))
		if err != nil {
			return mx, my, err
		}
		results[i].writes += w.writes
	}
	for round := range b.rounds {
		for k := range sides {
			i := (k + round) % 2
			if err := errors.Join(ctx.Err(), before()); err != nil {
				return mx, my, err
			}
			got, err := sides[i].load(b.postgres, b.duration)
			if err != nil {
				return mx, my, err
			}
			results[i].add(got)
			latencies[i] = append(latencies[i], got.latencies...)
		}
	}
	for i, m := range results {
		slices.Sort(latencies[i])
		m.p50, m.p99 = quantile(latencies[i], 0.50), quantile(latencies[i], 0.99)
	}
	return mx, my, nil
}
