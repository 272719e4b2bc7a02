package directory

import (
	"context"
	"sync"
	"time"
)

// webhookSurvey is how often webhooks are counted.
const webhookSurvey = 5 * time.Second

// WebhooksState is how webhooks stand, all of the directory's, for who watches over them.
type WebhooksState struct {
	Active, Failing, Dead, Off int
	// Lag is since when the oldest change waits that an active webhook was not told of, FailingLag that a failing one was not; 0 if none waits.
	Lag, FailingLag time.Duration
}

// survey is the last look at all webhooks.
type survey struct {
	mu   sync.Mutex
	seen WebhooksState
	at   time.Time
}

// WebhooksState looks at the webhooks as they were counted last, a few seconds ago at most, without asking Postgres. While it cannot be asked
// what waits goes on waiting.
func (s *Service) WebhooksState() WebhooksState {
	v := &s.hooks.survey
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.seen
	if late := time.Since(v.at) - webhookSurvey; late > 0 {
		now.Lag, now.FailingLag = older(now.Lag, late), older(now.FailingLag, late)
	}
	return now
}

// older is the age of what waits, some time later.
func older(lag, later time.Duration) time.Duration {
	if lag == 0 {
		return 0
	}
	return lag + later
}

// surveys counts the webhooks, if it is time to.
func (h *hooks) surveys(ctx context.Context) {
	h.survey.mu.Lock()
	due := time.Since(h.survey.at) >= webhookSurvey
	h.survey.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, webhookStep)
	defer cancel()
	counts, err := h.s.store.CountWebhookStates(ctx)
	if err != nil {
		return // whoever looks for what is due, each second, says why
	}
	var now WebhooksState
	for _, c := range counts {
		switch WebhookState(c.State) {
		case WebhookStateActive:
			now.Active, now.Lag = c.Count, c.Lag
		case WebhookStateFailing:
			now.Failing, now.FailingLag = c.Count, c.Lag
		case WebhookStateDead:
			now.Dead = c.Count
		default:
			now.Off = c.Count
		}
	}
	h.survey.mu.Lock()
	defer h.survey.mu.Unlock()
	h.survey.seen, h.survey.at = now, time.Now()
}
