package directory_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"roster/internal/directory"
)

// TestWebhookRounds keeps as many webhooks busy as a server delivers to at once: one more, the last in every order, is told what there is
// all the same, as soon as one of them has had its turn.
func TestWebhookRounds(t *testing.T) {
	t.Parallel()
	const slots, most = 16, 5
	h := newHooked(t)
	h.users("ann")
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	for i := range slots {
		h.hook(directory.CreateWebhookInput{URL: fmt.Sprintf("https://example.org/busy/%d", i), Filter: filter})
	}
	h.hook(directory.CreateWebhookInput{Filter: filter})
	var mu sync.Mutex
	arrived, rounds, round, over := 0, 0, make(chan struct{}), false
	end := func() {
		if over = true; arrived > 0 {
			close(round)
		}
	}
	h.receiver.answer = func(m directory.WebhookMessage, _ int) directory.WebhookAnswer {
		mu.Lock()
		defer mu.Unlock()
		ok := directory.WebhookAnswer{Status: http.StatusOK}
		switch {
		case over:
			return ok
		case m.URL == hookURL:
			end()
			return ok
		}
		// The busy ones wait for each other; the last of them sees to it that there is more for all.
		if arrived++; arrived < slots {
			wait := round
			mu.Unlock()
			<-wait
			mu.Lock()
			return ok
		}
		if rounds++; rounds == most {
			t.Errorf("after %d rounds of the others it has been told nothing", rounds)
			end()
			return ok
		}
		h.mail(fmt.Sprint("round ", rounds))
		close(round)
		arrived, round = 0, make(chan struct{})
		return ok
	}
	h.mail("0")
	h.settle()
	h.deliver(h.Service)
	for ctx := patience(t); ; {
		mu.Lock()
		done := over
		mu.Unlock()
		if done {
			return
		}
		h.WakeWebhooks()
		select {
		case <-ctx.Done():
			t.Fatal("waited too long for the rounds to be over")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
