package directory_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roster/internal/directory"
)

// TestWebhookRounds keeps as many webhooks busy as a server delivers to at once: one more, the last in every order, is told what there is
// all the same, as soon as one of them has had its turn.
func TestWebhookRounds(t *testing.T) {
	t.Parallel()
	const slots, most = 16, 5
	h := newHooked(t)
	h.users("ann")
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	for i := range slots {
		h.hook(directory.CreateWebhookInput{URL: fmt.Sprintf("https://example.org/busy/%d", i), Filter: filter})
	}
	h.hook(directory.CreateWebhookInput{Filter: filter})
	var mu sync.Mutex
	arrived, rounds, round, over := 0, 0, make(chan struct{}), false
	told := make(chan struct{})
	end := func() {
		over = true
		close(round)
		close(told)
	}
	h.receiver.answer = func(m directory.WebhookMessage, _ int) directory.WebhookAnswer {
		mu.Lock()
		defer mu.Unlock()
		ok := directory.WebhookAnswer{Status: http.StatusOK}
		switch {
		case over:
			return ok
		case m.URL == hookURL:
			end()
			return ok
		}
		// The busy ones wait for each other; the last of them sees to it that there is more for all.
		if arrived++; arrived < slots {
			wait := round
			mu.Unlock()
			<-wait
			mu.Lock()
			return ok
		}
		if rounds++; rounds == most {
			t.Errorf("after %d rounds of the others it has been told nothing", rounds)
			end()
			return ok
		}
		h.mail(fmt.Sprint("round ", rounds))
		close(round)
		arrived, round = 0, make(chan struct{})
		return ok
	}
	h.mail("0")
	h.settle()
	h.deliver(h.Service)
	select {
	case <-told:
	case <-patience(t).Done():
		t.Fatal("waited too long for the rounds to be over")
	}
}

// TestWebhookFailureIsNotNoted: where Postgres could not be told that a message failed, the next try is noted as ever, and nobody is told of
// anything but that.
func TestWebhookFailureIsNotNoted(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	h.receiver.answer = func(_ directory.WebhookMessage, n int) directory.WebhookAnswer {
		switch n {
		case 0:
			return directory.WebhookAnswer{Status: http.StatusOK}
		case 1:
			h.exec(`ALTER TABLE webhook_deliveries ADD CONSTRAINT full_disk CHECK (number < 2)`)
		case 2:
			h.exec(`ALTER TABLE webhook_deliveries DROP CONSTRAINT full_disk`)
		}
		return directory.WebhookAnswer{Status: http.StatusInternalServerError}
	}
	h.mail("1")
	second := h.mail("2")
	h.settle()
	stop := h.deliver(h.Service)
	for n := range 3 {
		h.until(id, "tried", func(*directory.Webhook) bool { return len(h.receiver.messages(hookURL)) >= 2+n && h.unheld(id) })
		h.clock.ahead.Add(int64(time.Hour))
	}
	stop()
	if len(h.told) != 1 || !strings.Contains(h.told[0], id) {
		t.Errorf("the operator heard %q", h.told)
	}
	ds := h.deliveries(id)
	if len(ds) != 2 || ds[0].ChangeID == nil || *ds[0].ChangeID != second || ds[0].Delivered || ds[0].StatusCode == nil || *ds[0].StatusCode != 500 || ds[0].Attempts < 2 {
		t.Errorf("%d deliveries, the last is %+v", len(ds), ds[0])
	}
}

// TestWebhookTriesAnother: a change that failed and is then left out by a new filter was not delivered; the one that comes in its place is a
// delivery of its own.
func TestWebhookTriesAnother(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	h.receiver.answers(http.StatusInternalServerError)
	first := h.mail("1")
	h.settle()
	h.deliver(h.Service)
	h.untilFailing(id)
	h.receiver.answers(http.StatusOK)
	h.update(id, directory.UpdateWebhookInput{Filter: directory.Some(directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserCreated}})})
	h.users("bob")
	h.clock.ahead.Add(int64(time.Hour))
	h.untilSettled(id)
	var got []string
	for _, d := range h.deliveries(id) {
		got = append(got, fmt.Sprintf("%s %t %d %t", d.Type, d.Delivered, d.Attempts, *d.ChangeID == first))
	}
	if want := []string{"user.created true 1 false", "user.updated false 1 true"}; !slices.Equal(got, want) {
		t.Errorf("the deliveries are %q, want %q", got, want)
	}
}

// TestWebhookReaddressed: who says where a webhook leads is its owner from then on. Otherwise a token that leaked could send it elsewhere, and it
// would outlive that token's end by another's.
func TestWebhookReaddressed(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.withRole("eve", directory.RoleAdministrator)
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{})
	eve := h.as("eve")
	to := directory.Some("https://example.org/eve")
	claimed := eve
	claimed.Token, claimed.Roles, claimed.User = nil, []directory.Role{directory.RoleAdministrator}, h.as("ann").User
	if _, err := h.UpdateWebhook(t.Context(), claimed, directory.UpdateWebhookInput{Webhook: id, URL: to}, nothing); failure(err) != directory.Forbidden {
		t.Errorf("by an issuer's word alone: %v", err)
	}
	h.did(h.UpdateWebhook(t.Context(), eve, directory.UpdateWebhookInput{Webhook: id, URL: directory.Some(hookURL), Description: directory.Some("d")}, nothing))
	if owner := h.text(`SELECT u.username FROM webhooks w JOIN users u ON u.id = w.owner_id`); owner != "admin" {
		t.Errorf("with the address that it had, its owner is %s", owner)
	}
	h.did(h.UpdateWebhook(t.Context(), eve, directory.UpdateWebhookInput{Webhook: id, URL: to}, nothing))
	h.did(h.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: directory.TypeID("tok", eve.Token.UUID)}, nothing))
	h.settle()
	h.deliver(h.Service)
	if why := h.untilDead(id); why != directory.WebhookReasonOwner {
		t.Errorf("it is dead for %s", why)
	}
	if got := h.receiver.ids(""); len(got) != 0 {
		t.Errorf("by a token that was revoked it was told %v", got)
	}
}

// TestWebhookOfSession: a session makes no webhook and takes none over, since that would outlive it; the token that it stands for does.
func TestWebhookOfSession(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.withRole("ada", directory.RoleAdministrator)
	secret := h.secretOf("ada")
	ada := h.with(secret)
	everybody := func(directory.Caller) error { return nil }
	session, err := h.Exchange(t.Context(), directory.DoorEntrust, "r", directory.TypeID("tok", ada.Token.UUID), secret, time.Minute, everybody)
	if err != nil {
		t.Fatal(err)
	}
	by := h.with(session.Secret)
	id, _ := h.hookOf(ada, directory.CreateWebhookInput{})
	_, made := h.CreateWebhook(t.Context(), by, directory.CreateWebhookInput{URL: hookURL}, nothing)
	_, turned := h.UpdateWebhook(t.Context(), by, directory.UpdateWebhookInput{Webhook: id, Enabled: directory.Some(true)}, nothing)
	_, moved := h.UpdateWebhook(t.Context(), by, directory.UpdateWebhookInput{Webhook: id, URL: directory.Some("https://example.org/elsewhere")}, nothing)
	for what, err := range map[string]error{"makes one": made, "turns one on": turned, "readdresses one": moved} {
		if failure(err) != directory.Forbidden {
			t.Errorf("a session %s: %v", what, err)
		}
	}
	h.did(h.UpdateWebhook(t.Context(), by, directory.UpdateWebhookInput{Webhook: id, Description: directory.Some("d"), Enabled: directory.Some(false)}, nothing))
}

// TestWebhookReaddressedFails: the day of failures after which a webhook is dead is a day at one address.
func TestWebhookReaddressedFails(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	h.receiver.answers(http.StatusInternalServerError)
	h.mail("1")
	h.settle()
	stop := h.deliver(h.Service)
	h.untilFailing(id)
	stop()
	h.clock.ahead.Add(int64(25 * time.Hour))
	h.update(id, directory.UpdateWebhookInput{URL: directory.Some("https://example.org/other")})
	h.deliver(h.Service)
	hook := h.until(id, "tried there", func(w *directory.Webhook) bool {
		return len(h.receiver.ids("https://example.org/other")) > 0 && h.unheld(id) && w.State != directory.WebhookStateActive
	})
	if hook.State != directory.WebhookStateFailing {
		t.Errorf("after one failure at another address it is %s", hook.State)
	}
}
