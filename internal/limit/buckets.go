package limit

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// buckets are token buckets by key, each of which holds a minute's worth. Of too many, the one unused for longest is forgotten: it
// begins full again.
type buckets[K comparable] struct {
	perMinute int
	now       func() time.Time
	mu        sync.Mutex
	all       *simplelru.LRU[K, *rate.Limiter]
}

func newBuckets[K comparable](perMinute, most int, now func() time.Time) *buckets[K] {
	all, err := simplelru.NewLRU[K, *rate.Limiter](most, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &buckets[K]{perMinute: perMinute, now: now, all: all}
}

// of is the bucket of a key, a new one if it has none.
func (b *buckets[K]) of(key K) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.all.Get(key)
	if !ok {
		l = rate.NewLimiter(rate.Limit(float64(b.perMinute)/60), b.perMinute)
		b.all.Add(key, l)
	}
	return l
}

// known is the bucket of a key that has one.
func (b *buckets[K]) known(key K) (*rate.Limiter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Get(key)
}

// time is how long so many tokens take to grow back.
func (b *buckets[K]) time(tokens float64) time.Duration {
	return time.Duration(max(0, tokens) / float64(b.perMinute) * float64(time.Minute))
}
