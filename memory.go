package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A small heap is collected often for little: at Go's default, a server with 10 MB of live data and 3,000 requests a second spends a
// tenth of its time so. What matters is memory, and of that there is enough for some room beyond what lives.
const (
	heapRoom  = 64 << 20
	usualGC   = 100 // percent of what lives, Go's default
	tuneEvery = time.Second
)

// tuneGC lets the heap grow by heapRoom, or by what lives if that is more, between collections, until ctx is done.
func tuneGC(ctx context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(tuneEvery)
	defer tick.Stop()
	defer debug.SetGCPercent(usualGC)
	for set := usualGC; ; {
		metrics.Read(live)
		if want := gcPercent(live[0].Value.Uint64()); want < set*4/5 || want > set*5/4 { // each change stops the world for a moment
			set = want
			debug.SetGCPercent(set)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// gcPercent is GOGC for so much that lives.
func gcPercent(live uint64) int {
	live = max(live, 4<<20)
	return max(usualGC, int(heapRoom*100/live)) //nolint:gosec // at most heapRoom, since live is not 0
}
