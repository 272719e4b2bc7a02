package directory_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// TestWebhookRights: a webhook is told what its owner may see when it is sent, as they are then: all while they have CHANGES_VIEW, afterwards what
// happens in the groups that they are an admin of. When they are gone, or the token that they made it with is revoked, it is dead; and whoever turns
// it on again is its owner. A token that has come to its end does no harm.
func TestWebhookRights(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.withRole("ada", directory.RoleAdministrator)
	h.group("hers", "", "ada", false)
	h.group("others", "", "", false)
	h.settle()
	ada := h.as("ada")
	kinds := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded, directory.ChangeKindMemberRemoved}}
	id, _ := h.hookOf(ada, directory.CreateWebhookInput{Filter: kinds})
	h.deliver(h.Service)
	flip := func() (both [2]string) {
		h.t.Helper()
		for i, g := range []string{"hers", "others"} {
			ref := directory.GroupByName(g)
			p := h.did(h.AddMembers(t.Context(), directory.System(), directory.AddMembersInput{Group: ref, Users: named("ann")}, withChanges))
			if len(changesOf(t, p)) == 0 {
				p = h.did(h.RemoveMembers(t.Context(), directory.System(), directory.RemoveMembersInput{Group: ref, Users: named("ann")}, withChanges))
			}
			both[i] = changesOf(t, p)[0].ID()
		}
		return both
	}
	all := flip()
	h.untilSettled(id)
	h.exec(`UPDATE tokens SET expires_at = now() - interval '1 hour' WHERE id = $1::uuid`, ada.Token.UUID.String())
	more := flip()
	h.untilSettled(id)
	h.did(h.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: *named("ada")[0], Roles: directory.Some([]directory.Role{directory.RoleManager})}, nothing))
	fewer := flip()
	h.untilSettled(id)
	want := []string{all[0], all[1], more[0], more[1], fewer[0]}
	if got := h.receiver.ids(hookURL); !slices.Equal(got, want) {
		t.Errorf("it was told %v, want %v", got, want)
	}
	h.did(h.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: directory.TypeID("tok", ada.Token.UUID)}, nothing))
	missed := flip()
	if why := h.untilDead(id); why != directory.WebhookReasonOwner {
		t.Errorf("it is dead for %s", why)
	}
	if got := h.receiver.ids(hookURL); !slices.Equal(got, want) {
		t.Errorf("with the token revoked it was told %v", got[len(want):])
	}
	h.update(id, directory.UpdateWebhookInput{Enabled: directory.Some(true)}) // by the first administrator
	h.untilSettled(id)
	if got := h.receiver.ids(hookURL)[len(want):]; !slices.Equal(got, missed[:]) {
		t.Errorf("with another owner it was told %v, want %v", got, missed)
	}
	h.withRole("eve", directory.RoleAdministrator)
	h.settle()
	second, _ := h.hookOf(h.as("eve"), directory.CreateWebhookInput{URL: "https://example.org/eve"})
	h.untilSettled(second)
	h.did(h.DeleteUser(t.Context(), directory.System(), directory.DeleteUserInput{User: *named("eve")[0]}, nothing))
	if why := h.untilDead(second); why != directory.WebhookReasonOwner {
		t.Errorf("without its owner it is dead for %s", why)
	}
}

// TestWebhookOwners: who may make a webhook, and who may not.
func TestWebhookOwners(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.group("g", "", "ann", false)
	h.withRole("ada", directory.RoleAdministrator)
	h.withRole("max", directory.RoleManager)
	claimed := h.as("ann")
	claimed.Token, claimed.Roles = nil, []directory.Role{directory.RoleAdministrator} // as an issuer says
	for name, row := range map[string]struct {
		by   directory.Caller
		want directory.Code
	}{
		"an administrator":                           {h.as("ada"), ""},
		"an administrator's token of that scope":     {h.as("ada", directory.PermissionChangesView), ""},
		"an administrator's token without":           {h.as("ada", directory.PermissionGroupsView), directory.Forbidden},
		"a manager":                                  {h.as("max"), directory.Forbidden},
		"an admin of a group":                        {h.as("ann"), directory.Forbidden},
		"a group's token":                            {h.tokenOf("g"), directory.Forbidden},
		"an administrator by an issuer's word alone": {claimed, directory.Forbidden},
		"Roster itself":                              {directory.System(), directory.Invalid},
		"nobody":                                     {directory.Caller{Via: directory.DoorGraphQL}, directory.Unauthenticated},
	} {
		_, err := h.CreateWebhook(t.Context(), row.by, directory.CreateWebhookInput{URL: hookURL, DryRun: true}, nothing)
		if failure(err) != row.want {
			t.Errorf("createWebhook by %s: %v, want %q", name, err, row.want)
		}
	}
}

// TestWebhookSecrets: a secret is told once and kept encrypted; a new one signs beside the old for the overlap; and the key of token hashes can change.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	id, first := h.hook(directory.CreateWebhookInput{Filter: filter})
	h.exec(`UPDATE webhooks SET token_id = NULL`) // which under another key would be another
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(first, "whsec_"))
	if err != nil || len(raw) != 32 || !strings.HasPrefix(first, "whsec_") {
		t.Fatalf("the secret is no secret of Standard Webhooks: %v", err)
	}
	signedWith := func() [][]byte {
		t.Helper()
		n := len(h.receiver.messages(hookURL))
		h.mail(fmt.Sprint(n))
		h.untilSettled(id)
		return h.receiver.messages(hookURL)[n].Secrets
	}
	stop := h.deliver(h.Service)
	if got := signedWith(); len(got) != 1 || !bytes.Equal(got[0], raw) {
		t.Error("it does not sign with the secret that was told")
	}
	second := h.update(id, directory.UpdateWebhookInput{RotateSecret: true, OverlapSeconds: 3600}).Secret
	if got := signedWith(); len(got) != 2 || spelt(got[0]) != second || spelt(got[1]) != first {
		t.Errorf("within the overlap it signs with %d secrets", len(got))
	}
	h.clock.ahead.Add(int64(time.Hour))
	if got := signedWith(); len(got) != 1 || spelt(got[0]) != second {
		t.Errorf("after the overlap it signs with %d secrets", len(got))
	}
	third := h.update(id, directory.UpdateWebhookInput{RotateSecret: true}).Secret
	if got := signedWith(); len(got) != 1 || spelt(got[0]) != third {
		t.Errorf("without an overlap it signs with %d secrets", len(got))
	}
	h.update(id, directory.UpdateWebhookInput{RotateSecret: true, OverlapSeconds: 3600})
	before := h.text(`SELECT secret::text FROM webhooks`)
	stop()
	for _, secret := range []string{first, second, third} {
		raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		everything := h.dump()
		if strings.Contains(everything, secret) || strings.Contains(everything, secret[6:]) || strings.Contains(everything, hex.EncodeToString(raw)) {
			t.Error("a secret is in the database")
		}
	}
	h.rekey("another key", oldKey)
	stop = h.deliver(h.Service)
	h.await("the secrets to be under the new key", `SELECT secret::text <> $1 FROM webhooks`, before)
	stop()
	h.rekey("another key")
	stop = h.deliver(h.Service)
	if got := signedWith(); len(got) != 2 || spelt(got[1]) != third {
		t.Errorf("under the new key it signs with %d secrets", len(got))
	}
	stop()
	h.rekey("a third")
	h.deliver(h.Service)
	h.mail("lost")
	if why := h.untilDead(id); why != directory.WebhookReasonSecret {
		t.Errorf("without the key it is dead for %s", why)
	}
	_, err = h.UpdateWebhook(t.Context(), h.root(), directory.UpdateWebhookInput{Webhook: id, Enabled: directory.Some(true)}, nothing)
	if failure(err) != directory.Conflict {
		t.Errorf("it is turned on without a secret: %v", err)
	}
	last := h.update(id, directory.UpdateWebhookInput{Enabled: directory.Some(true), RotateSecret: true}).Secret
	h.untilSettled(id)
	if got := h.receiver.messages(hookURL); spelt(got[len(got)-1].Secrets[0]) != last {
		t.Error("it does not sign with its new secret")
	}
}

// rekey has the directory begin anew with other keys of token hashes. The first administrator's token is kept under them from then on.
func (h *hooked) rekey(key string, before ...string) {
	h.t.Helper()
	h.config.TokenKey, h.config.PreviousTokenKeys = []byte(key), nil
	for _, k := range before {
		h.config.PreviousTokenKeys = append(h.config.PreviousTokenKeys, []byte(k))
	}
	h.Service = directory.New(h.config)
	if _, err := h.EnsureAdmin(h.t.Context(), rostertest.AdminSecret); err != nil {
		h.t.Fatal(err)
	}
}

func spelt(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

// TestWebhookResync: where the changes that come next were dropped, or the database is another, a webhook is dead and nothing is left out in silence. It is turned
// on from a place that there is.
func TestWebhookResync(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(h *hooked){
		"dropped": func(h *hooked) {
			h.age(2 * week)
			h.keep(h.t.Context(), week, 1)
		},
		"another database": func(h *hooked) { h.exec(`UPDATE settings SET value = gen_random_uuid() WHERE key = 'epoch'`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHooked(t)
			h.users("ann")
			h.settle()
			id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
			h.mail("1")
			lose(h)
			h.deliver(h.Service)
			if why := h.untilDead(id); why != directory.WebhookReasonResync {
				t.Errorf("it is dead for %s", why)
			}
			_, err := h.UpdateWebhook(t.Context(), h.root(), directory.UpdateWebhookInput{Webhook: id, Enabled: directory.Some(true)}, nothing)
			cursor := directory.AsError(err).Cursor
			if failure(err) != directory.ResyncRequired || directory.AsError(err).Field != "input.replayFrom" {
				t.Fatalf("it is turned on where it is: %v", err)
			}
			after := h.mail("2")
			h.update(id, directory.UpdateWebhookInput{Enabled: directory.Some(true), ReplayFrom: &cursor})
			h.untilSettled(id)
			if got := h.receiver.ids(hookURL); !slices.Equal(got, []string{after}) {
				t.Errorf("it was told %v, want %s", got, after)
			}
		})
	}
}

// TestWebhookIsNotLostByItsFilter: the place of a webhook moves on past what its filter leaves out, so that what is dropped for its age is not missed.
func TestWebhookIsNotLostByItsFilter(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindGroupDeleted}}})
	h.deliver(h.Service)
	h.mail("1")
	h.untilSettled(id)
	h.age(2 * week)
	h.keep(t.Context(), week, 1)
	h.mail("2")
	h.untilSettled(id)
	if hook := h.look(id); hook.State != directory.WebhookStateActive || len(h.receiver.ids(hookURL)) != 0 {
		t.Errorf("it is %s", hook.State)
	}
}

// TestWebhookEnd: a server that ends lets a message that is under way come to its end, writes down what came of it, and gives all leases back.
func TestWebhookEnd(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	under, goOn := make(chan struct{}), make(chan struct{})
	h.receiver.answer = func(_ directory.WebhookMessage, n int) directory.WebhookAnswer {
		if n == 0 {
			close(under)
			<-goOn
		}
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	first := h.mail("1")
	h.mail("2")
	h.settle()
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.DeliverWebhooks(ctx)
	}()
	<-under
	end()
	select {
	case <-ended:
		t.Error("it ended while a message was under way")
	default:
	}
	close(goOn)
	<-ended
	d := h.deliveries(id)
	if got := h.receiver.ids(hookURL); !slices.Equal(got, []string{first}) || len(d) != 1 || !d[0].Delivered || h.look(id).Position != *d[0].Cursor || !h.unheld(id) {
		t.Errorf("it sent %v, wrote down %d deliveries and stands at %s", got, len(d), h.look(id).Position)
	}
}

// TestWebhookIsOneServers: of several servers one delivers to a webhook at a time; while its lease lasts nobody else does, and when it has run out another
// goes on. (The receiver fails the test if two messages are under way at once.)
func TestWebhookIsOneServers(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	for range 3 {
		h.deliver(h.server())
	}
	var want []string
	for i := range 30 {
		want = append(want, h.mail(fmt.Sprint(i)))
	}
	h.untilSettled(id)
	h.exec(`UPDATE webhooks SET lease = 'a dead server', lease_until = now() + interval '1 hour'`)
	want = append(want, h.mail("held"))
	h.settle()
	other, _ := h.hook(directory.CreateWebhookInput{URL: "https://example.org/other"})
	h.mail("more")
	h.settle()
	h.until(other, "told", func(*directory.Webhook) bool { return len(h.receiver.ids("https://example.org/other")) >= 2 })
	if got := h.receiver.ids(hookURL); len(got) != 30 {
		t.Errorf("while another held the lease it was sent %d messages more", len(got)-30)
	}
	h.exec(`UPDATE webhooks SET lease_until = now() WHERE lease = 'a dead server'`)
	h.until(id, "told", func(*directory.Webhook) bool { return len(h.receiver.ids(hookURL)) >= 31 })
	if got := h.receiver.ids(hookURL)[:31]; !slices.Equal(got, want) {
		t.Errorf("it was told (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// TestWebhookChangedMeanwhile: what is under way when somebody changes a webhook moves no place, so that nothing of what they asked for is undone.
func TestWebhookChangedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	first := h.mail("1")
	h.settle()
	begin := h.cursorNow(filter)
	second := h.mail("2")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: filter, After: begin})
	start, err := h.Changes(t.Context(), h.root(), directory.Page{Rows: true, Filter: filter, PageArgs: directory.PageArgs{First: ptr(0)}}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	h.receiver.answer = func(_ directory.WebhookMessage, n int) directory.WebhookAnswer {
		if n == 0 {
			h.update(id, directory.UpdateWebhookInput{ReplayFrom: start.PageInfo.EndCursor})
		}
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	stop := h.deliver(h.Service)
	h.until(id, "told all", func(*directory.Webhook) bool { return len(h.receiver.ids(hookURL)) >= 3 && h.unheld(id) })
	if got := h.receiver.ids(hookURL); !slices.Equal(got, []string{second, first, second}) {
		t.Errorf("it was told %v, want %s, then %[2]s and it again", got, second, first)
	}
	h.receiver.answer = func(directory.WebhookMessage, int) directory.WebhookAnswer {
		h.did(h.DeleteWebhook(t.Context(), h.root(), directory.DeleteWebhookInput{Webhook: id}, nothing))
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	h.mail("3")
	h.await("the webhook to be gone", `SELECT count(*) = 0 FROM webhooks`)
	stop()
	if told := h.told; len(told) != 0 {
		t.Errorf("the operator heard %v", told)
	}
}

// TestWebhookPanic: what goes wrong with one webhook is told once, costs it half a minute, and no other anything.
func TestWebhookPanic(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	bad, _ := h.hook(directory.CreateWebhookInput{URL: "https://example.org/bad"})
	good, _ := h.hook(directory.CreateWebhookInput{})
	h.receiver.answer = func(m directory.WebhookMessage, _ int) directory.WebhookAnswer {
		if m.URL != hookURL {
			panic("on purpose")
		}
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	stop := h.deliver(h.Service)
	last := h.mail("1")
	h.until(good, "told all", func(*directory.Webhook) bool { return slices.Contains(h.receiver.ids(hookURL), last) })
	h.await("the other to be left alone", `SELECT lease IS NULL AND next_at > now() FROM webhooks WHERE url = 'https://example.org/bad'`)
	stop()
	if len(h.told) != 1 || !strings.HasPrefix(h.told[0], bad+" panic: on purpose") {
		t.Errorf("the operator heard %q", h.told)
	}
}

// TestWebhookWithoutDatabase: while Postgres is away a webhook waits, and goes on when it is back.
func TestWebhookWithoutDatabase(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	var want []string
	for i := range 10 {
		want = append(want, h.mail(fmt.Sprint(i)))
	}
	h.settle()
	h.receiver.answer = func(_ directory.WebhookMessage, n int) directory.WebhookAnswer {
		if n%3 == 1 {
			_, _ = h.beam.ExecContext(h.t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		}
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	other := h.server()
	h.deliver(other)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := patience(t); len(once(h.receiver.ids(hookURL))) < len(want); <-tick.C {
		if ctx.Err() != nil {
			t.Fatalf("waited too long for %d messages", len(want))
		}
		h.clock.ahead.Add(int64(time.Minute))
		other.WakeWebhooks()
	}
	if got := once(h.receiver.ids(hookURL)); !slices.Equal(got, want) {
		t.Errorf("it was told (-want +got):\n%s", cmp.Diff(want, got))
	}
}

// TestWebhookTest: a test is sent whatever a webhook's state is, moves nothing, and is one of its deliveries.
func TestWebhookTest(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.settle()
	id, secret := h.hook(directory.CreateWebhookInput{Enabled: ptr(false)})
	position := h.look(id).Position
	test := func() *directory.WebhookDelivery {
		t.Helper()
		p := h.did(h.TestWebhook(t.Context(), h.root(), directory.TestWebhookInput{Webhook: id}, directory.Want(directory.Link{Key: "d", Field: "delivery",
			Select: directory.Selection{Fields: []string{"type", "changeId", "delivered", "statusCode", "error", "attempts"}}})))
		d, err := directory.Linked[*directory.WebhookDelivery](p, "d")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := test()
	m := h.receiver.messages(hookURL)[0]
	if want := `"data":{"webhook":"` + id + `"}}`; !strings.HasPrefix(string(m.Body), `{"type":"test","timestamp":"`) || !strings.HasSuffix(string(m.Body), want) ||
		m.ID != d.ID() || spelt(m.Secrets[0]) != secret || !d.Delivered || d.ChangeID != nil || d.Attempts != 1 {
		t.Errorf("a test is %s, its delivery %+v", m.Body, d)
	}
	h.receiver.answer = func(directory.WebhookMessage, int) directory.WebhookAnswer {
		return directory.WebhookAnswer{Problem: "There was no answer in time."}
	}
	if d = test(); d.Delivered || d.StatusCode != nil || *d.Error != "There was no answer in time." {
		t.Errorf("a test that fails is %+v", d)
	}
	h.receiver.answers(http.StatusFound)
	if d = test(); d.Delivered || *d.StatusCode != 302 || !strings.Contains(*d.Error, "not followed") {
		t.Errorf("a test that is sent on is %+v", d)
	}
	if hook := h.look(id); hook.State != directory.WebhookStateActive || hook.Position != position || len(h.deliveries(id)) != 3 {
		t.Errorf("after tests it is %+v", hook)
	}
	_, err := h.TestWebhook(t.Context(), h.root(), directory.TestWebhookInput{Webhook: directory.TypeID("wbh", h.uuidOf(`SELECT gen_random_uuid()`))}, nothing)
	if failure(err) != directory.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
}

// TestWebhookDeliveriesAreBounded: the last thousand deliveries of a webhook are kept, and the one that is being tried again whatever comes.
func TestWebhookDeliveriesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	h.receiver.answers(http.StatusInternalServerError)
	first := h.mail("1")
	h.settle()
	stop := h.deliver(h.Service)
	h.untilFailing(id)
	h.exec(`INSERT INTO webhook_deliveries (id, webhook_id, number, type, attempts, duration_ms) SELECT gen_random_uuid(), id, i, 'test', 1, 0 FROM webhooks, generate_series(2, 5000) i`)
	h.exec(`UPDATE webhooks SET sent = 5000`)
	h.exec(`DELETE FROM webhook_deliveries WHERE number BETWEEN 2 AND 4000`)
	h.clock.ahead.Add(int64(time.Minute))
	h.until(id, "failing again", func(*directory.Webhook) bool { return len(h.receiver.ids(hookURL)) == 2 && h.unheld(id) })
	if got := h.text(`SELECT count(*) || ' ' || min(number) || ' ' || max(attempts) FROM webhook_deliveries`); got != "1001 1 2" {
		t.Errorf("while it fails there are %s (number, first, attempts)", got)
	}
	h.receiver.answers(http.StatusOK)
	h.clock.ahead.Add(int64(time.Hour))
	second := h.mail("2")
	h.untilSettled(id)
	stop()
	if len(h.told) != 0 {
		t.Errorf("the operator heard %q", h.told)
	}
	if got := h.text(`SELECT count(*) || ' ' || min(number) || ' ' || max(number) FROM webhook_deliveries`); got != "1000 4002 5001" {
		t.Errorf("afterwards there are %s (number, first, last)", got)
	}
	if got := h.receiver.ids(hookURL); !slices.Equal(got, []string{first, first, first, second}) {
		t.Errorf("it was told %v", got)
	}
}

// TestWebhookWrites: what is wrong with an input, what the log tells, and that a dry run leaves nothing.
func TestWebhookWrites(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	ctx, by := t.Context(), h.root()
	before := h.dump()
	p := h.did(h.CreateWebhook(ctx, by, directory.CreateWebhookInput{URL: hookURL, DryRun: true}, withChanges))
	if p.Secret != "" || len(changesOf(t, p)) != 1 {
		t.Error("a dry run tells a secret, or no change")
	}
	create := func(in directory.CreateWebhookInput) error { return failed(h.CreateWebhook(ctx, by, in, nothing)) }
	group, long := directory.GroupByName("x"), strings.Repeat("x", 2049)
	group.Number = ptr(1)
	for name, row := range map[string]struct {
		err   error
		code  directory.Code
		field string
	}{
		"http":            {create(directory.CreateWebhookInput{URL: "http://example.org"}), directory.Invalid, "input.url"},
		"no URL":          {create(directory.CreateWebhookInput{}), directory.Invalid, "input.url"},
		"a long URL":      {create(directory.CreateWebhookInput{URL: "https://" + long}), directory.Invalid, "input.url"},
		"NUL":             {create(directory.CreateWebhookInput{URL: hookURL, Description: ptr("\x00")}), directory.Invalid, "input.description"},
		"a wrong filter":  {create(directory.CreateWebhookInput{URL: hookURL, Filter: &directory.ChangeFilter{Group: &group}}), directory.Invalid, "input.filter.group"},
		"a wrong cursor":  {create(directory.CreateWebhookInput{URL: hookURL, After: ptr("x")}), directory.Invalid, "input.after"},
		"no webhook":      {failed(h.UpdateWebhook(ctx, by, directory.UpdateWebhookInput{Webhook: "x"}, nothing)), directory.Invalid, "input.webhook"},
		"a user":          {failed(h.DeleteWebhook(ctx, by, directory.DeleteWebhookInput{Webhook: directory.TypeID("usr", by.User.UUID)}, nothing)), directory.Invalid, "input.webhook"},
		"one that is not": {failed(h.DeleteWebhook(ctx, by, directory.DeleteWebhookInput{Webhook: directory.TypeID("wbh", by.User.UUID)}, nothing)), directory.NotFound, "input.webhook"},
		"a long overlap":  {failed(h.UpdateWebhook(ctx, by, directory.UpdateWebhookInput{OverlapSeconds: 604801}, nothing)), directory.Invalid, "input.overlapSeconds"},
	} {
		if failure(row.err) != row.code || directory.AsError(row.err).Field != row.field {
			t.Errorf("%s: %v, want %s of %s", name, row.err, row.code, row.field)
		}
	}
	if d := cmp.Diff(before, h.dump()); d != "" {
		t.Errorf("a dry run or a refusal left something:\n%s", d)
	}
	id, _ := h.hook(directory.CreateWebhookInput{URL: "https://example.org:444/secret?of=theirs", Description: ptr("d")})
	for name, in := range map[string]directory.UpdateWebhookInput{
		"null for the URL": {URL: directory.Optional[string]{Set: true}}, "null for enabled": {Enabled: directory.Optional[bool]{Set: true}},
	} {
		in.Webhook = id
		if err := failed(h.UpdateWebhook(ctx, by, in, nothing)); failure(err) != directory.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := directory.UpdateWebhookInput{Webhook: id, Description: directory.Some("d"), Enabled: directory.Some(true), Filter: directory.Optional[directory.ChangeFilter]{Set: true}}
	if p := h.did(h.UpdateWebhook(ctx, by, same, withChanges)); len(changesOf(t, p)) != 0 {
		t.Error("an update that changes nothing tells a change")
	}
	cursor := h.cursorNow(nil)
	p = h.did(h.UpdateWebhook(ctx, by, directory.UpdateWebhookInput{Webhook: id, URL: directory.Some("https://example.org:444/other"), RotateSecret: true, ReplayFrom: cursor}, withChanges))
	c := changesOf(t, p)[0]
	owner, uid := by.User.UUID.String(), h.text(`SELECT id FROM webhooks`)
	image := `{"uuid":"` + uid + `","host":"example.org:444","description":"d","filter":null,"enabled":true,"owner":"` + owner + `"`
	if c.Kind != directory.ChangeKindWebhookUpdated || string(c.Before) != image+"}" || string(c.After) != image+`,"rotated":true,"moved":true,"readdressed":true}` {
		t.Errorf("%s tells %s and %s", c.Kind, c.Before, c.After)
	}
	if log := h.text(`SELECT string_agg(coalesce(before::text, '') || coalesce(after::text, ''), '') FROM changes`); strings.Contains(log, "theirs") {
		t.Error("the log tells more of an address than its host")
	}
}

// TestWebhooksAreBounded: a hundred, whoever makes them at once.
func TestWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.hook(directory.CreateWebhookInput{})
	h.exec(`INSERT INTO webhooks (id, url, secret, epoch, tx, seq) SELECT gen_random_uuid(), 'https://example.org', '', 'x', '1', 1 FROM generate_series(3, $1::int)`, directory.MaxWebhooks)
	by, failures := h.root(), make([]error, 4)
	together(4, func(i int) {
		_, failures[i] = h.CreateWebhook(t.Context(), by, directory.CreateWebhookInput{URL: hookURL}, nothing)
	})
	made := 0
	for _, err := range failures {
		switch failure(err) {
		case "":
			made++
		case directory.LimitExceeded:
		default:
			t.Error(err)
		}
	}
	if n := h.text(`SELECT count(*) FROM webhooks`); made != 1 || n != fmt.Sprint(directory.MaxWebhooks) {
		t.Errorf("%d more were made, and there are %s", made, n)
	}
}

// TestWebhooksNeedASender: a server that sends none makes none.
func TestWebhooksNeedASender(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	id, _ := h.hook(directory.CreateWebhookInput{})
	h.config.Webhooks = nil
	silent := directory.New(h.config)
	silent.DeliverWebhooks(t.Context()) // returns
	_, create := silent.CreateWebhook(t.Context(), h.root(), directory.CreateWebhookInput{URL: hookURL}, nothing)
	_, test := silent.TestWebhook(t.Context(), h.root(), directory.TestWebhookInput{Webhook: id}, nothing)
	if failure(create) != directory.Unavailable || failure(test) != directory.Unavailable {
		t.Error(errors.Join(create, test))
	}
}
