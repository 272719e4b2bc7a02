package limit

import (
	"sync"

	"github.com/google/uuid"

	"roster/internal/directory"
)

// Slots bound what callers hold open at once, each and all together, such as subscriptions.
type Slots struct {
	perCaller, total int
	mu               sync.Mutex
	taken            map[uuid.UUID]int
	sum              int
}

// NewSlots has so many for each caller, and so many in total.
func NewSlots(perCaller, total int) *Slots {
	return &Slots{perCaller: perCaller, total: total, taken: map[uuid.UUID]int{}}
}

// Take takes a slot until release is called, more than once or not; false if the caller, or the server, has none left. Callers are
// told apart as a Budget tells them.
func (s *Slots) Take(by directory.Caller) (release func(), ok bool) {
	key := keyOf(by)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum >= s.total || s.taken[key] >= s.perCaller {
		return nil, false
	}
	s.sum++
	s.taken[key]++
	return sync.OnceFunc(func() { s.free(key) }), true
}

func (s *Slots) free(key uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum--
	if s.taken[key]--; s.taken[key] == 0 {
		delete(s.taken, key)
	}
}
