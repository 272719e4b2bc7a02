package alldoors_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"

	"roster/internal/directory"
)

// operation is one that a way in offers, with random arguments: some that the rules refuse are among them.
type operation struct {
	name string
	step func(r *run) step
}

// step is an operation as it goes over the wire, with what the rules say of it.
type step struct {
	request request
	outcome outcome
	next    *model                 // the state afterwards, if it is done
	done    int                    // the status of one that is done
	check   func(r *run, a answer) // looks at the answer of one that is done; nil: it has no body
}

// run is one sequence under way: the state so far, and where chance stands.
type run struct {
	w       *world
	rng     *rand.Rand
	model   *model
	door    directory.Door
	by      string
	place   int                              // in the change log
	serial  int                              // for names that are new
	history []string                         // the steps so far
	told    []string                         // every change so far
	numbers int                              // the highest number of a group so far
	read    map[directory.Door]map[fact]bool // facts of users that were read
}

func (r *run) chance(percent int) bool { return r.rng.IntN(100) < percent }

func pick[T any](r *run, list ...T) T { return list[r.rng.IntN(len(list))] }

// some are n of a list.
func some[T any](r *run, n int, list []T) []T {
	r.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

func ptr[T any](v T) *T { return &v }

// act begins an operation on a copy of the state.
func (r *run) act() *act { return &act{model: r.model.clone(), by: r.by, door: r.door} }

// step is an operation with its request; the caller's credential is put in.
func (r *run) step(req request, a *act, o outcome, done int, check func(r *run, a answer)) step {
	req = authorised(r.door, r.secret(), req)
	return step{request: req, outcome: o, next: a.model, done: done, check: check}
}

func (r *run) secret() string {
	if r.by == root {
		return rootSecret
	}
	return r.model.user(r.by).secret
}

// cased is a text in another case, now and then: names are compared without.
func (r *run) cased(text string) string {
	switch r.rng.IntN(8) {
	case 0:
		return strings.ToUpper(text)
	case 1:
		return strings.ToLower(text)
	}
	return text
}

// newNames are names for groups: some that CDS would not take, and few enough that they clash.
var newNames = []string{"ops", "Dev-Team.1", "Büro 7", `a/b + c%20? O'Hara <"&">`}

func (r *run) newName() string { return r.cased(pick(r, newNames...)) }

// freeName is one that no group has, more often than not.
func (r *run) freeName() string {
	name := r.newName()
	for range 3 {
		if r.model.group(name) != nil {
			name = r.newName()
		}
	}
	return name
}

// nowhere names no group, in every way that groups are named.
const (
	nowhere     = "nowhere"
	nowhereUUID = "0198c5a0-0000-7000-8000-0000000000ff"
)

// some is one of the groups; nil, now and then, for one that is not there. Who has no rights but in groups tries those of his own more
// often.
func (r *run) some() *group {
	if len(r.model.groups) == 0 || r.chance(4) {
		return nil
	}
	g := pick(r, r.model.groups...)
	for range 3 {
		if r.by != root && !g.admins[r.by] {
			g = pick(r, r.model.groups...)
		}
	}
	return g
}

// led is one that more than one admin leads, if there is any to be found: from others, none can go.
func (r *run) led() *group {
	g := r.some()
	for range 4 {
		if g != nil && len(g.admins) < 2 {
			g = r.some()
		}
	}
	return g
}

func nameOf(g *group) string {
	if g == nil {
		return nowhere
	}
	return g.name
}

// path is the group's name as a segment of a path.
func (r *run) path(g *group) string { return url.PathEscape(r.cased(nameOf(g))) }

// uuid is the group's UUID as clients may spell it.
func (r *run) uuid(g *group) string {
	id := nowhereUUID
	if g != nil {
		id = g.uuid
	}
	if r.chance(20) {
		return strings.ToUpper(id)
	}
	return id
}

func (r *run) handle(g *group) string {
	if g == nil {
		return nowhere
	}
	return g.handle
}

// user is the name of a user, unknown now and then.
func (r *run) user() string {
	if r.chance(6) {
		return r.fresh("ghost")
	}
	return r.cased(pick(r, r.model.users...).username)
}

// userOf is the name of a user, more often than not of one who is in the group.
func (r *run) userOf(g *group) string {
	if in := r.inGroup(g); len(in) > 0 && r.chance(70) {
		return r.cased(pick(r, in...))
	}
	return r.user()
}

// near is a user who is in the group, as an admin more often than by chance, or not.
func (r *run) near(g *group) string {
	if r.chance(40) {
		return r.adminOf(g)
	}
	return r.userOf(g)
}

// nearly are up to n of them, at least from.
func (r *run) nearly(g *group, from, n int) []string {
	names := r.users(from, n)
	for i := range names {
		if r.chance(30) {
			names[i] = r.near(g)
		}
	}
	return names
}

// adminOf is the same for its admins.
func (r *run) adminOf(g *group) string {
	if g != nil && len(g.admins) > 0 && r.chance(70) {
		return r.cased(pick(r, names(g.admins)...))
	}
	return r.user()
}

func (r *run) inGroup(g *group) []string {
	if g == nil {
		return nil
	}
	return names(g.members.and(g.admins))
}

// fresh is a text that there was not before.
func (r *run) fresh(text string) string {
	r.serial++
	return text + "-" + strconv.Itoa(r.serial)
}

// users are up to n names, at least from.
func (r *run) users(from, n int) []string {
	names := []string{}
	for range from + r.rng.IntN(n-from+1) {
		names = append(names, r.user())
	}
	return names
}

// tags are up to three.
func (r *run) tags() map[string]string {
	tags := map[string]string{}
	for range r.rng.IntN(4) {
		tags[pick(r, "team", "site", "Größe", "a b")] = pick(r, "", "core", "Bern & Basel", `"7"`)
	}
	return tags
}

func (r *run) externalID() string { return pick(r, "EXT-1", "ext-1", "x/2", "Ü 3") }

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of texts, numbers and lists
	}
	return string(b)
}

// sameAs is a check of an answer that shows the group: a GET of it shows the same.
func sameAs(door directory.Door, path func(m *model) string) func(r *run, a answer) {
	return func(r *run, a answer) {
		r.w.t.Helper()
		at := path(r.model)
		if got := r.w.get(door, rootSecret, at); !same(r.w.t, got.body, a.body) {
			r.w.t.Errorf("the answer was %s\nand GET %s is %s", a.body, at, got.body)
		}
	}
}

// says is a check of an answer that is a text.
func says(text string) func(r *run, a answer) {
	return func(r *run, a answer) {
		r.w.t.Helper()
		if a.body != text {
			r.w.t.Errorf("the answer is %q, not %q", a.body, text)
		}
	}
}

// wanted are the statuses of refusals, as docs/doors has them.
var wanted = map[directory.Door]map[directory.Code]int{
	directory.DoorCDS:              {directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 400, directory.Conflict: 409, directory.LastAdmin: 400},
	directory.DoorEntrust:          {directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 400, directory.Conflict: 409},
	directory.DoorAuthress:         {directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 400, directory.Conflict: 409},
	directory.DoorD4Science:        {directory.Forbidden: 403, directory.NotFound: 406, directory.Invalid: 406, directory.Conflict: 406, directory.LastAdmin: 406},
	directory.DoorEnterpriseTester: {directory.Forbidden: 403, directory.NotFound: 404, directory.Invalid: 403, directory.Conflict: 403},
}

// cdsID is the number of CDS's error.
func cdsID(o outcome, method string) int {
	switch {
	case o.code == directory.Forbidden:
		return 11
	case o.code == directory.NotFound && o.field == forGroup:
		return 20
	case o.code == directory.NotFound:
		return 38
	case o.code == directory.Conflict:
		return 33
	case o.code == directory.LastAdmin && o.field == forAdmins:
		return 63
	case o.code == directory.LastAdmin:
		return 34
	case o.field == forName && method == "PUT":
		return 24
	case o.field == forName:
		return 32
	}
	return 74
}

// refusal says what is wrong with the answer to what the rules refuse; "" is nothing.
func refusal(s step, door directory.Door, a answer) string {
	if door == directory.DoorGraphQL {
		var out struct {
			Errors []struct{ Extensions struct{ Code directory.Code } }
		}
		if json.Unmarshal([]byte(a.body), &out) != nil || len(out.Errors) != 1 || out.Errors[0].Extensions.Code != s.outcome.code || a.status != 200 {
			return fmt.Sprintf("not %s", s.outcome.code)
		}
		return ""
	}
	if a.status != wanted[door][s.outcome.code] {
		return fmt.Sprintf("not %d", wanted[door][s.outcome.code])
	}
	if door == directory.DoorCDS {
		var e struct{ ID int }
		if id := cdsID(s.outcome, s.request.method); json.Unmarshal([]byte(a.body), &e) != nil || e.ID != id {
			return fmt.Sprintf("not CDS's error %d", id)
		}
	}
	return ""
}
