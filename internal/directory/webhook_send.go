package directory

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"roster/db"
)

// What is sent to a webhook, and when again. Standard Webhooks says the form: https://www.standardwebhooks.com.
const (
	webhookTestTime = 5 * time.Second // for the answer to a test, which a person waits for

	firstRetry  = 10 * time.Second // and twice as long after each failure
	longestWait = time.Hour
	webhookLife = 24 * time.Hour // of failures, until a webhook is dead

	statusGone = 410 // the receiver wants no more, for good (RFC 9110 §15.5.11)

	testType = "test"
)

// WebhookSender sends messages to webhooks.
type WebhookSender interface {
	// Check says what is wrong with an address that messages are to be sent to; "" for nothing.
	Check(url string) (problem string)
	// Send sends a message once. It answers within the sender's own time, or when ctx is done.
	Send(ctx context.Context, m WebhookMessage) WebhookAnswer
}

// WebhookMessage is a request to be made.
type WebhookMessage struct {
	URL     string
	ID      string // the same each time that the same is sent
	At      time.Time
	Body    []byte
	Secrets [][]byte // that sign it, each by itself
}

// WebhookAnswer is what came of it.
type WebhookAnswer struct {
	Status     int           // 0: there was no answer
	Duration   time.Duration // until there was, or until it was given up
	RetryAfter time.Duration // that the receiver asks for; 0 if it does not
	Problem    string        // why there was no answer, in words for the webhook's owner
}

// webhookEvent is the body of a message.
type webhookEvent struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data"`
}

// changeData is a change as GraphQL spells it, and the id of the user whom it is about.
type changeData struct {
	ID        string          `json:"id"`
	Cursor    string          `json:"cursor"`
	Kind      ChangeKind      `json:"kind"`
	At        string          `json:"at"`
	Actor     string          `json:"actor"`
	Via       Door            `json:"via"`
	RequestID string          `json:"requestId"`
	GroupID   *string         `json:"groupId"`
	GroupName *string         `json:"groupName"`
	UserID    *string         `json:"userId"`
	Username  *string         `json:"username"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
}

// wholeChange selects what changeData tells.
var wholeChange = Selection{Fields: []string{"at", "kind", "actor", "via", "requestId", "groupId", "groupName", "userId", "username", "before", "after"}}

func webhookTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// eventType is the type of a change's message: MEMBER_ADDED is member.added.
func eventType(k ChangeKind) string { return strings.ToLower(strings.ReplaceAll(string(k), "_", ".")) }

// messageOf is the body of a change's message.
func messageOf(e *ChangeEdge) ([]byte, error) {
	c := e.Node
	d := changeData{
		ID: c.ID(), Cursor: e.Cursor, Kind: c.Kind, At: webhookTime(c.At), Actor: c.Actor, Via: c.Via, RequestID: c.RequestID, GroupID: c.GroupID(),
		GroupName: c.GroupName, Username: c.Username, Before: c.Before, After: c.After,
	}
	if c.userID != nil {
		id := typeID(userPrefix, *c.userID)
		d.UserID = &id
	}
	return json.Marshal(webhookEvent{eventType(c.Kind), d.At, d})
}

// tell writes an answer into a delivery.
func tell(d *db.Delivery, a WebhookAnswer) {
	d.Status, d.DurationMS, d.Error = a.Status, int(a.Duration/time.Millisecond), a.problem()
}

// problem is why nothing was delivered; nil if it was.
func (a WebhookAnswer) problem() *string {
	text := a.Problem
	switch {
	case delivered(a.Status):
		return nil
	case a.Status >= 300 && a.Status < 400:
		text = "The answer sends on to another address, which is not followed."
	case a.Status != 0:
		text = "The answer is not 2xx."
	}
	return &text
}

// retryIn is how long to wait after so many failures: 5 to 10 seconds, twice as long after each, up to half an hour to an hour; as long as
// the receiver asks for, if that is longer. chance is from 0 to 1, so that what failed together does not come back together.
func retryIn(failures int, asked time.Duration, chance float64) time.Duration {
	wait := longestWait
	if failures < 10 {
		wait = min(wait, firstRetry<<(failures-1))
	}
	wait = wait/2 + time.Duration(chance*float64(wait/2))
	return max(wait, min(asked, longestWait))
}

// failed is what a failure makes of a webhook.
func (h *hooks) failed(w *db.Webhook, a WebhookAnswer) {
	now := h.now()
	w.Attempts++
	if w.FailingSince == nil {
		w.FailingSince = &now
	}
	w.State, w.NextAt = string(WebhookStateFailing), now.Add(retryIn(w.Attempts, a.RetryAfter, rand.Float64())) //nolint:gosec // a pause is no secret
	switch {
	case a.Status == statusGone:
		w.Enabled = false
		died(w, WebhookReasonGone)
	case now.Sub(*w.FailingSince) >= webhookLife:
		died(w, WebhookReasonUnreachable)
	}
}

// died is what the end makes of a webhook. Its place stays.
func died(w *db.Webhook, why WebhookReason) {
	reason := string(why)
	w.State, w.Reason = string(WebhookStateDead), &reason
}

// errUndone is a request that was not done before under its key.
var errUndone = errors.New("the request is a new one")

// TestWebhook sends a signed message of the type test, now, and answers what came of it. It moves no place, and what is dead stays dead.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (the secret cannot be read).
func (s *Service) TestWebhook(ctx context.Context, by Caller, in TestWebhookInput, sel Selection) (*Payload, error) {
	if err := may(by, OperationWebhooksEdit); err != nil {
		return nil, err
	}
	if p, _, err := s.unlessDone(ctx, by, false, errUndone); p != nil || !errors.Is(err, errUndone) {
		return p, err // before the message is sent: it would be there a second time
	}
	id, err := parseIDOf(webhookPrefix, "input.webhook", in.Webhook)
	if err != nil {
		return nil, err
	}
	hook, ok, err := s.store.AsOf(by.asOf).FindWebhook(ctx, id)
	if err != nil || !ok {
		return nil, firstOf(err, notFound("input.webhook", noWebhook))
	}
	d, err := s.hooks.test(ctx, &hook)
	if err != nil {
		return nil, err
	}
	return s.write(ctx, by, false, sel, func(w *write) error {
		if ok, err := w.store.RecordTest(w.ctx, d); err != nil || !ok {
			return firstOf(err, notFound("input.webhook", noWebhook))
		}
		w.out.delivery = &d.ID
		return nil
	})
}

// test sends a test to a webhook.
func (h *hooks) test(ctx context.Context, hook *db.Webhook) (*db.Delivery, error) {
	if h.sender == nil {
		return nil, errNoSender
	}
	secrets, err := h.signing(hook)
	if err != nil {
		return nil, &Error{Code: Conflict, Field: "input.webhook", Message: "Its secret is under a key that this server does not have: give it a new one.", Cause: err}
	}
	d := &db.Delivery{ID: newID(), WebhookID: hook.ID, Type: testType, Attempts: 1}
	now := h.now()
	body, err := json.Marshal(webhookEvent{testType, webhookTime(now), map[string]string{"webhook": typeID(webhookPrefix, hook.ID)}})
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, webhookTestTime)
	defer cancel()
	tell(d, h.sender.Send(limited, WebhookMessage{URL: hook.URL, ID: typeID(deliveryPrefix, d.ID), At: now, Body: body, Secrets: secrets}))
	return d, nil
}
