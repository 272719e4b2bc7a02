package db

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// keptDeliveries is how many deliveries of a webhook are kept.
const keptDeliveries = 1_000

// Delivery is a row of webhook_deliveries.
type Delivery struct {
	ID         uuid.UUID
	WebhookID  uuid.UUID
	Number     int64
	Type       string
	Epoch      string
	Place      Place // of the change in the log; the zero Place for a test
	At         time.Time
	Attempts   int
	Status     int // 0: there was no answer
	DurationMS int
	Error      *string
	Filter     []byte // the webhook's
}

// Deliveries is the table of deliveries. A delivery's number is its own among those of its webhook, the only ones that are listed together.
var Deliveries = &Table[Delivery]{
	from: "webhook_deliveries d", unique: "NUMBER",
	columns: map[string]column[Delivery]{
		"id":          {"d.id", func(r *Delivery) any { return &r.ID }},
		"number":      {"d.number", func(r *Delivery) any { return &r.Number }},
		"type":        {"d.type", func(r *Delivery) any { return &r.Type }},
		"epoch":       {"d.epoch", func(r *Delivery) any { return &r.Epoch }},
		"tx":          {"coalesce(d.tx::text, '0')", func(r *Delivery) any { return xid{&r.Place.Tx} }},
		"seq":         {"coalesce(d.seq, 0)", func(r *Delivery) any { return &r.Place.Seq }},
		"at":          {"d.at", func(r *Delivery) any { return &r.At }},
		"attempts":    {"d.attempts", func(r *Delivery) any { return &r.Attempts }},
		"status":      {"coalesce(d.status, 0)", func(r *Delivery) any { return &r.Status }},
		"duration_ms": {"d.duration_ms", func(r *Delivery) any { return &r.DurationMS }},
		"error":       {"d.error", func(r *Delivery) any { return &r.Error }},
		"filter":      {"w.filter", func(r *Delivery) any { return &r.Filter }},
	},
	keys: map[string]key[Delivery]{
		"NUMBER": {"d.number", "?::bigint", "number", func(b []byte, r *Delivery) []byte { return strconv.AppendInt(b, r.Number, 10) }},
		idKey:    {"d.id", "?::uuid", "id", func(b []byte, r *Delivery) []byte { return appendUUID(b, r.ID) }},
	},
	joins: []join{{"w", "JOIN webhooks w ON w.id = d.webhook_id"}},
}

// DeliveriesOfWebhook are the deliveries of a webhook.
var DeliveriesOfWebhook = Relation{where: "d.webhook_id = p.id"}

// DeliveryID is what deliveries can be found by.
var DeliveryID = Column{"d.id", "uuid"}

// HeldWebhook is a webhook whose lease this process holds, with what its owner is now.
type HeldWebhook struct {
	Webhook
	Lease string
	Tried Place // of the change whose delivery DeliveryID is; the zero Place if there is none, or no row of it
	WebhookOwner
}

// WebhookOwner is who a webhook delivers for, as of now.
type WebhookOwner struct {
	Owner   *User // nil: gone
	Revoked bool  // the token that the owner made it with
}

const (
	webhookOwner = "u.id, u.username, coalesce(u.roles, '{}'), coalesce(t.revoked_at IS NOT NULL, false)"
	ownerJoins   = "LEFT JOIN users u ON u.id = w.owner_id LEFT JOIN tokens t ON t.id = w.token_id"
)

// ownerRow is a row of webhookOwner.
type ownerRow struct {
	id       *uuid.UUID
	username *string
	roles    []string
	revoked  bool
}

func (r *ownerRow) dest() []any {
	return []any{&r.id, &r.username, pgdialect.Array(&r.roles), &r.revoked}
}

func (r *ownerRow) owner() WebhookOwner {
	if r.id == nil {
		return WebhookOwner{}
	}
	return WebhookOwner{&User{ID: *r.id, Username: *r.username, Roles: r.roles}, r.revoked}
}

// ClaimWebhooks takes the leases of webhooks that have something to be delivered at that time, the longest due first, at most that many:
// those behind which the log goes on, or goes on no longer. Nobody waits for a row: what another server holds it passes by. One statement.
func (s *Store) ClaimWebhooks(ctx context.Context, lease string, at time.Time, most int, hold time.Duration) ([]HeldWebhook, error) {
	var held []HeldWebhook
	err := s.each(ctx, `WITH log AS MATERIALIZED (`+logState+`),
		due AS (SELECT w.id FROM webhooks w CROSS JOIN log
			WHERE w.enabled AND w.state <> 'DEAD' AND w.next_at <= $2::timestamptz AND (w.lease_until IS NULL OR w.lease_until <= now())
				AND (w.epoch <> log.epoch OR w.tx < log.tx::xid8 OR w.tx = log.tx::xid8 AND w.seq < log.seq
					OR EXISTS (SELECT 1 FROM changes c WHERE c.tx >= w.tx AND (c.tx, c.seq) > (w.tx, w.seq) AND `+ChangeSettled.text+`))
			ORDER BY w.next_at, w.id LIMIT $3::int FOR UPDATE OF w SKIP LOCKED),
		held AS (UPDATE webhooks w SET lease = $1, lease_until = now() + make_interval(secs => $4::int) FROM due WHERE w.id = due.id RETURNING w.*)
		SELECT `+webhookFields+", coalesce(d.tx::text, '0'), coalesce(d.seq, 0), "+webhookOwner+` FROM held w `+ownerJoins+`
			LEFT JOIN webhook_deliveries d ON d.id = w.delivery_id ORDER BY w.next_at, w.id`,
		[]any{lease, timeKey(at), most, int64(hold / time.Second)}, func(rows *sql.Rows) error {
			h := HeldWebhook{Lease: lease}
			var owner ownerRow
			err := rows.Scan(slices.Concat(h.dest(), []any{xid{&h.Tried.Tx}, &h.Tried.Seq}, owner.dest())...)
			h.WebhookOwner = owner.owner()
			held = append(held, h)
			return err
		})
	return held, err
}

// HoldWebhook makes a lease last longer and reads the owner anew; false if the lease is another's by now, or what it was taken for is void.
func (s *Store) HoldWebhook(ctx context.Context, h *HeldWebhook, hold time.Duration) (bool, error) {
	var owner ownerRow
	ok, err := s.queryRow(ctx, `WITH w AS (UPDATE webhooks SET lease_until = now() + make_interval(secs => $4::int)
			WHERE id = $1::uuid AND lease = $2 AND turn = $3 AND enabled RETURNING owner_id, token_id)
		SELECT `+webhookOwner+" FROM w "+ownerJoins,
		[]any{h.ID.String(), h.Lease, h.Turn, int64(hold / time.Second)}, owner.dest()...)
	h.WebhookOwner = owner.owner()
	return ok, err
}

// MoveWebhook writes what became of a webhook whose lease is held, and makes the lease last longer: its place, its state, when it is next
// to be tried. d, if there is one, is written down; with fresh as one more of its deliveries. False if the lease is another's by now, or
// what it was taken for is void: then nothing is written. One statement.
func (s *Store) MoveWebhook(ctx context.Context, h *HeldWebhook, d *Delivery, fresh bool, hold time.Duration) (ok bool, err error) {
	w := newWriter(24)
	w.add(`WITH moved AS (UPDATE webhooks SET epoch = ?, tx = ?::text::xid8, seq = ?, state = ?, reason = ?, failing_since = ?::timestamptz, attempts = ?,
			next_at = ?::timestamptz, delivery_id = ?::uuid, enabled = ?, sent = sent + ?::int, lease_until = now() + make_interval(secs => ?::int)
			WHERE id = ?::uuid AND lease = ? AND turn = ? AND enabled RETURNING id, sent, delivery_id)`,
		h.Epoch, h.Place.Cursor()[0], h.Place.Seq, h.State, textArg(h.Reason), timeArg(h.FailingSince), h.Attempts, timeKey(h.NextAt),
		uuidArg(h.DeliveryID), h.Enabled, one(fresh), int64(hold/time.Second), h.ID.String(), h.Lease, h.Turn)
	if d != nil {
		w.delivery(d)
	}
	w.add(" SELECT true FROM moved")
	return s.queryRow(ctx, w.text(), w.args, &ok)
}

// delivery adds the writing of a delivery to a statement in which moved is its webhook, and the removal of one that is kept no longer.
func (w *writer) delivery(d *Delivery) {
	tx, seq := any(nil), any(nil)
	if d.Place != (Place{}) {
		tx, seq = d.Place.Cursor()[0], d.Place.Seq
	}
	status := any(nil)
	if d.Status != 0 {
		status = d.Status
	}
	w.add(`, told AS (INSERT INTO webhook_deliveries (id, webhook_id, number, type, epoch, tx, seq, attempts, status, duration_ms, error)
			SELECT ?::uuid, moved.id, moved.sent, ?, ?, ?::text::xid8, ?::bigint, ?::int, ?::int, ?::int, ? FROM moved
			ON CONFLICT (id) DO UPDATE SET at = now(), attempts = excluded.attempts, status = excluded.status, duration_ms = excluded.duration_ms,
				error = excluded.error),
		old AS (DELETE FROM webhook_deliveries d USING moved WHERE d.webhook_id = moved.id AND d.number <= moved.sent - `+strconv.Itoa(keptDeliveries)+`
			AND d.id <> ?::uuid AND d.id IS DISTINCT FROM moved.delivery_id)`,
		d.ID.String(), d.Type, d.Epoch, tx, seq, d.Attempts, status, d.DurationMS, textArg(d.Error), d.ID.String())
}

// RecordTest writes down what became of a test.
func (s *Store) RecordTest(ctx context.Context, d *Delivery) (ok bool, err error) {
	w := newWriter(12)
	w.add("WITH moved AS (UPDATE webhooks SET sent = sent + 1 WHERE id = ?::uuid RETURNING id, sent, delivery_id)", d.WebhookID.String())
	w.delivery(d)
	w.add(" SELECT true FROM moved")
	return s.queryRow(ctx, w.text(), w.args, &ok)
}

// ReleaseWebhook gives a lease back.
func (s *Store) ReleaseWebhook(ctx context.Context, h *HeldWebhook) error {
	return s.exec(ctx, "UPDATE webhooks SET lease = NULL, lease_until = NULL WHERE id = $1::uuid AND lease = $2", h.ID.String(), h.Lease)
}

// WebhookCount is how many webhooks are in a state, and how long the oldest change waits that one of them was not told of.
type WebhookCount struct {
	State string // OFF for those that are turned off and not dead
	Count int
	Lag   time.Duration // by Postgres's clock; 0 if none waits
}

// CountWebhookStates counts the webhooks by state. For each that delivers it looks at the one change behind its place; what its filter leaves
// out counts until the place has moved on, and so does what an older transaction holds back. One statement.
func (s *Store) CountWebhookStates(ctx context.Context) ([]WebhookCount, error) {
	var all []WebhookCount
	err := s.each(ctx, `WITH log AS MATERIALIZED (`+logState+`)
		SELECT x.state, count(*)::int, coalesce(max(extract(epoch FROM clock_timestamp() - x.at)), 0)::float8
		FROM (SELECT CASE WHEN w.state = 'DEAD' OR w.enabled THEN w.state ELSE 'OFF' END AS state, c.at
			FROM webhooks w CROSS JOIN log LEFT JOIN LATERAL (SELECT c.at FROM changes c WHERE c.tx >= w.tx AND (c.tx, c.seq) > (w.tx, w.seq)
				ORDER BY c.tx, c.seq LIMIT 1) c ON w.enabled AND w.state <> 'DEAD' AND w.epoch = log.epoch) x
		GROUP BY x.state`, nil, func(rows *sql.Rows) error {
		var c WebhookCount
		var lag float64
		err := rows.Scan(&c.State, &c.Count, &lag)
		c.Lag = time.Duration(max(lag, 0) * float64(time.Second))
		all = append(all, c)
		return err
	})
	return all, err
}

// one is 1 for true.
func one(v bool) int {
	if v {
		return 1
	}
	return 0
}
