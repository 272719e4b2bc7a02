package db

import (
	"context"
	"sync"
	"time"
)

// queues has those that want the same thing come one after the other, within this process. It keeps nobody's order but Go's.
type queues[K comparable] struct {
	mu  sync.Mutex
	all map[K]*queue
}

// queue is of those that want one thing.
type queue struct {
	turn chan struct{} // holds one, of who has the thing
	n    int           // who have it or wait
}

func newQueues[K comparable]() *queues[K] { return &queues[K]{all: map[K]*queue{}} }

// enter waits for the turn of a key. The turn is over when leave is called, which has to be; nil if it did not come in time.
func (qs *queues[K]) enter(ctx context.Context, key K, inTime time.Duration) (leave func(), err error) {
	qs.mu.Lock()
	q := qs.all[key]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		qs.all[key] = q
	}
	q.n++
	qs.mu.Unlock()
	leave = func() {
		<-q.turn
		qs.gone(key, q)
	}
	select {
	case q.turn <- struct{}{}:
		return leave, nil
	default:
	}
	late := time.NewTimer(inTime)
	defer late.Stop()
	select {
	case q.turn <- struct{}{}:
		return leave, nil
	case <-late.C:
	case <-ctx.Done():
		err = translate(ctx.Err()) // as a statement says it
	}
	qs.gone(key, q)
	return nil, err
}

func (qs *queues[K]) gone(key K, q *queue) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if q.n--; q.n == 0 {
		delete(qs.all, key)
	}
}
