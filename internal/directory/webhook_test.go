package directory_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// once are ids without those that came before.
func once(ids []string) []string {
	seen, out := map[string]bool{}, []string{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// TestWebhookAtLeastOnceInOrder has many write while two servers deliver, one of which ends and begins anew all the time, to a receiver that fails at
// random. Leases are stolen between a message and the note that it was taken, which is what a server's death leaves behind. Each webhook is told
// all of the log that its filter lets through: no change is left out, none overtakes another, and what comes more than once has come before.
func TestWebhookAtLeastOnceInOrder(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	h := newHooked(t)
	h.manyUsers(20)
	for i := range 3 {
		h.group(fmt.Sprintf("g%d", i), "", "u0 u1", false)
	}
	h.settle()
	chance := own(r)
	var mu sync.Mutex
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	h.receiver.answer = func(m directory.WebhookMessage, n int) directory.WebhookAnswer {
		switch draw(20) {
		case 0:
			return directory.WebhookAnswer{Status: http.StatusServiceUnavailable}
		case 1:
			return directory.WebhookAnswer{Problem: "There was no answer in time."}
		case 2: // it was taken, and whoever sent it does not live to tell: another may send from then on
			h.receiver.over(m.URL, n)
			_, _ = h.beam.ExecContext(h.t.Context(), `UPDATE webhooks SET lease = 'another', lease_until = now() WHERE url = $1`, m.URL)
		}
		return directory.WebhookAnswer{Status: http.StatusOK}
	}
	conditions := map[string]string{"https://example.org/all": "true", "https://example.org/kinds": "kind IN ('MEMBER_REMOVED', 'USER_UPDATED')", "https://example.org/group": "group_name = 'g1'"}
	before, ids := map[string]int{}, []string{}
	for url, filter := range map[string]*directory.ChangeFilter{
		"https://example.org/all":   nil,
		"https://example.org/kinds": {Kinds: []directory.ChangeKind{directory.ChangeKindMemberRemoved, directory.ChangeKindUserUpdated}},
		"https://example.org/group": {Group: ptr(directory.GroupByName("g1"))},
	} {
		h.settle()
		before[url] = len(h.log(conditions[url]))
		id, _ := h.hook(directory.CreateWebhookInput{URL: url, Filter: filter})
		ids = append(ids, id)
	}
	h.deliver(h.Service)
	var writing, restarting sync.WaitGroup
	written := make(chan struct{})
	restarting.Go(func() {
		for {
			stop := h.deliver(h.server())
			select {
			case <-written:
				return
			case <-time.After(50 * time.Millisecond):
				stop()
			}
		}
	})
	for range 4 {
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		writing.Go(func() {
			for range 15 {
				_ = h.writeSomething(own)
				h.clock.ahead.Add(int64(20 * time.Second)) // so that nobody waits for a retry
			}
		})
	}
	writing.Wait()
	close(written)
	restarting.Wait()
	h.settle()
	for _, id := range ids {
		h.until(id, "told all", func(w *directory.Webhook) bool {
			h.clock.ahead.Add(int64(20 * time.Second))
			if w.State == directory.WebhookStateDead { // the clock runs fast: a day is over soon
				h.update(id, directory.UpdateWebhookInput{Enabled: directory.Some(true)})
			}
			want := h.log(conditions[w.URL])[before[w.URL]:]
			return len(once(h.receiver.ids(w.URL))) >= len(want) && w.State == directory.WebhookStateActive
		})
	}
	for url, condition := range conditions {
		want, got := h.log(condition)[before[url]:], h.receiver.ids(url)
		first := once(got)
		if d := cmp.Diff(want, first[:min(len(first), len(want))]); d != "" {
			t.Errorf("%s: %d changes were written, %d came (-log +came):\n%s", url, len(want), len(first), d)
		}
		checkRepeats(t, url, got)
		if len(want) < 10 {
			t.Errorf("%s: only %d changes: too few to test", url, len(want))
		}
	}
}

// checkRepeats: what is sent again is the last that was sent, or what follows it: nothing goes on before what came last was taken.
func checkRepeats(t *testing.T, url string, got []string) {
	t.Helper()
	last := map[string]int{}
	for i, id := range got {
		if at, again := last[id]; again && at != i-1 {
			t.Errorf("%s: %s came as number %d and again as %d, with others in between", url, id, at, i)
		}
		last[id] = i
	}
}

// TestWebhookTellsWhatChangesShows holds webhooks to Query.changes: for each filter, what is sent is what its owner reads there, with its cursors.
func TestWebhookTellsWhatChangesShows(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann", "bob", "eve")
	h.group("g1", "bob", "ann", true)
	h.group("g2", "ann", "bob", false)
	filters := []*directory.ChangeFilter{
		nil, {}, {Group: ptr(directory.GroupByName("G1"))}, {Group: ptr(directory.GroupByName("gone"))}, {User: named("bob")[0]}, {User: named("nobody")[0]},
		{Kinds: []directory.ChangeKind{}}, {Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded, directory.ChangeKindGroupCreated}},
		{Via: []directory.Door{directory.DoorGraphQL}}, {Via: []directory.Door{}}, {Actor: ptr("ann")}, {Actor: ptr("system")},
		{Group: ptr(directory.GroupByUUID(h.uuidOf(`SELECT id FROM groups WHERE name = 'g2'`))), Actor: ptr("ann"), Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded}},
	}
	h.settle()
	ctx := patience(t)
	after, ids := make([]*string, len(filters)), make([]string, len(filters))
	url := func(i int) string { return fmt.Sprintf("https://example.org/%d", i) }
	for i, f := range filters {
		after[i] = h.cursorNow(f)
		ids[i], _ = h.hook(directory.CreateWebhookInput{URL: url(i), Filter: f, After: after[i]})
	}
	h.deliver(h.Service)
	ann := h.as("ann")
	h.did(h.AddMembers(ctx, ann, directory.AddMembersInput{Group: directory.GroupByName("g1"), Users: named("eve ann")}, nothing))
	h.did(h.AddMembers(ctx, directory.System(), directory.AddMembersInput{Group: directory.GroupByName("g2"), Users: named("eve bob")}, nothing))
	h.did(h.UpdateUser(ctx, directory.System(), directory.UpdateUserInput{User: *named("eve")[0], FullName: directory.Some("Eve <e>")}, nothing))
	h.group("brief", "", "ann", false)
	h.did(h.DeleteGroup(ctx, directory.System(), directory.DeleteGroupInput{Group: directory.GroupByName("brief")}, nothing))
	h.untilSettled(ids...)
	total := 0
	for i, f := range filters {
		c, err := h.Changes(ctx, h.root(), directory.Page{Rows: true, Cursors: true, Filter: filterOrNil(f), PageArgs: directory.PageArgs{After: after[i], First: ptr(200)}}, wantedOfChanges)
		if err != nil {
			t.Fatal(err)
		}
		want, got := []string{}, []string{}
		for _, e := range c.Edges {
			want = append(want, e.Node.ID()+" "+e.Cursor+" "+string(e.Node.Kind))
		}
		for _, m := range h.receiver.messages(url(i)) {
			e := eventOf(t, m)
			if m.ID != e.Data.ID || e.Type != strings.ToLower(strings.ReplaceAll(e.Data.Kind, "_", ".")) || e.Timestamp != e.Data.At {
				t.Errorf("message %s is %s", m.ID, m.Body)
			}
			got = append(got, m.ID+" "+e.Data.Cursor+" "+e.Data.Kind)
		}
		total += len(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("filter %d (-Changes +webhook):\n%s", i, d)
		}
	}
	if total < 50 {
		t.Errorf("all together show %d changes: too few to test", total)
	}
}

// TestWebhookBody is what a message says, letter by letter.
func TestWebhookBody(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.group("g", "", "", false)
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindMemberAdded}}})
	h.deliver(h.Service)
	by := h.root()
	by.RequestID = "request-1"
	p := h.did(h.AddMembers(t.Context(), by, directory.AddMembersInput{Group: directory.GroupByName("g"), Users: named("ann")}, withChanges))
	h.untilSettled(id)
	c, m := changesOf(t, p)[0], h.receiver.messages(hookURL)
	if len(m) != 1 {
		t.Fatalf("%d messages came", len(m))
	}
	at := c.At.UTC().Format("2006-01-02T15:04:05.000000Z")
	user := directory.TypeID("usr", h.uuidOf(`SELECT id FROM users WHERE username = 'ann'`))
	want := `{"type":"member.added","timestamp":"` + at + `","data":{"id":"` + c.ID() + `","cursor":"` + h.look(id).Position + `","kind":"MEMBER_ADDED","at":"` + at +
		`","actor":"admin","via":"GRAPHQL","requestId":"request-1","groupId":"` + *c.GroupID() + `","groupName":"g","userId":"` + user + `","username":"ann","before":null,"after":` +
		strings.ReplaceAll(string(c.After), " ", "") + `}}`
	got := string(m[0].Body)
	cursor := eventOf(t, m[0]).Data.Cursor
	if want = strings.Replace(want, h.look(id).Position, cursor, 1); got != want {
		t.Errorf("the body is not as it should be:\n%s", cmp.Diff(want, got))
	}
	if len(m[0].Secrets) != 1 || len(m[0].Secrets[0]) != 32 || m[0].URL != hookURL {
		t.Errorf("it is signed with %d secrets, for %s", len(m[0].Secrets), m[0].URL)
	}
}

// TestWebhookBackOff: what fails is sent again, less and less often, and nothing else before it; after a day the webhook is dead, its place
// kept, and tells all when it is turned on again.
func TestWebhookBackOff(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}})
	position := h.look(id).Position
	h.receiver.answers(http.StatusInternalServerError)
	first, second := h.mail("1"), h.mail("2")
	h.settle()
	h.deliver(h.Service)
	began := h.clock.now()
	for n := 1; ; n++ {
		h.until(id, "tried again", func(*directory.Webhook) bool { return len(h.receiver.ids(hookURL)) == n && h.unheld(id) })
		hook := h.look(id)
		if hook.State == directory.WebhookStateDead {
			break
		}
		wait := hook.NextAttemptAt.Sub(h.clock.now())
		longest := min(10*time.Second<<(n-1), time.Hour)
		if n > 10 {
			longest = time.Hour
		}
		if hook.State != directory.WebhookStateFailing || wait > longest || wait < longest/2-time.Minute {
			t.Fatalf("after %d failures it is %s, and tried again in %s", n, hook.State, wait)
		}
		if n > 100 {
			t.Fatal("it does not end")
		}
		h.clock.ahead.Add(int64(longest))
	}
	if lasted := h.clock.now().Sub(began); lasted < 24*time.Hour || lasted > 26*time.Hour {
		t.Errorf("it was dead after %s", lasted)
	}
	dead := h.look(id)
	if *dead.Reason != directory.WebhookReasonUnreachable || !dead.Enabled || dead.NextAttemptAt != nil {
		t.Errorf("it is dead for %s, enabled: %t", *dead.Reason, dead.Enabled)
	}
	if got := once(h.receiver.ids(hookURL)); !slices.Equal(got, []string{first}) {
		t.Errorf("while %s failed, %v came", first, got)
	}
	tries := len(h.receiver.ids(hookURL))
	if d := h.deliveries(id); len(d) != 1 || d[0].Attempts != tries || d[0].Delivered || *d[0].StatusCode != 500 || *d[0].ChangeID != first {
		t.Errorf("its deliveries are %+v", d)
	}
	h.clock.ahead.Add(int64(week))
	h.receiver.answers(http.StatusOK)
	h.update(id, directory.UpdateWebhookInput{Enabled: directory.Some(true)})
	h.untilSettled(id)
	if got := h.receiver.ids(hookURL)[tries:]; !slices.Equal(got, []string{first, second}) {
		t.Errorf("when it was turned on again it was told %v, want %s and %s", got, first, second)
	}
	if alive := h.look(id); alive.State != directory.WebhookStateActive || alive.Reason != nil || alive.FailingSince != nil || alive.Position == position {
		t.Errorf("afterwards it is %+v", alive)
	}
	if d := h.deliveries(id); len(d) != 3 || !d[0].Delivered || *d[0].ChangeID != second || d[0].Error != nil {
		t.Errorf("its deliveries are %+v", d)
	}
}

// unheld reports whether nobody is at a webhook.
func (h *hooked) unheld(id string) bool {
	_, uid, err := directory.ParseID(id)
	return err == nil && h.text(`SELECT lease IS NULL FROM webhooks WHERE id = $1::uuid`, uid.String()) == "true"
}

// deliveries reads what was sent to a webhook.
func (h *hooked) deliveries(id string) []*directory.WebhookDelivery {
	h.t.Helper()
	all := directory.Link{Key: "deliveries", Field: "deliveries", Page: &directory.Page{Rows: true}, Select: directory.Selection{
		Fields: []string{"type", "changeId", "cursor", "at", "delivered", "attempts", "statusCode", "durationMs", "error"}}}
	hook, err := h.Webhook(h.t.Context(), h.root(), id, directory.Want(all))
	if err != nil || hook == nil {
		h.t.Fatal("no webhook ", id, err)
	}
	c, err := directory.Linked[*directory.WebhookDeliveryConnection](hook, "deliveries")
	if err != nil {
		h.t.Fatal(err)
	}
	return c.Nodes()
}

// TestRetryIn: waits grow from 5 to 10 seconds to half an hour to an hour, and are as long as the receiver asks for, up to an hour.
func TestRetryIn(t *testing.T) {
	t.Parallel()
	for n := 1; n < 1000; n++ {
		least, most := directory.RetryIn(n, 0, 0), directory.RetryIn(n, 0, 1)
		want := time.Hour
		if n < 10 {
			want = min(time.Hour, time.Duration(10<<(n-1))*time.Second)
		}
		if least != want/2 || most != want {
			t.Fatalf("after %d failures it waits %s to %s, want up to %s", n, least, most, want)
		}
	}
	if got := directory.RetryIn(1, 20*time.Minute, 0); got != 20*time.Minute {
		t.Errorf("asked for 20 minutes it waits %s", got)
	}
	if got := directory.RetryIn(1, week, 1); got != time.Hour {
		t.Errorf("asked for a week it waits %s", got)
	}
}

// TestWebhookGone: 410 turns a webhook off at once.
func TestWebhookGone(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{})
	h.receiver.answers(http.StatusGone)
	stop := h.deliver(h.Service)
	if why := h.untilDead(id); why != directory.WebhookReasonGone || h.look(id).Enabled {
		t.Errorf("it is dead for %s, enabled: %t", why, h.look(id).Enabled)
	}
	if n := len(h.receiver.ids(hookURL)); n != 1 {
		t.Errorf("it was sent %d messages", n)
	}
	stop() // the operator hears of it afterwards
	if heard := strings.Join(h.told, "; "); heard != id+" it is dead: GONE" {
		t.Errorf("the operator heard %q", heard)
	}
}

// TestWebhookReplay: from a cursor on, all is told again; from the beginning, all that there is.
func TestWebhookReplay(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	old := h.mail("0")
	h.settle()
	id, _ := h.hook(directory.CreateWebhookInput{Filter: filter})
	h.deliver(h.Service)
	var want []string
	for _, to := range []string{"1", "2", "3"} {
		want = append(want, h.mail(to))
	}
	h.untilSettled(id)
	d := h.deliveries(id)
	h.update(id, directory.UpdateWebhookInput{ReplayFrom: d[2].Cursor}) // what followed the first
	h.untilSettled(id)
	beginning, err := h.Changes(t.Context(), h.root(), directory.Page{Rows: true, Filter: filter, PageArgs: directory.PageArgs{First: ptr(0)}}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	h.update(id, directory.UpdateWebhookInput{ReplayFrom: beginning.PageInfo.EndCursor})
	h.untilSettled(id)
	want = append(append(append(want, want[1:]...), old), want...)
	if got := h.receiver.ids(hookURL); !slices.Equal(got, want) {
		t.Errorf("it was told %v, want %v", got, want)
	}
	for name, cursor := range map[string]string{"no cursor": "x", "a cursor of another filter": *h.cursorNow(nil)} {
		_, err := h.UpdateWebhook(t.Context(), h.root(), directory.UpdateWebhookInput{Webhook: id, ReplayFrom: &cursor}, nothing)
		if failure(err) != directory.Invalid || directory.AsError(err).Field != "input.replayFrom" {
			t.Errorf("replaying from %s: %v", name, err)
		}
	}
}

// TestWebhookOff: what happens while a webhook is off it is told when it is on again; and of a filter that it is given it is told from where it is.
func TestWebhookOff(t *testing.T) {
	t.Parallel()
	h := newHooked(t)
	h.users("ann")
	h.settle()
	filter := &directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserUpdated}}
	off, _ := h.hook(directory.CreateWebhookInput{Filter: filter, Enabled: ptr(false)})
	on, _ := h.hook(directory.CreateWebhookInput{Filter: filter, URL: "https://example.org/on"})
	h.deliver(h.Service)
	first := h.mail("1")
	h.untilSettled(on)
	if got := h.receiver.ids(hookURL); len(got) != 0 {
		t.Errorf("one that is off was told %v", got)
	}
	h.update(off, directory.UpdateWebhookInput{Enabled: directory.Some(true)})
	h.untilSettled(off)
	h.update(off, directory.UpdateWebhookInput{Filter: directory.Some(directory.ChangeFilter{Kinds: []directory.ChangeKind{directory.ChangeKindUserCreated}})})
	second := h.mail("2")
	h.untilSettled(on, off)
	h.update(off, directory.UpdateWebhookInput{Filter: directory.Optional[directory.ChangeFilter]{Set: true}, URL: directory.Some("https://example.org/new")})
	third := h.mail("3")
	h.untilSettled(on, off)
	if got := h.receiver.ids(hookURL); !slices.Equal(got, []string{first}) {
		t.Errorf("it was told %v, want %s", got, first)
	}
	if got := h.receiver.ids("https://example.org/on"); !slices.Equal(got, []string{first, second, third}) {
		t.Errorf("the other was told %v", got)
	}
	var kinds []string
	for _, m := range h.receiver.messages("https://example.org/new") {
		kinds = append(kinds, eventOf(t, m).Data.Kind)
	}
	if want := []string{"WEBHOOK_UPDATED", "USER_UPDATED"}; !slices.Equal(kinds, want) {
		t.Errorf("without a filter it was told %v, want %v", kinds, want)
	}
}
