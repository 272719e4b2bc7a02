package db

import (
	"context"
	"database/sql"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// Webhook is a row of webhooks. The secrets are as they are kept: encrypted.
type Webhook struct {
	ID             uuid.UUID
	URL            string
	Description    string
	Filter         []byte // JSON; nil for none
	Enabled        bool
	Secret         []byte
	PreviousSecret []byte
	PreviousUntil  *time.Time
	OwnerID        *uuid.UUID
	TokenID        *uuid.UUID
	Epoch          string
	Place          Place // what stands before it in the log has been delivered
	State          string
	Reason         *string
	FailingSince   *time.Time
	Attempts       int
	NextAt         time.Time
	DeliveryID     *uuid.UUID
	Turn           int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Webhooks is the table of webhooks, without their secrets.
var Webhooks = &Table[Webhook]{
	from: "webhooks w",
	columns: map[string]column[Webhook]{
		"id":            {"w.id", func(r *Webhook) any { return &r.ID }},
		"url":           {"w.url", func(r *Webhook) any { return &r.URL }},
		"description":   {"w.description", func(r *Webhook) any { return &r.Description }},
		"filter":        {"w.filter", func(r *Webhook) any { return &r.Filter }},
		"enabled":       {"w.enabled", func(r *Webhook) any { return &r.Enabled }},
		"owner_id":      {"w.owner_id", func(r *Webhook) any { return &r.OwnerID }},
		"epoch":         {"w.epoch", func(r *Webhook) any { return &r.Epoch }},
		"tx":            {"w.tx::text", func(r *Webhook) any { return xid{&r.Place.Tx} }},
		"seq":           {"w.seq", func(r *Webhook) any { return &r.Place.Seq }},
		"state":         {"w.state", func(r *Webhook) any { return &r.State }},
		"reason":        {"w.reason", func(r *Webhook) any { return &r.Reason }},
		"failing_since": {"w.failing_since", func(r *Webhook) any { return &r.FailingSince }},
		"next_at":       {"w.next_at", func(r *Webhook) any { return &r.NextAt }},
		"created_at":    {"w.created_at", func(r *Webhook) any { return &r.CreatedAt }},
		"updated_at":    {"w.updated_at", func(r *Webhook) any { return &r.UpdatedAt }},
	},
	keys: map[string]key[Webhook]{
		idKey: {"w.id", "?::uuid", "id", func(b []byte, r *Webhook) []byte { return appendUUID(b, r.ID) }},
	},
}

// WebhookID is what webhooks can be found by.
var WebhookID = Column{"w.id", "uuid"}

const webhookFields = `w.id, w.url, w.description, w.filter, w.enabled, w.secret, w.previous_secret, w.previous_until, w.owner_id, w.token_id,
	w.epoch, w.tx::text, w.seq, w.state, w.reason, w.failing_since, w.attempts, w.next_at, w.delivery_id, w.turn, w.created_at, w.updated_at`

func (w *Webhook) dest() []any {
	return []any{&w.ID, &w.URL, &w.Description, &w.Filter, &w.Enabled, &w.Secret, &w.PreviousSecret, &w.PreviousUntil, &w.OwnerID, &w.TokenID,
		&w.Epoch, xid{&w.Place.Tx}, &w.Place.Seq, &w.State, &w.Reason, &w.FailingSince, &w.Attempts, &w.NextAt, &w.DeliveryID, &w.Turn,
		&w.CreatedAt, &w.UpdatedAt}
}

// InsertWebhook writes a new webhook, at its place of the log; times come back in w.
func (s *Store) InsertWebhook(ctx context.Context, w *Webhook) error {
	_, err := s.queryRow(ctx, `INSERT INTO webhooks (id, url, description, filter, enabled, secret, owner_id, token_id, epoch, tx, seq, next_at)
		VALUES ($1::uuid, $2, $3, $4::jsonb, $5, $6::bytea, $7::uuid, $8::uuid, $9, $10::text::xid8, $11, $12::timestamptz)
		RETURNING created_at, updated_at`,
		[]any{w.ID.String(), w.URL, w.Description, jsonArg(w.Filter), w.Enabled, w.Secret, uuidArg(w.OwnerID), uuidArg(w.TokenID), w.Epoch,
			w.Place.Cursor()[0], w.Place.Seq, timeKey(w.NextAt)}, &w.CreatedAt, &w.UpdatedAt)
	return err
}

// CountWebhooks is how many there are.
func (s *Store) CountWebhooks(ctx context.Context) (n int, err error) {
	_, err = s.queryRow(ctx, "SELECT count(*) FROM webhooks", nil, &n)
	return n, err
}

// FindWebhook reads a webhook whole; false if there is none.
func (s *Store) FindWebhook(ctx context.Context, id uuid.UUID) (Webhook, bool, error) {
	return s.webhook(ctx, "", id)
}

// LockWebhook is FindWebhook that locks it for writing.
func (s *Store) LockWebhook(ctx context.Context, id uuid.UUID) (Webhook, bool, error) {
	return s.webhook(ctx, " FOR UPDATE", id)
}

func (s *Store) webhook(ctx context.Context, lock string, id uuid.UUID) (w Webhook, ok bool, err error) {
	ok, err = s.queryRow(ctx, "SELECT "+webhookFields+" FROM webhooks w WHERE w.id = $1::uuid"+lock, []any{id.String()}, w.dest()...)
	return w, ok, err
}

// UpdateWebhook writes a webhook that is locked. What is being delivered to it meanwhile is void: it moves no place.
func (s *Store) UpdateWebhook(ctx context.Context, w *Webhook) error {
	_, err := s.queryRow(ctx, `UPDATE webhooks SET url = $2, description = $3, filter = $4::jsonb, enabled = $5, secret = $6::bytea,
			previous_secret = $7::bytea, previous_until = $8::timestamptz, owner_id = $9::uuid, token_id = $10::uuid, epoch = $11,
			tx = $12::text::xid8, seq = $13, state = $14, reason = $15, failing_since = $16::timestamptz, attempts = $17,
			next_at = $18::timestamptz, delivery_id = $19::uuid, turn = turn + 1, updated_at = now()
		WHERE id = $1::uuid RETURNING updated_at`,
		[]any{w.ID.String(), w.URL, w.Description, jsonArg(w.Filter), w.Enabled, w.Secret, byteaArg(w.PreviousSecret), timeArg(w.PreviousUntil),
			uuidArg(w.OwnerID), uuidArg(w.TokenID), w.Epoch, w.Place.Cursor()[0], w.Place.Seq, w.State, textArg(w.Reason),
			timeArg(w.FailingSince), w.Attempts, timeKey(w.NextAt), uuidArg(w.DeliveryID)}, &w.UpdatedAt)
	return err
}

// DeleteWebhook removes a webhook and its deliveries.
func (s *Store) DeleteWebhook(ctx context.Context, id uuid.UUID) error {
	return s.exec(ctx, "DELETE FROM webhooks WHERE id = $1::uuid", id.String())
}

// SealedSecret is a webhook's secret as it is kept, or the one before it.
type SealedSecret struct {
	Webhook  uuid.UUID
	Previous bool
	Sealed   []byte
}

// WebhookSecrets are all of them.
func (s *Store) WebhookSecrets(ctx context.Context) ([]SealedSecret, error) {
	var all []SealedSecret
	err := s.each(ctx, `SELECT id, false, secret FROM webhooks UNION ALL SELECT id, true, previous_secret FROM webhooks WHERE previous_secret IS NOT NULL`,
		nil, func(rows *sql.Rows) error {
			var k SealedSecret
			err := rows.Scan(&k.Webhook, &k.Previous, &k.Sealed)
			all = append(all, k)
			return err
		})
	return all, err
}

// ResealWebhooks puts secrets, encrypted anew, in the place of what they were; those that have changed meanwhile stay. One statement.
func (s *Store) ResealWebhooks(ctx context.Context, before, after []SealedSecret) error {
	ids, was, is := make([]uuid.UUID, len(before)), make([]string, len(before)), make([]string, len(before))
	for i := range before {
		ids[i], was[i], is[i] = before[i].Webhook, hex.EncodeToString(before[i].Sealed), hex.EncodeToString(after[i].Sealed)
	}
	return s.exec(ctx, `WITH n AS (SELECT id, decode(was, 'hex') AS was, decode(became, 'hex') AS became
			FROM unnest($1::uuid[], $2::text[], $3::text[]) n(id, was, became))
		UPDATE webhooks w SET secret = coalesce((SELECT n.became FROM n WHERE n.id = w.id AND n.was = w.secret), w.secret),
			previous_secret = coalesce((SELECT n.became FROM n WHERE n.id = w.id AND n.was = w.previous_secret), w.previous_secret)
		WHERE w.id IN (SELECT n.id FROM n)`, UUIDs(ids), Strings(was), Strings(is))
}

// jsonArg is a nullable jsonb argument, and textArg a nullable text.
func jsonArg(v []byte) any {
	if v == nil {
		return nil
	}
	return string(v)
}

func textArg(v *string) any {
	if v == nil {
		return nil
	}
	return *v
}
