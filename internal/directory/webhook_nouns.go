package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

type (
	// WebhookState says how delivery goes.
	WebhookState string
	// WebhookReason says why a webhook is dead.
	WebhookReason string
)

// How delivery goes.
const (
	WebhookStateActive  WebhookState = "ACTIVE"
	WebhookStateFailing WebhookState = "FAILING"
	WebhookStateDead    WebhookState = "DEAD"
)

// Why a webhook is dead.
const (
	WebhookReasonUnreachable WebhookReason = "UNREACHABLE"
	WebhookReasonGone        WebhookReason = "GONE"
	WebhookReasonResync      WebhookReason = "RESYNC"
	WebhookReasonOwner       WebhookReason = "OWNER"
	WebhookReasonSecret      WebhookReason = "SECRET"
)

// Webhook is an address that is told of changes by HTTP. Its secret is no part of it.
type Webhook struct {
	Links
	UUID          uuid.UUID
	URL           string
	Description   string
	Filter        json.RawMessage // nil: all changes
	Enabled       bool
	State         WebhookState
	Reason        *WebhookReason // of a dead one
	FailingSince  *time.Time
	NextAttemptAt *time.Time // of a failing one
	Position      string     // the cursor of the last change that was delivered
	CreatedAt     time.Time
	UpdatedAt     time.Time

	ownerID *uuid.UUID
}

// ID is the webhook's TypeID, wbh_….
func (w *Webhook) ID() string { return typeID(webhookPrefix, w.UUID) }

// WebhookDelivery is a change that was sent to a webhook, or a test.
type WebhookDelivery struct {
	Links
	UUID       uuid.UUID
	Type       string
	ChangeID   *string // nil for a test
	Cursor     *string // likewise
	At         time.Time
	Delivered  bool
	Attempts   int
	StatusCode *int // nil: there was no answer
	DurationMs int
	Error      *string
}

// ID is the delivery's TypeID, wbd_….
func (d *WebhookDelivery) ID() string { return typeID(deliveryPrefix, d.UUID) }

// Pages of webhooks and of deliveries.
type (
	WebhookConnection         = Connection[Webhook]
	WebhookEdge               = Edge[Webhook]
	WebhookDeliveryConnection = Connection[WebhookDelivery]
	WebhookDeliveryEdge       = Edge[WebhookDelivery]
)

func webhookOf(row *db.Webhook) Webhook {
	w := Webhook{
		UUID: row.ID, URL: row.URL, Description: row.Description, Filter: row.Filter, Enabled: row.Enabled, State: WebhookState(row.State),
		FailingSince: row.FailingSince, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, ownerID: row.OwnerID,
	}
	if row.Reason != nil {
		reason := WebhookReason(*row.Reason)
		w.Reason = &reason
	}
	if w.State == WebhookStateFailing {
		w.NextAttemptAt = &row.NextAt
	}
	if p, err := placeIn(row.Epoch, row.Place, row.Filter); err == nil { // what is kept was written by this package
		w.Position = p.cursor()
	}
	return w
}

func deliveryOf(row *db.Delivery) WebhookDelivery {
	d := WebhookDelivery{
		UUID: row.ID, Type: row.Type, At: row.At, Delivered: delivered(row.Status), Attempts: row.Attempts, DurationMs: row.DurationMS, Error: row.Error,
	}
	if row.Status != 0 {
		d.StatusCode = &row.Status
	}
	if row.Place == (db.Place{}) {
		return d
	}
	id := typeID(changePrefix, changeID(row.Place.Tx, row.Place.Seq))
	d.ChangeID = &id
	if p, err := placeIn(row.Epoch, row.Place, row.Filter); err == nil {
		cursor := p.cursor()
		d.Cursor = &cursor
	}
	return d
}

// delivered reports whether a receiver has taken what it was sent (Standard Webhooks: 2xx).
func delivered(status int) bool { return status >= 200 && status < 300 }

func webhooks(k *kinds) *kind[db.Webhook, Webhook]            { return k.webhook }
func deliveries(k *kinds) *kind[db.Delivery, WebhookDelivery] { return k.delivery }

func webhookKind() *kind[db.Webhook, Webhook] {
	id := func(w *Webhook) uuid.UUID { return w.UUID }
	return &kind[db.Webhook, Webhook]{
		name: "Webhook", table: db.Webhooks, id: id, idIn: db.WebhookID.In,
		object: func(_ *reader, row *db.Webhook) Webhook { return webhookOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "url": {"url"}, "description": {"description"}, "filter": {"filter"}, "enabled": {"enabled"}, "state": {"state"},
			"reason": {"reason"}, "failingSince": {"failing_since"}, "nextAttemptAt": {"state", "next_at"},
			"position": {"epoch", "tx", "seq", "filter"}, "createdAt": {"created_at"}, "updatedAt": {"updated_at"},
		},
		links: map[string]link[Webhook]{
			"owner": one("owner_id", func(w *Webhook) *uuid.UUID { return w.ownerID }, users, nil),
			"deliveries": many(id, deliveries, func(context.Context, *reader, Page) (list, error) {
				return list{name: "webhook.deliveries", of: db.DeliveriesOfWebhook, order: []db.Order{{Key: "NUMBER", Desc: true}}}, nil
			}, "", nil),
		},
	}
}

func deliveryKind() *kind[db.Delivery, WebhookDelivery] {
	return &kind[db.Delivery, WebhookDelivery]{
		name: "WebhookDelivery", table: db.Deliveries, idIn: db.DeliveryID.In,
		id:     func(d *WebhookDelivery) uuid.UUID { return d.UUID },
		object: func(_ *reader, row *db.Delivery) WebhookDelivery { return deliveryOf(row) },
		fields: map[string][]string{
			"id": {"id"}, "type": {"type"}, "changeId": {"tx", "seq"}, "cursor": {"epoch", "tx", "seq", "filter"}, "at": {"at"},
			"delivered": {"status"}, "attempts": {"attempts"}, "statusCode": {"status"}, "durationMs": {"duration_ms"}, "error": {"error"},
		},
	}
}

// webhooksWhere is the condition on webhooks that the caller may see, and on their deliveries: all or none.
func webhooksWhere(by Caller) db.Cond {
	if decide(by, OperationWebhooksView, nil).Allowed {
		return db.Cond{}
	}
	return db.None
}

// Webhook finds a webhook by its id; nil if there is none. Codes: FORBIDDEN.
func (s *Service) Webhook(ctx context.Context, by Caller, id string, sel Selection) (*Webhook, error) {
	if err := may(by, OperationWebhooksView); err != nil {
		return nil, err
	}
	parsed, err := parseIDOf(webhookPrefix, "id", id)
	if err != nil {
		return nil, err
	}
	r := s.newReader(s.store, by)
	found, err := r.kinds.webhook.byIDs(ctx, r, []uuid.UUID{parsed}, db.Cond{}, sel)
	return found[parsed], err
}

// Webhooks lists the webhooks, oldest first. Codes: FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) Webhooks(ctx context.Context, by Caller, p Page, sel Selection) (*WebhookConnection, error) {
	if err := may(by, OperationWebhooksView); err != nil {
		return nil, err
	}
	return listed(ctx, s.newReader(s.store, by), s.kinds.webhook, func(context.Context, *reader, Page) (list, error) {
		return list{name: "webhooks"}, nil
	}, p, sel)
}
