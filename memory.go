package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// A small heap is collected often for little: at Go's default, a server with 10 MB of live data and 3,000 requests a second spends a
// tenth of its time so. What matters is memory, and of that there is enough for some room beyond what lives.
const (
	heapRoom  = 64 << 20
	usualGC   = 100 // percent of what lives, Go's default
	tuneEvery = time.Second
)

// A server is quiet when it allocates next to nothing for some seconds. Then it gives back what it needed under load: nothing would
// make it collect garbage for minutes, and stacks shrink only then, by half each time.
const (
	quietBytes = 1 << 20 // in tuneEvery: probes and the feed's ticks are less
	quietAfter = 5       // ticks
	trims      = 3       // halves a stack from 64 kB to the 8 that it begins with
)

// noHeapProfile has nobody note where memory is taken, once in 512 kB, for a profile that cannot be had: that is a fortieth of what a page
// of a list takes.
var noHeapProfile = sync.OnceFunc(func() { runtime.MemProfileRate = 0 })

// tuneGC lets the heap grow by heapRoom, or by what lives if that is more, between collections, and gives memory back when it is
// quiet, until ctx is done.
func tuneGC(ctx context.Context) {
	tick := time.NewTicker(tuneEvery)
	defer tick.Stop()
	defer debug.SetGCPercent(usualGC)
	read := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	var q quiet
	for set := usualGC; ; {
		metrics.Read(read)
		if want := gcPercent(read[0].Value.Uint64()); want < set*4/5 || want > set*5/4 { // each change stops the world for a moment
			set = want
			debug.SetGCPercent(set)
		}
		if q.trims(read[1].Value.Uint64()) {
			debug.FreeOSMemory()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// quiet follows what has been allocated in all.
type quiet struct {
	allocated uint64
	ticks     int
}

// trims reports whether memory is to be given back now; it hears once a tick.
func (q *quiet) trims(allocated uint64) bool {
	if allocated-q.allocated > quietBytes {
		q.ticks = 0
	}
	q.allocated = allocated
	q.ticks++
	return q.ticks > quietAfter && q.ticks <= quietAfter+trims
}

// gcPercent is GOGC for so much that lives.
func gcPercent(live uint64) int {
	live = max(live, 4<<20)
	return max(usualGC, int(heapRoom*100/live)) //nolint:gosec // at most heapRoom, since live is not 0
}
