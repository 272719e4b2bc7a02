package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// Bounds of webhooks.
const (
	MaxWebhooks   = 100 // each costs every server a look at the log for each change
	maxWebhookURL = 2048
)

// The inputs of webhooks; see schema.graphqls for what each field means.
type (
	CreateWebhookInput struct {
		URL         string
		Description *string
		Filter      *ChangeFilter
		Enabled     *bool   // nil: true
		After       *string // a cursor of Changes with that filter; nil: from now on
		DryRun      bool
	}
	UpdateWebhookInput struct {
		Webhook        string
		URL            Optional[string]
		Description    Optional[string]
		Filter         Optional[ChangeFilter]
		Enabled        Optional[bool]
		RotateSecret   bool
		OverlapSeconds int
		ReplayFrom     *string // a cursor of Changes with the webhook's filter
		DryRun         bool
	}
	DeleteWebhookInput struct {
		Webhook string
		DryRun  bool
	}
	TestWebhookInput struct{ Webhook string }
)

// webhookImage is what the change log keeps of a webhook. Of its address it is the host: the rest may be a secret of the receiver's, and
// the log is sent to others.
type webhookImage struct {
	UUID        uuid.UUID       `json:"uuid"`
	Host        string          `json:"host"`
	Description string          `json:"description"`
	Filter      json.RawMessage `json:"filter"`
	Enabled     bool            `json:"enabled"`
	Owner       *uuid.UUID      `json:"owner"`
	Rotated     bool            `json:"rotated,omitempty"`     // it has a new secret
	Moved       bool            `json:"moved,omitempty"`       // it begins at another place of the log
	Readdressed bool            `json:"readdressed,omitempty"` // it has another address
}

func imageOfWebhook(w *db.Webhook) webhookImage {
	image := webhookImage{UUID: w.ID, Description: w.Description, Filter: w.Filter, Enabled: w.Enabled, Owner: w.OwnerID}
	if u, err := url.Parse(w.URL); err == nil {
		image.Host = u.Host
	}
	return image
}

// CreateWebhook makes a webhook that tells its address of what follows a cursor, or of what follows now. The secret that signs is in this answer
// and nowhere else. Codes: FORBIDDEN, LIMIT_EXCEEDED, RESYNC_REQUIRED.
func (s *Service) CreateWebhook(ctx context.Context, by Caller, in CreateWebhookInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in CreateWebhookInput) check(by Caller) error {
	if err := may(by, OperationWebhooksEdit); err != nil {
		return err
	}
	_, err := keptFilter(in.Filter)
	return firstOf(validText("input.description", deref(in.Description), maxDescription), err)
}

func (in CreateWebhookInput) run(w *write) error {
	filter, err := keptFilter(in.Filter)
	if err := firstOf(w.s.hooks.validURL(in.URL), err); err != nil {
		return err
	}
	secret, spelt := newWebhookSecret()
	hook := &db.Webhook{ID: newID(), URL: in.URL, Description: deref(in.Description), Filter: filter, Enabled: or(in.Enabled, true), NextAt: w.s.hooks.now()}
	hook.Secret = w.s.seal(hook.ID, secret)
	if err := firstOf(w.own(hook), w.begin(hook, "input.after", in.After), w.roomForWebhook()); err != nil {
		return err
	}
	if err := w.store.InsertWebhook(w.ctx, hook); err != nil {
		return err
	}
	if !in.DryRun {
		w.out.Secret = spelt
	}
	w.out.webhook = &hook.ID
	return w.change(ChangeKindWebhookCreated, nil, nil, nil, imageOfWebhook(hook))
}

// own makes the caller the owner of a webhook. It goes on without the caller, by what Roster itself knows of them: so the roles that it keeps
// have to be enough, whatever an issuer says of them today. A session leaves nothing behind that outlives it.
func (w *write) own(hook *db.Webhook) error {
	switch t := w.by.Token; {
	case w.by.User == nil:
		return invalid("", "A webhook is a user's: it delivers what they may see.")
	case t != nil && t.root != uuid.Nil && t.root != t.UUID:
		return forbidden("A webhook would outlive your session: use the token that it stands for.")
	}
	u, err := w.findUser(w.ctx, "", UserByUUID(w.by.User.UUID))
	switch {
	case err != nil:
		return err
	case u == nil || !(Caller{User: w.by.User, Roles: rolesOf(u.Roles)}).Can(PermissionChangesView):
		return forbidden("A webhook goes on without you, by the roles that Roster keeps for you: they do not include CHANGES_VIEW.")
	}
	hook.OwnerID, hook.TokenID = &u.ID, nil
	if w.by.Token != nil && w.by.Token.root != uuid.Nil {
		hook.TokenID = &w.by.Token.root
	}
	return nil
}

// begin puts a webhook at the place that a cursor spells; without one, at the end of the log.
func (w *write) begin(hook *db.Webhook, field string, cursor *string) error {
	log, err := w.store.Log(w.ctx)
	if err != nil {
		return err
	}
	hook.Epoch, hook.Place = log.Epoch, db.Place{Tx: log.Settled}
	if cursor == nil {
		return nil
	}
	p, err := placeIn(log.Epoch, hook.Place, hook.Filter)
	if err != nil {
		return err
	}
	hook.Place, err = placeOf(field, *cursor, &changeLog{log}, p.print)
	return err
}

// roomForWebhook fails if there are as many webhooks as there may be. Whoever makes one takes turns.
func (w *write) roomForWebhook() error {
	if err := w.store.LockSettings(w.ctx); err != nil {
		return err
	}
	n, err := w.store.CountWebhooks(w.ctx)
	if err == nil && n >= MaxWebhooks {
		err = exceeded("", "There are %d webhooks, which is as many as there may be.", n)
	}
	return err
}

const noWebhook = "There is no such webhook."

// lockWebhook authorises the caller and locks the webhook of that id.
func (w *write) lockWebhook(id string) (*db.Webhook, error) {
	if err := may(w.by, OperationWebhooksEdit); err != nil {
		return nil, err
	}
	parsed, err := parseIDOf(webhookPrefix, "input.webhook", id)
	if err != nil {
		return nil, err
	}
	hook, ok, err := w.store.LockWebhook(w.ctx, parsed)
	if err == nil && !ok {
		err = notFound("input.webhook", noWebhook)
	}
	return &hook, err
}

// UpdateWebhook changes a webhook: what is set of it, its secret, and the place that it goes on from. One that is turned on, or is given another address, is
// the caller's from then on; one that is turned on is tried at once. Codes: NOT_FOUND, FORBIDDEN, CONFLICT (its secret cannot be read), RESYNC_REQUIRED.
func (s *Service) UpdateWebhook(ctx context.Context, by Caller, in UpdateWebhookInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in UpdateWebhookInput) check(Caller) error {
	if in.OverlapSeconds < 0 || in.OverlapSeconds > int(maxOverlap/time.Second) {
		return invalid("input.overlapSeconds", "It is 0 to %d.", int(maxOverlap/time.Second))
	}
	return nil
}

func (in UpdateWebhookInput) run(w *write) error {
	hook, err := w.lockWebhook(in.Webhook)
	if err != nil {
		return err
	}
	before := *hook
	if err := w.applyWebhook(hook, in); err != nil {
		return err
	}
	w.out.webhook = &hook.ID
	if sameWebhook(hook, &before) {
		return nil
	}
	if err := w.store.UpdateWebhook(w.ctx, hook); err != nil {
		return err
	}
	after := imageOfWebhook(hook)
	after.Rotated, after.Moved, after.Readdressed = in.RotateSecret, in.ReplayFrom != nil, hook.URL != before.URL
	return w.change(ChangeKindWebhookUpdated, nil, nil, imageOfWebhook(&before), after)
}

// sameWebhook compares what an update may change. When it is next tried is no difference by itself.
func sameWebhook(a, b *db.Webhook) bool {
	return a.URL == b.URL && a.Description == b.Description && sameJSON(a.Filter, b.Filter) && a.Enabled == b.Enabled && bytes.Equal(a.Secret, b.Secret) &&
		sameID(a.OwnerID, b.OwnerID) && sameID(a.TokenID, b.TokenID) && a.Epoch == b.Epoch && a.Place == b.Place && a.State == b.State
}

// sameJSON compares what two texts of JSON say.
func sameJSON(a, b []byte) bool {
	var as, bs any
	if (a == nil) != (b == nil) || a != nil && (json.Unmarshal(a, &as) != nil || json.Unmarshal(b, &bs) != nil) {
		return false
	}
	return reflect.DeepEqual(as, bs)
}

// applyWebhook does to a webhook what an input says.
func (w *write) applyWebhook(hook *db.Webhook, in UpdateWebhookInput) error {
	if err := firstOf(w.address(hook, in), w.refilter(hook, in)); err != nil {
		return err
	}
	if in.RotateSecret {
		secret, spelt := newWebhookSecret()
		w.rotateWebhook(hook, w.s.seal(hook.ID, secret), time.Duration(in.OverlapSeconds)*time.Second)
		if !in.DryRun {
			w.out.Secret = spelt
		}
	}
	if in.ReplayFrom != nil {
		if err := w.begin(hook, "input.replayFrom", in.ReplayFrom); err != nil {
			return err
		}
		hook.Attempts, hook.DeliveryID, hook.NextAt = 0, nil, w.s.hooks.now()
	}
	switch {
	case in.Enabled.Set && in.Enabled.Value == nil:
		return invalid("input.enabled", "It cannot be cleared.")
	case !in.Enabled.Set:
		return nil
	}
	if hook.Enabled = *in.Enabled.Value; hook.Enabled {
		return w.turnOn(hook)
	}
	return nil
}

// address sets where a webhook is, and what it is for.
func (w *write) address(hook *db.Webhook, in UpdateWebhookInput) error {
	if in.Description.Set {
		hook.Description = deref(in.Description.Value)
		if err := validText("input.description", hook.Description, maxDescription); err != nil {
			return err
		}
	}
	if !in.URL.Set {
		return nil
	}
	before := hook.URL
	if hook.URL = deref(in.URL.Value); hook.URL == "" {
		return invalid("input.url", "It cannot be cleared.")
	}
	hook.NextAt = w.s.hooks.now() // what failed there may be taken here
	if err := w.s.hooks.validURL(hook.URL); err != nil || hook.URL == before {
		return err
	}
	if hook.State == string(WebhookStateFailing) { // which is the other address's day
		w.afresh(hook)
	}
	return w.own(hook) // or it would go on telling the new address when nobody trusts the caller any more
}

// refilter sets which changes a webhook is told of.
func (w *write) refilter(hook *db.Webhook, in UpdateWebhookInput) error {
	if !in.Filter.Set {
		return nil
	}
	var err error
	hook.Filter, err = keptFilter(in.Filter.Value)
	return err
}

// rotateWebhook gives a webhook a new secret; the one before it signs beside it for the overlap.
func (w *write) rotateWebhook(hook *db.Webhook, sealed []byte, overlap time.Duration) {
	hook.PreviousSecret, hook.PreviousUntil = nil, nil
	if overlap > 0 {
		until := w.s.hooks.now().Add(overlap)
		hook.PreviousSecret, hook.PreviousUntil = hook.Secret, &until
	}
	hook.Secret = sealed
}

// afresh has a webhook be as if nothing had ever failed, and be tried at once.
func (w *write) afresh(hook *db.Webhook) {
	hook.State, hook.Reason, hook.FailingSince = string(WebhookStateActive), nil, nil
	hook.Attempts, hook.DeliveryID, hook.NextAt = 0, nil, w.s.hooks.now()
}

// turnOn has a webhook be tried at once, for the caller.
func (w *write) turnOn(hook *db.Webhook) error {
	if err := w.own(hook); err != nil {
		return err
	}
	if _, err := w.s.hooks.signing(hook); err != nil {
		return &Error{Code: Conflict, Field: "input.rotateSecret", Message: "Its secret is under a key that this server does not have: give it a new one.", Cause: err}
	}
	w.afresh(hook)
	log, err := w.store.Log(w.ctx)
	if err != nil {
		return err
	}
	p, err := placeIn(log.Epoch, hook.Place, hook.Filter)
	if err != nil {
		return err
	}
	if now := (changeLog{log}); hook.Epoch != log.Epoch || hook.Place.Before(log.Horizon) {
		return refield(now.resync(p.print), "input.replayFrom")
	}
	return nil
}

// DeleteWebhook deletes a webhook with its deliveries. Codes: NOT_FOUND, FORBIDDEN.
func (s *Service) DeleteWebhook(ctx context.Context, by Caller, in DeleteWebhookInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in DeleteWebhookInput) check(Caller) error { return nil }

func (in DeleteWebhookInput) run(w *write) error {
	hook, err := w.lockWebhook(in.Webhook)
	if err != nil {
		return err
	}
	w.out.DeletedID = &in.Webhook
	if err := w.store.DeleteWebhook(w.ctx, hook.ID); err != nil {
		return err
	}
	return w.change(ChangeKindWebhookDeleted, nil, nil, imageOfWebhook(hook), nil)
}
