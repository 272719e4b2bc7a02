package directory_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// receiver stands for the addresses of webhooks: it takes down what it is sent, in order, and answers as it is told to.
type receiver struct {
	t      testing.TB
	answer func(m directory.WebhookMessage, n int) directory.WebhookAnswer // n counts from 0; nil: 204

	mu   sync.Mutex
	got  []directory.WebhookMessage
	busy map[string]int // the number of the message that is under way to a URL, from 1
}

func (*receiver) Check(url string) string {
	if !strings.HasPrefix(url, "https://") {
		return "It has to be https."
	}
	return ""
}

func (r *receiver) Send(_ context.Context, m directory.WebhookMessage) directory.WebhookAnswer {
	r.mu.Lock()
	if r.busy[m.URL] > 0 && !strings.Contains(string(m.Body), `"type":"test"`) {
		r.t.Errorf("%s is sent two messages at once", m.URL)
	}
	n := len(r.got)
	r.got = append(r.got, m)
	r.busy[m.URL] = n + 1
	answer := r.answer
	r.mu.Unlock()
	a := directory.WebhookAnswer{Status: http.StatusNoContent}
	if answer != nil {
		a = answer(m, n)
	}
	r.over(m.URL, n)
	return a
}

// over says that message n is no longer under way.
func (r *receiver) over(url string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[url] == n+1 {
		delete(r.busy, url)
	}
}

// answers has it answer otherwise from now on.
func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(directory.WebhookMessage, int) directory.WebhookAnswer {
		return directory.WebhookAnswer{Status: status}
	}
}

// messages are what came so far, to one address or to all.
func (r *receiver) messages(url string) []directory.WebhookMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.got), func(m directory.WebhookMessage) bool { return url != "" && m.URL != url })
}

// ids are the ids of what came to an address.
func (r *receiver) ids(url string) []string {
	ids := []string{}
	for _, m := range r.messages(url) {
		ids = append(ids, m.ID)
	}
	return ids
}

// clock is one that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// hooked is a world whose webhooks lead to a receiver.
type hooked struct {
	*world
	receiver *receiver
	clock    *clock
	config   directory.Config

	mu   sync.Mutex
	told []string // what the operator heard
}

const hookURL = "https://example.org/hook"

func newHooked(t testing.TB) *hooked {
	t.Helper()
	h := &hooked{world: newWorld(t), receiver: &receiver{t: t, busy: map[string]int{}}, clock: &clock{}}
	h.config = directory.Config{Store: h.store, TokenKey: []byte("a key for tests"), Webhooks: h.receiver, Now: h.clock.now,
		OnWebhook: func(id string, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.told = append(h.told, id+" "+err.Error())
		}}
	h.Service = directory.New(h.config)
	return h
}

// replica is one more server of the same directory and the same receiver, with connections of its own.
func (h *hooked) server() *directory.Service {
	h.t.Helper()
	store, err := db.Open(db.Options{URL: h.url})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = store.Close() })
	c := h.config
	c.Store = store
	return directory.New(c)
}

// deliver has a server deliver until stop, which waits for its end, or until the test ends.
func (h *hooked) deliver(s *directory.Service) (stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.DeliverWebhooks(ctx)
	}()
	stop = func() { cancel(); <-done }
	h.t.Cleanup(stop)
	return stop
}

// hook makes a webhook of the first administrator's and gives its id and its secret.
func (h *hooked) hook(in directory.CreateWebhookInput) (id, secret string) {
	h.t.Helper()
	return h.hookOf(h.root(), in)
}

func (h *hooked) hookOf(by directory.Caller, in directory.CreateWebhookInput) (id, secret string) {
	h.t.Helper()
	if in.URL == "" {
		in.URL = hookURL
	}
	p := h.did(h.CreateWebhook(h.t.Context(), by, in, directory.Want(directory.Link{Key: "webhook", Field: "webhook"})))
	hook, err := directory.Linked[*directory.Webhook](p, "webhook")
	if err != nil {
		h.t.Fatal(err)
	}
	return hook.ID(), p.Secret
}

// update changes a webhook as the first administrator.
func (h *hooked) update(id string, in directory.UpdateWebhookInput) *directory.Payload {
	h.t.Helper()
	in.Webhook = id
	return h.did(h.UpdateWebhook(h.t.Context(), h.root(), in, nothing))
}

// look reads a webhook.
func (h *hooked) look(id string) *directory.Webhook {
	h.t.Helper()
	hook, err := h.Webhook(h.t.Context(), h.root(), id, directory.Selection{Fields: []string{"url", "description", "filter", "enabled", "state", "reason", "failingSince",
		"nextAttemptAt", "position", "createdAt", "updatedAt"}})
	if err != nil || hook == nil {
		h.t.Fatal("no webhook ", id, err)
	}
	return hook
}

// until waits until something of a webhook is so, and has it looked after meanwhile.
func (h *hooked) until(id, what string, so func(*directory.Webhook) bool) *directory.Webhook {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		hook := h.look(id)
		if so(hook) {
			return hook
		}
		h.WakeWebhooks()
		select {
		case <-tick.C:
		case <-ctx.Done():
			h.t.Fatalf("waited too long for the webhook to be %s: %+v", what, hook)
		}
	}
}

// untilFailing waits until a webhook is failing and nobody holds it.
func (h *hooked) untilFailing(id string) {
	h.t.Helper()
	h.until(id, "failing", func(w *directory.Webhook) bool { return w.State == directory.WebhookStateFailing && h.unheld(id) })
}

// untilDead waits until a webhook is dead and gives the reason.
func (h *hooked) untilDead(id string) directory.WebhookReason {
	h.t.Helper()
	hook := h.until(id, "dead", func(w *directory.Webhook) bool { return w.State == directory.WebhookStateDead })
	return *hook.Reason
}

// untilSettled waits until a webhook was told all that there is.
func (h *hooked) untilSettled(ids ...string) {
	h.t.Helper()
	h.settle()
	for _, id := range ids {
		_, uid, err := directory.ParseID(id)
		if err != nil {
			h.t.Fatal(err)
		}
		h.WakeWebhooks()
		h.await("the webhook to be told all", `SELECT lease IS NULL AND state = 'ACTIVE' AND NOT EXISTS (SELECT 1 FROM changes c WHERE (c.tx, c.seq) > (w.tx, w.seq))
			FROM webhooks w WHERE id = $1::uuid`, uid.String())
	}
}

// mail changes ann's address, which is one change, and gives its id.
func (h *hooked) mail(to string) string {
	h.t.Helper()
	p := h.did(h.UpdateUser(h.t.Context(), h.root(), directory.UpdateUserInput{User: *named("ann")[0], Email: directory.Some(to)}, withChanges))
	return changesOf(h.t, p)[0].ID()
}

// event is a message's body.
type event struct {
	Type, Timestamp string
	Data            struct {
		ID, Cursor, Kind, At, Actor, Via, RequestID string
		GroupID, GroupName, UserID, Username        *string
		Before, After                               json.RawMessage
	}
}

func eventOf(t testing.TB, m directory.WebhookMessage) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	return e
}
