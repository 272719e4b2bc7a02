package directory_test

import (
	"strings"
	"testing"
	"time"

	"roster/internal/directory"
)

// TestWebhooksState: webhooks are counted by how delivery goes, and what waits has the age of the oldest change that an enabled one was not told of;
// what waits for one that is dead or turned off is nobody's delay.
func TestWebhooksState(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.receiver.answer = func(m directory.WebhookMessage, _ int) directory.WebhookAnswer {
		status := 204
		for name, s := range map[string]int{"failing": 503, "gone": 410} {
			if strings.Contains(m.URL, name) {
				status = s
			}
		}
		return directory.WebhookAnswer{Status: status}
	}
	look := func(ago time.Duration) directory.WebhooksState {
		h.SurveyWebhooks(t.Context(), ago)
		return h.WebhooksState()
	}
	if got := look(time.Hour); got != (directory.WebhooksState{}) {
		t.Errorf("without webhooks it is %+v", got)
	}
	off := false
	active, _ := h.hook(directory.CreateWebhookInput{})
	failing, _ := h.hook(directory.CreateWebhookInput{URL: "https://failing.example.org"})
	gone, _ := h.hook(directory.CreateWebhookInput{URL: "https://gone.example.org"})
	h.hook(directory.CreateWebhookInput{URL: "https://off.example.org", Enabled: &off})
	h.mail("ann@a.example.org")
	h.settle()
	h.exec(`UPDATE changes SET at = at - interval '1 hour'`)
	got := look(0)
	if got.Lag < time.Hour || got.Lag > 2*time.Hour || got.FailingLag != 0 || got.Active != 3 || got.Off != 1 {
		t.Errorf("before anything is delivered it is %+v", got)
	}
	stop := h.deliver(h.Service)
	h.untilDead(gone)
	h.untilSettled(active)
	h.until(failing, "failing", func(w *directory.Webhook) bool { return w.State == directory.WebhookStateFailing })
	stop()
	got = look(0)
	if got.Active != 1 || got.Failing != 1 || got.Dead != 1 || got.Off != 1 || got.Lag != 0 || got.FailingLag < time.Hour {
		t.Errorf("afterwards it is %+v", got)
	}
	if later := look(time.Hour); later.FailingLag < 2*time.Hour-time.Minute || later.Lag != 0 {
		t.Errorf("when nobody could look for an hour, it is %+v", later)
	}
	h.did(h.DeleteWebhook(t.Context(), h.root(), directory.DeleteWebhookInput{Webhook: failing}, nothing))
	if got = look(0); got.Failing != 0 || got.FailingLag != 0 {
		t.Errorf("when it is deleted, it is %+v", got)
	}
}
