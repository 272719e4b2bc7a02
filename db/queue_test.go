package db

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestQueues: of one key there is never more than one, and nothing is left when all have gone.
func TestQueues(t *testing.T) {
	t.Parallel()
	qs := newQueues[int]()
	var inside [3]atomic.Int32
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			key := i % len(inside)
			for range 100 {
				leave, err := qs.enter(t.Context(), key, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside[key].Add(1); n != 1 {
					t.Errorf("%d at a time", n)
				}
				inside[key].Add(-1)
				leave()
			}
		})
	}
	all.Wait()
	if len(qs.all) != 0 {
		t.Errorf("%d queues are left", len(qs.all))
	}
}

// TestQueueLeft: who no longer waits is nobody's delay, and other keys wait for nobody.
func TestQueueLeft(t *testing.T) {
	t.Parallel()
	qs := newQueues[string]()
	leave, err := qs.enter(t.Context(), "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e *Error
	if _, err := qs.enter(ctx, "one", time.Minute); !errors.As(err, &e) || !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
	if leave, err := qs.enter(t.Context(), "one", time.Millisecond); leave != nil || err != nil {
		t.Errorf("a turn that did not come in time: %v", err)
	}
	other, err := qs.enter(t.Context(), "other", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	other()
	leave()
	again, err := qs.enter(t.Context(), "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	again()
	if len(qs.all) != 0 {
		t.Errorf("%d queues are left", len(qs.all))
	}
}
