//go:build soak

package directory_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/internal/directory"
)

var (
	soakTime   = flag.Duration("soak", time.Minute, "how long to write")
	soakIdle   = flag.Int("idle", 2000, "streams of which nothing comes")
	soakActive = flag.Int("active", 200, "streams of everything")
)

// TestSoakFeed writes with 16 writers for a while, with stalls, rollbacks and connections cut, and counts what comes.
func TestSoakFeed(t *testing.T) {
	w := newWorld(t)
	w.manyUsers(200)
	for i := range 3 {
		w.group(fmt.Sprintf("g%d", i), "", "u0 u1", false)
	}
	w.settle()
	begin := len(w.log("true"))
	reader := &soakReader{s: w.Service, seen: map[string]int{}}
	reader.cursor = w.cursorNow(nil)
	ctx, cancel := context.WithCancel(t.Context())
	var reading, writing sync.WaitGroup
	reading.Go(func() { reader.follow(ctx) })
	until := time.Now().Add(*soakTime)
	r := rand.New(rand.NewPCG(1, 2))
	for range 16 {
		own := own(r)
		writing.Go(func() {
			for time.Now().Before(until) {
				_ = w.writeSomething(own)
			}
		})
	}
	writing.Go(func() {
		own := own(r)
		for time.Now().Before(until) {
			w.disturb(own, 1)
			pauseFor(time.Second)
		}
	})
	writing.Wait()
	w.settle()
	written := w.log("true")[begin:]
	for end := time.Now().Add(10 * time.Second); reader.count() < len(written) && time.Now().Before(end); {
		pauseFor(10 * time.Millisecond)
	}
	cancel()
	reading.Wait()
	lost, repeated, disordered := 0, 0, 0
	for _, id := range written {
		switch n := reader.seen[id]; {
		case n == 0:
			lost++
		case n > 1:
			repeated += n - 1
		}
	}
	for i, id := range reader.order {
		if i < len(written) && written[i] != id {
			disordered++
		}
	}
	slices.Sort(reader.lags)
	t.Logf("16 writers, %v, %d reconnections of the reader: written %d, delivered %d, lost %d, repeated %d, out of order %d; lag from the write to the reader p50 %v p99 %v",
		*soakTime, reader.again, len(written), len(reader.order), lost, repeated, disordered, reader.lag(0.5), reader.lag(0.99))
	if lost+repeated+disordered > 0 {
		t.Fail()
	}
}

func pauseFor(d time.Duration) { <-time.After(d) }

type soakReader struct {
	s      *directory.Service
	cursor *string
	mu     sync.Mutex
	seen   map[string]int
	order  []string
	lags   []time.Duration
	again  int
}

func (r *soakReader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.order)
}

func (r *soakReader) lag(p float64) time.Duration {
	if len(r.lags) == 0 {
		return 0
	}
	return r.lags[int(p*float64(len(r.lags)-1))].Round(100 * time.Microsecond)
}

func (r *soakReader) follow(ctx context.Context) {
	for ; ctx.Err() == nil; r.again++ {
		st, err := r.s.Subscribe(ctx, directory.System(), directory.StreamArgs{After: r.cursor}, wantedOfChanges)
		if err != nil {
			continue
		}
		for err == nil {
			var edges []*directory.ChangeEdge
			edges, err = st.Next(ctx)
			now := time.Now()
			r.mu.Lock()
			for _, e := range edges {
				id := e.Node.ID()
				r.seen[id]++
				r.order = append(r.order, id)
				r.lags = append(r.lags, now.Sub(e.Node.At))
				r.cursor = &e.Cursor
			}
			r.mu.Unlock()
		}
		st.Close()
	}
}

// TestSoakStreams has many idle and some active streams, and tells what they take.
func TestSoakStreams(t *testing.T) {
	w := newWorld(t)
	w.manyUsers(*soakIdle)
	w.group("g0", "", "u0 u1", false)
	w.group("g1", "", "u0", false)
	w.group("g2", "", "u0", false)
	w.settle()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := heap()
	nothingOf := &directory.ChangeFilter{Group: ptr(directory.GroupByUUID(w.uuidOf(`SELECT gen_random_uuid()`)))}
	idle := make([]directory.Caller, 0, *soakIdle)
	w.exec(`INSERT INTO tokens (id, user_id, prefix, hash, expiration, scopes) SELECT gen_random_uuid(), id, 'p', decode(md5(username), 'hex'), 'PERSISTENT', '{CHANGES_VIEW}'
		FROM users WHERE username LIKE 'u%'`)
	for i := range *soakIdle {
		idle = append(idle, w.callerWithHash(fmt.Sprintf("u%d", i)))
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var delivered atomic.Int64
	var mu sync.Mutex
	var lags []time.Duration
	open := func(by directory.Caller, filter *directory.ChangeFilter, each func([]*directory.ChangeEdge)) {
		st, err := w.Subscribe(ctx, by, directory.StreamArgs{Filter: filter}, wantedOfChanges)
		if err != nil {
			t.Fatal(err)
		}
		st.Attach(ctx)
		all.Go(func() {
			defer st.Close()
			for {
				edges, err := st.Next(ctx)
				each(edges)
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	for _, by := range idle {
		open(by, nothingOf, func([]*directory.ChangeEdge) {})
	}
	afterIdle := heap()
	for range *soakActive {
		open(directory.System(), nil, func(edges []*directory.ChangeEdge) {
			now := time.Now()
			delivered.Add(int64(len(edges)))
			mu.Lock()
			defer mu.Unlock()
			for _, e := range edges {
				lags = append(lags, now.Sub(e.Node.At))
			}
		})
	}
	afterActive := heap()
	begin := len(w.log("true"))
	until := time.Now().Add(*soakTime / 2)
	var writing sync.WaitGroup
	r := rand.New(rand.NewPCG(1, 2))
	for range 2 {
		own := own(r)
		writing.Go(func() {
			for time.Now().Before(until) {
				_ = w.writeSomething(own)
				pauseFor(50 * time.Millisecond)
			}
		})
	}
	writing.Wait()
	w.settle()
	written := len(w.log("true")) - begin
	for end := time.Now().Add(20 * time.Second); delivered.Load() < int64(written**soakActive) && time.Now().Before(end); {
		pauseFor(10 * time.Millisecond)
	}
	busy := heap()
	slices.Sort(lags)
	sr := &soakReader{lags: lags}
	t.Logf("%d idle streams of as many callers: %.1f KB each; %d active ones: %.1f KB each; heap under load %.1f MB", *soakIdle, float64(afterIdle-before)/float64(*soakIdle)/1024,
		*soakActive, float64(afterActive-afterIdle)/float64(*soakActive)/1024, float64(busy)/(1<<20))
	t.Logf("%d changes in %v to %d active streams: delivered %d, expected %d; lag p50 %v p99 %v", written, *soakTime/2, *soakActive, delivered.Load(),
		written**soakActive, sr.lag(0.5), sr.lag(0.99))
	if delivered.Load() != int64(written**soakActive) {
		t.Fail()
	}
}

// callerWithHash is a user with the token whose hash is the digest of the name, as authentication would find it.
func (w *world) callerWithHash(user string) directory.Caller {
	return directory.CallerByHash(w.uuidOf(`SELECT id FROM users WHERE username = $1`, user), user)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
