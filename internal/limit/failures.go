package limit

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxAddresses is how many addresses are remembered. Which one has been forgotten begins with all its failures again.
const maxAddresses = 10_000

// Failures counts what goes wrong by the address that it comes from: each may fail so many times a minute, and at once. An IPv6 client has
// a /64 to choose addresses from, so that is one. A nil Failures counts nothing.
type Failures struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	addresses *simplelru.LRU[netip.Prefix, *rate.Limiter]
}

// NewFailures allows so many a minute; nil, which allows any number, for none.
func NewFailures(perMinute int, now func() time.Time) *Failures {
	if perMinute <= 0 {
		return nil
	}
	addresses, err := simplelru.NewLRU[netip.Prefix, *rate.Limiter](maxAddresses, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &Failures{perMinute: perMinute, now: now, addresses: addresses}
}

// Wait is how long until the address may fail again; 0 if it may now. Asking costs nothing.
func (f *Failures) Wait(from netip.Addr) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.addresses.Get(network(from))
	if !ok {
		return 0
	}
	missing := 1 - l.TokensAt(f.now())
	return time.Duration(max(0, missing) / float64(f.perMinute) * float64(time.Minute))
}

// Count counts a failure, also one beyond what is allowed: checks that began together may all fail.
func (f *Failures) Count(from netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.addresses.Get(network(from))
	if !ok {
		l = rate.NewLimiter(rate.Limit(float64(f.perMinute)/60), f.perMinute)
		f.addresses.Add(network(from), l)
	}
	l.AllowN(f.now(), 1)
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
