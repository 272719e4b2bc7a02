package directory

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"roster/db"
)

// How webhooks are looked after.
const (
	webhookTick  = time.Second            // a look for something to deliver though nobody called for it
	webhookGap   = 100 * time.Millisecond // between two looks at least: what comes meanwhile is delivered together
	webhookSlots = 16                     // webhooks that a server delivers to at once
	webhookBatch = 100                    // changes read at once
	webhookSlice = 30 * time.Second       // until a webhook that has more makes room for others
	webhookPause = 30 * time.Second       // before one that could not be looked after is tried again
	webhookStep  = 10 * time.Second       // for what is asked of the database

	// A lease outlives every step between two of its renewals, a message under way among them: whoever holds it sends alone.
	webhookHold   = 60 * time.Second
	webhookUnheld = 30 * time.Second // since a renewal, after which nothing is sent before another
)

// hooks looks after webhooks. The changes come out of the log by the query of Changes, for the owner as they are now, so that what a webhook
// is told is what its owner could have read, in the same order. One message at a time is sent to a webhook; its place in the log moves when
// the message was taken.
type hooks struct {
	s       *Service
	sender  WebhookSender
	now     func() time.Time
	onEvent func(id string, err error)
	wake    chan struct{}
	survey  survey
}

func newHooks(s *Service, c Config) *hooks {
	h := &hooks{s: s, sender: c.Webhooks, now: c.Now, onEvent: c.OnWebhook, wake: make(chan struct{}, 1)}
	if h.now == nil {
		h.now = time.Now
	}
	if h.onEvent == nil {
		h.onEvent = func(string, error) {}
	}
	return h
}

var errNoSender = &Error{Code: Unavailable, Message: "This server sends no webhooks."}

// validURL checks an address.
func (h *hooks) validURL(url string) error {
	if h.sender == nil {
		return errNoSender
	}
	if err := validText("input.url", url, maxWebhookURL); err != nil {
		return err
	}
	if problem := h.sender.Check(url); problem != "" {
		return invalid("input.url", "%s", problem)
	}
	return nil
}

// DeliverWebhooks delivers until ctx is done. It has ended all that it began when it returns: a message that is under way then is given
// its time, and what came of it is written down.
func (s *Service) DeliverWebhooks(ctx context.Context) {
	h := s.hooks
	if h.sender == nil {
		return
	}
	l := &hookLoop{hooks: h, slots: make(chan struct{}, webhookSlots)}
	defer l.all.Wait()
	tick := time.NewTicker(webhookTick)
	defer tick.Stop()
	for ctx.Err() == nil {
		l.look(ctx)
		l.surveys(ctx)
		pause(ctx, webhookGap)
		select {
		case <-ctx.Done():
		case <-h.wake:
		case <-tick.C:
		}
	}
}

// hookLoop is what only the loop itself knows.
type hookLoop struct {
	*hooks
	slots   chan struct{}
	all     sync.WaitGroup
	sealed  bool // all secrets are under the current key
	failing bool
}

// look takes what is due, and has it delivered.
func (l *hookLoop) look(ctx context.Context) {
	held, err := l.claim(ctx)
	if err != nil && !l.failing {
		l.onEvent("", err) // once, not every time that it is tried again
	}
	l.failing = err != nil
	for i := range held {
		l.slots <- struct{}{} // there is room: claim asked for no more
		l.all.Go(func() {
			defer nudge(l.wake) // there may be more for the slot
			defer func() { <-l.slots }()
			l.serve(ctx, &held[i])
		})
	}
}

// claim takes the leases of what is due. It does not stop halfway: a lease that nobody knows of would have to run out.
func (l *hookLoop) claim(ctx context.Context) ([]db.HeldWebhook, error) {
	room := cap(l.slots) - len(l.slots)
	if room == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), webhookStep)
	defer cancel()
	if !l.sealed {
		if err := l.reseal(ctx); err != nil {
			return nil, err
		}
		l.sealed = true
	}
	return l.s.store.ClaimWebhooks(ctx, rand.Text(), l.now(), room, webhookHold)
}

// serve delivers to one webhook what there is, and gives its lease back.
func (h *hooks) serve(ctx context.Context, held *db.HeldWebhook) {
	t := &turn{hooks: h, HeldWebhook: held, renewed: time.Now(), began: time.Now()}
	id := typeID(webhookPrefix, held.ID)
	defer t.release(ctx)
	defer func() {
		if p := recover(); p != nil { // what made it would make it again: not at once
			h.onEvent(id, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
			_ = t.later(ctx, webhookPause) // or its lease ends, and somebody tries again
		}
	}()
	if err := t.run(ctx); err != nil {
		h.onEvent(id, err)
		_ = t.later(ctx, webhookPause) // as above
	}
}

// turn is one webhook in the hands of this server.
type turn struct {
	*hooks
	*db.HeldWebhook
	began   time.Time
	renewed time.Time // the lease, as this process's monotonic clock knows it
	lost    bool      // the lease is another's, or what was being delivered is void
}

// run delivers until there is nothing left, something fails, or it is others' turn.
func (t *turn) run(ctx context.Context) error {
	for ctx.Err() == nil && !t.lost {
		if time.Since(t.began) > webhookSlice {
			return t.later(ctx, 0)
		}
		more, err := t.page(ctx)
		if err != nil || !more {
			return err
		}
		if err := t.hold(ctx); err != nil {
			return err
		}
	}
	return nil
}

// limited bounds what is asked of the database; it is asked to the end, also after the server was told to end.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), webhookStep)
}

// hold renews the lease and finds the owner anew.
func (t *turn) hold(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	at := time.Now()
	ok, err := t.s.store.HoldWebhook(ctx, t.HeldWebhook, webhookHold)
	t.lost, t.renewed = !ok, at
	return err
}

// owner is the one whom the webhook delivers for, as they are now; false if they are nobody any more.
func (t *turn) owner() (Caller, bool) {
	if t.Owner == nil || t.Revoked {
		return Caller{}, false
	}
	return Caller{User: &CallerUser{UUID: t.Owner.ID, Username: t.Owner.Username}, Roles: rolesOf(t.Owner.Roles), Via: DoorGraphQL}, true
}

// page reads the changes that come next and delivers them; more says that there are others, or that it is time to look at the owner again.
func (t *turn) page(ctx context.Context) (more bool, err error) {
	by, ok := t.owner()
	if !ok {
		return false, t.die(ctx, WebhookReasonOwner)
	}
	secrets, err := t.signing(&t.Webhook)
	if err != nil {
		return false, t.die(ctx, WebhookReasonSecret)
	}
	at, err := placeIn(t.Epoch, t.Place, t.Filter)
	if err != nil {
		return false, err
	}
	changes, err := t.read(ctx, by, &at)
	switch {
	case err != nil && CodeOf(err) == ResyncRequired:
		return false, t.die(ctx, WebhookReasonResync)
	case err != nil:
		return false, err
	}
	read := time.Now()
	for _, e := range changes.Edges {
		if ctx.Err() != nil {
			return false, nil
		}
		if time.Since(read) > feedRecheck {
			return true, nil
		}
		if ok, err := t.deliver(ctx, e, secrets); err != nil || !ok {
			return false, err
		}
	}
	if changes.PageInfo.HasNextPage {
		return true, nil
	}
	return false, t.pass(ctx, changes.LatestCursor, at.print)
}

// read reads what comes after a place.
func (t *turn) read(ctx context.Context, by Caller, at *logPlace) (*ChangeConnection, error) {
	filter, err := filterKept(t.Filter)
	if err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	after := at.cursor()
	page := Page{Rows: true, Cursors: true, Filter: filterOf(filter), PageArgs: PageArgs{After: &after}, size: webhookBatch}
	return t.s.Changes(ctx, by, page, wholeChange)
}

// pass moves the webhook to where the log was complete before it was read to its end: what its filter left out is not read again.
func (t *turn) pass(ctx context.Context, latest string, print uint64) error {
	log := &changeLog{db.Log{Epoch: t.Epoch}}
	to, err := placeOf("", latest, log, print)
	if err != nil {
		return err
	}
	if t.Place.Before(to) {
		t.Place = to
	}
	t.State, t.FailingSince, t.Attempts, t.DeliveryID = string(WebhookStateActive), nil, 0, nil // there is nothing that could fail
	t.NextAt = t.now()                                                                          // it has had its turn: others come first
	return t.move(ctx, nil, false)
}

// deliver sends a change and moves the webhook behind it if it was taken; false if the webhook is to be left alone for now.
func (t *turn) deliver(ctx context.Context, e *ChangeEdge, secrets [][]byte) (bool, error) {
	if time.Since(t.renewed) > webhookUnheld {
		if err := t.hold(ctx); err != nil || t.lost {
			return false, err
		}
	}
	body, err := messageOf(e)
	if err != nil {
		return false, err
	}
	answer := t.sender.Send(context.WithoutCancel(ctx), WebhookMessage{URL: t.URL, ID: e.Node.ID(), At: t.now(), Body: body, Secrets: secrets})
	d, fresh := t.delivery(e)
	tell(d, answer)
	if !delivered(answer.Status) {
		t.DeliveryID = &d.ID
		t.failed(&t.Webhook, answer)
		return false, t.move(ctx, d, fresh)
	}
	t.Place, t.State, t.FailingSince, t.Attempts, t.DeliveryID = d.Place, string(WebhookStateActive), nil, 0, nil
	err = t.move(ctx, d, fresh)
	return err == nil && !t.lost, err
}

// delivery is the delivery of a change, which is a fresh one unless that very change is being tried again: what was tried before may be left out
// by now, by another filter or the owner's rights, and that it was tried may not have been noted.
func (t *turn) delivery(e *ChangeEdge) (d *db.Delivery, fresh bool) {
	d = &db.Delivery{ID: newID(), Type: eventType(e.Node.Kind), Epoch: t.Epoch, Place: e.Node.place()}
	again := t.DeliveryID != nil && t.Tried == d.Place
	switch {
	case again:
		d.ID = *t.DeliveryID
	case t.DeliveryID != nil && t.Tried != (db.Place{}):
		t.Attempts = 0 // they were another change's
	}
	d.Attempts = t.Attempts + 1
	return d, !again
}

// errDead is why a webhook is dead, for the operator.
func errDead(why string) error { return fmt.Errorf("it is dead: %s", why) }

// die ends the webhook where it stands.
func (t *turn) die(ctx context.Context, why WebhookReason) error {
	died(&t.Webhook, why)
	return t.move(ctx, nil, false)
}

// later leaves the webhook alone for some time.
func (t *turn) later(ctx context.Context, d time.Duration) error {
	t.NextAt = t.now().Add(d)
	return t.move(ctx, nil, false)
}

// move writes down where the webhook stands, and tells the operator if it is dead.
func (t *turn) move(ctx context.Context, d *db.Delivery, fresh bool) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	at := time.Now()
	ok, err := t.s.store.MoveWebhook(ctx, t.HeldWebhook, d, fresh, webhookHold)
	t.lost, t.renewed = t.lost || err == nil && !ok, at
	if ok && err == nil && t.Reason != nil {
		t.onEvent(typeID(webhookPrefix, t.ID), errDead(*t.Reason))
	}
	return err
}

// release gives the lease back. If that fails it runs out.
func (t *turn) release(ctx context.Context) {
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := t.s.store.ReleaseWebhook(ctx, t.HeldWebhook); err != nil {
		t.onEvent(typeID(webhookPrefix, t.ID), err)
	}
}
