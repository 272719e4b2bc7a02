package main

import "testing"

func TestGCPercent(t *testing.T) {
	for _, row := range []struct {
		live uint64
		want int
	}{{0, 1600}, {4 << 20, 1600}, {16 << 20, 400}, {64 << 20, 100}, {1 << 30, 100}} {
		if got := gcPercent(row.live); got != row.want {
			t.Errorf("with %d bytes alive: %d percent, want %d", row.live, got, row.want)
		}
	}
}

// TestQuiet: after load, and only then, memory is given back some times.
func TestQuiet(t *testing.T) {
	t.Parallel()
	var q quiet
	var allocated uint64
	given := func(each uint64, ticks int) (n int) {
		for range ticks {
			if allocated += each; q.trims(allocated) {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		each  uint64
		ticks int
		want  int
	}{{quietBytes * 2, 100, 0}, {quietBytes, quietAfter - 1, 0}, {quietBytes, trims + 50, trims}, {quietBytes + 1, 1, 0}, {0, quietAfter + trims, trims}, {0, 1000, 0}} {
		if got := given(step.each, step.ticks); got != step.want {
			t.Errorf("%d ticks of %d bytes give memory back %d times, want %d", step.ticks, step.each, got, step.want)
		}
	}
}
