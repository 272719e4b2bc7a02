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
