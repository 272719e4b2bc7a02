package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// webhookReceiver verifies what comes by the library of Standard Webhooks, and hands on its type.
type webhookReceiver struct {
	*httptest.Server
	came   chan string
	secret atomic.Pointer[string]
	hold   chan struct{} // if it is not nil, an answer waits until it is closed
}

func newWebhookReceiver(t *testing.T, hold chan struct{}) *webhookReceiver {
	t.Helper()
	w := &webhookReceiver{came: make(chan string, 100), hold: hold}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		hook, err := standardwebhooks.NewWebhook(*w.secret.Load())
		if err != nil {
			t.Error(err)
		}
		if err := hook.Verify(body, r.Header); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		var e struct{ Type string }
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		w.came <- e.Type
		if w.hold != nil && e.Type != "test" {
			<-w.hold
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// next waits for a message and gives its type.
func (w *webhookReceiver) next(t *testing.T) string {
	t.Helper()
	select {
	case typ := <-w.came:
		return typ
	case <-time.After(patience):
		t.Fatal("no message came")
		return ""
	}
}

// hook makes a webhook and gives its id.
func (r *running) hook(t *testing.T, w *webhookReceiver, kinds string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": `mutation { createWebhook(input: {url: "` + w.URL + `/path-of-theirs", filter: {kinds: [` + kinds + `]}}) { secret webhook { id } } }`})
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Data struct {
			CreateWebhook struct {
				Secret  string
				Webhook struct{ ID string }
			}
		}
	}
	answer := r.send(t, http.MethodPost, "/graphql", adminToken, string(body))
	_, object, _ := strings.Cut(answer, "{")
	if err := json.Unmarshal([]byte("{"+object), &made); err != nil || made.Data.CreateWebhook.Secret == "" {
		t.Fatal(answer, err)
	}
	w.secret.Store(&made.Data.CreateWebhook.Secret)
	return made.Data.CreateWebhook.Webhook.ID
}

// TestWebhooks has the program tell a receiver of what is written, signed and in order, once it is allowed to send there; and nothing of
// the secret or the address is in the log.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"}
	w := newWebhookReceiver(t, nil)
	r := start(t, with)
	r.query(t, adminToken, `mutation { createWebhook(input: {url: "`+w.URL+`"}) { secret } }`, `"This address is not one of the public internet."`)
	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	with["ROSTER_WEBHOOKS_ALLOW"], with["ROSTER_LOG_LEVEL"] = "10.0.0.0/8, 127.0.0.0/8", "debug"
	r = start(t, with)
	id := r.hook(t, w, "GROUP_CREATED, GROUP_DELETED")
	r.query(t, adminToken, `mutation { testWebhook(input: {webhook: "`+id+`"}) { delivery { delivered statusCode } } }`, `{"delivered":true,"statusCode":200}`)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "g"}) { group { id } } deleteGroup(input: {group: {name: "g"}}) { deletedId } }`, `"deletedId":"grp_`)
	for _, want := range []string{"test", "group.created", "group.deleted"} {
		if got := w.next(t); got != want {
			t.Errorf("%s came, want %s", got, want)
		}
	}
	metrics := r.counts(t, `roster_webhook_attempts_total{outcome="2xx"} 3`, `roster_webhook_attempts_total{outcome="timeout"} 0`, `roster_webhook_attempt_seconds_count 3`,
		`roster_webhooks{state="active"} 1`, `roster_webhooks{state="dead"} 0`, `roster_webhook_lag_seconds{state="active"} `, `roster_webhook_lag_seconds{state="failing"} 0`)
	if strings.Contains(metrics, id) || strings.Contains(metrics, w.URL) {
		t.Error("a webhook is among the metrics")
	}
	if code := r.end(); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
	for _, secret := range []string{*w.secret.Load(), "path-of-theirs"} {
		if strings.Contains(r.stderr.String()+r.stdout.String(), secret) {
			t.Errorf("%s was printed", secret)
		}
	}
}

// TestWebhooksEndWithTheServer: a server that is told to end waits for the message that is under way, and says so to the next one: it is not sent twice.
func TestWebhooksEndWithTheServer(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_WEBHOOKS_ALLOW": "127.0.0.1"}
	hold := make(chan struct{})
	w := newWebhookReceiver(t, hold)
	r := startProcess(t, with)
	r.hook(t, w, "GROUP_CREATED")
	r.query(t, adminToken, `mutation { createGroup(input: {name: "g1"}) { group { id } } }`, `"id":"grp_`)
	w.next(t)
	r.signal(t, syscall.SIGTERM)
	r.logs(t, "ending: waiting for the requests under way")
	select {
	case <-r.ended:
		t.Error("the server ended while a message was under way")
	default:
	}
	close(hold)
	<-r.ended // not r.end: a second signal would end it at once
	if r.code != 0 {
		t.Errorf("the exit code is %d", r.code)
	}
	r = start(t, with)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "g2"}) { group { id } } }`, `"id":"grp_`)
	w.next(t)
	r.end() // what came of it is written down by now
	r = start(t, with)
	r.query(t, adminToken, `{ webhooks { nodes { deliveries { nodes { delivered attempts } } } } }`, `{"delivered":true,"attempts":1},{"delivered":true,"attempts":1}`)
}
