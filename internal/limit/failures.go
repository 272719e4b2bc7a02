package limit

import (
	"net/netip"
	"time"
)

// maxAddresses is how many addresses are remembered. Which one has been forgotten begins with all its failures again.
const maxAddresses = 10_000

// Failures counts what goes wrong by the address that it comes from: each may fail so many times a minute, and at once. An IPv6 client has
// a /64 to choose addresses from, so that is one. A nil Failures counts nothing.
type Failures struct{ *buckets[netip.Prefix] }

// NewFailures allows so many a minute; nil, which allows any number, for none.
func NewFailures(perMinute int, now func() time.Time) *Failures {
	if perMinute <= 0 {
		return nil
	}
	return &Failures{newBuckets[netip.Prefix](perMinute, maxAddresses, now)}
}

// Wait is how long until the address may fail again; 0 if it may now. Asking costs nothing.
func (f *Failures) Wait(from netip.Addr) time.Duration {
	l, ok := f.known(network(from))
	if !ok {
		return 0
	}
	return f.time(1 - l.TokensAt(f.now()))
}

// Count counts a failure, also one beyond what is allowed: checks that began together may all fail.
func (f *Failures) Count(from netip.Addr) {
	f.of(network(from)).AllowN(f.now(), 1)
}

// network is what one client is taken to have of the address's kind.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // the zero Prefix, for all whose address is not known
	return p
}
