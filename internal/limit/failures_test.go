package limit_test

import (
	"net/netip"
	"testing"
	"time"

	"roster/internal/limit"
)

// An address may fail as often as is said, then waits until one failure has grown back; asking costs nothing, and others are not held to it.
func TestFailures(t *testing.T) {
	t.Parallel()
	at := clock{time.Unix(1e9, 0)}
	f := limit.NewFailures(60, at.now)
	wait := func(from string, want time.Duration) {
		t.Helper()
		for range 2 {
			if got := f.Wait(netip.MustParseAddr(from)); got != want {
				t.Errorf("%s waits for %s, want %s", from, got, want)
			}
		}
	}
	for range 59 {
		f.Count(netip.MustParseAddr("192.0.2.1"))
	}
	wait("192.0.2.1", 0)
	f.Count(netip.MustParseAddr("192.0.2.1"))
	wait("192.0.2.1", time.Second)
	f.Count(netip.MustParseAddr("192.0.2.1")) // which began before
	wait("192.0.2.1", time.Second)
	wait("192.0.2.2", 0)
	at.Time = at.Add(999 * time.Millisecond)
	wait("192.0.2.1", time.Millisecond)
	at.Time = at.Add(time.Millisecond)
	wait("192.0.2.1", 0)

	for range 60 {
		f.Count(netip.MustParseAddr("2001:db8:0:1::1"))
	}
	wait("2001:db8:0:1:ffff::", time.Second)
	wait("2001:db8:0:2::1", 0)
	wait("192.0.2.2", 0)

	for range 60 {
		f.Count(netip.Addr{}) // not known: all of them are one
	}
	if f.Wait(netip.Addr{}) != time.Second {
		t.Error("clients of no address are not counted")
	}
}

// However many addresses there are, only so many are remembered.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	f := limit.NewFailures(1, (&clock{time.Unix(1e9, 0)}).now)
	first := netip.MustParseAddr("10.0.0.0")
	at := first
	for range 10_001 {
		f.Count(at)
		at = at.Next()
	}
	if f.Wait(first) != 0 || f.Wait(first.Next()) == 0 {
		t.Error("it is not the oldest of 10,001 that is forgotten")
	}
}
