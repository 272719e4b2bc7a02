package directory_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// randomly is a source of randomness whose seed is told; ROSTER_SEED repeats a run.
func randomly(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("ROSTER_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ROSTER_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// place is where an object stands in a list: its id, its cursor, and the value of every key it can be ordered by, as text that sorts
// like the value.
type place struct {
	id, cursor string
	keys       map[string]string
}

func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }

func neverKey(t *time.Time) string {
	if t == nil {
		return "~" // after all times
	}
	return timeKey(*t)
}

// lister is a list that the property is checked on.
type lister struct {
	name   string
	fields []string // to order by; the first is the default
	// read gives a page for each parent; a list of no parents has one.
	read func(p directory.Page) ([][]place, []*directory.PageInfo, error)
	// order turns keys into what the list takes.
	order func(keys []sortKey) any
}

type sortKey struct {
	field string
	desc  bool
}

func orders[F ~string](keys []sortKey) any {
	var os []*directory.Ordering[F]
	for _, k := range keys {
		o := &directory.Ordering[F]{Field: F(k.field)}
		if k.desc {
			o.Direction = directory.OrderDirectionDesc
		}
		os = append(os, o)
	}
	return os
}

// less is the order in words: by each key in its direction, ties by id in the direction of the last.
func less(keys []sortKey) func(a, b place) int {
	return func(a, b place) int {
		for _, k := range append(slices.Clone(keys), sortKey{"id", keys[len(keys)-1].desc}) {
			c := strings.Compare(a.keys[k.field], b.keys[k.field])
			if k.field == "id" {
				c = strings.Compare(a.id, b.id)
			}
			if k.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func placesOf[T any](c *directory.Connection[T], at func(*T) place) []place {
	ps := make([]place, 0, len(c.Edges))
	for _, e := range c.Edges {
		p := at(e.Node)
		p.cursor = e.Cursor
		ps = append(ps, p)
	}
	return ps
}

func one[T any](c *directory.Connection[T], err error, at func(*T) place) ([][]place, []*directory.PageInfo, error) {
	if err != nil {
		return nil, nil, err
	}
	return [][]place{placesOf(c, at)}, []*directory.PageInfo{c.PageInfo}, nil
}

func groupPlace(g *directory.Group) place {
	return place{id: g.UUID.String(), keys: map[string]string{
		"NAME": strings.ToLower(g.Name), "CREATED_AT": timeKey(g.CreatedAt), "UPDATED_AT": timeKey(g.UpdatedAt), "MEMBER_COUNT": fmt.Sprintf("%09d", g.MemberCount),
	}}
}

func userPlace(u *directory.User) place {
	return place{id: u.UUID.String(), keys: map[string]string{
		"USERNAME": strings.ToLower(u.Username), "CREATED_AT": timeKey(u.CreatedAt), "FULL_NAME": strings.ToLower(u.FullName), "EMAIL": strings.ToLower(u.Email),
	}}
}

func tokenPlace(k *directory.Token) place {
	return place{id: k.UUID.String(), keys: map[string]string{"CREATED_AT": timeKey(k.CreatedAt), "EXPIRES_AT": neverKey(k.ExpiresAt), "LAST_USED_AT": neverKey(k.LastUsedAt)}}
}

func personPlace(id string, o directory.Object, at time.Time) place {
	u, _ := directory.Linked[*directory.User](o, "user")
	return place{id: id, keys: map[string]string{"USERNAME": strings.ToLower(u.Username), "ADDED_AT": timeKey(at)}}
}

var (
	groupFields  = []string{"NAME", "CREATED_AT", "UPDATED_AT", "MEMBER_COUNT"}
	userFields   = []string{"USERNAME", "CREATED_AT", "FULL_NAME", "EMAIL"}
	tokenFields  = []string{"CREATED_AT", "EXPIRES_AT", "LAST_USED_AT"}
	memberFields = []string{"USERNAME", "ADDED_AT"}

	groupSelection = directory.Selection{Fields: []string{"name", "createdAt", "updatedAt", "memberCount"}}
	userSelection  = directory.Selection{Fields: []string{"username", "createdAt", "fullName", "email"}}
	tokenSelection = directory.Selection{Fields: []string{"createdAt", "expiresAt", "lastUsedAt"}}
	withUser       = []directory.Link{{Key: "user", Field: "user", Select: directory.Selection{Fields: []string{"username"}}}}
)

// tied makes a crowd whose keys are mostly equal.
func tied(t *testing.T, r *rand.Rand) *world {
	t.Helper()
	w := newWorld(t)
	w.manyUsers(40)
	for i := range 24 {
		w.group(fmt.Sprintf("Group %c%d", 'a'+rune(i%3), i), "", "u0", i%2 == 0)
	}
	random := func(choices string) string { return "(ARRAY[" + choices + "])[1 + floor(random() * 3)::int]" }
	moment := random(`timestamptz '2026-01-01 00:00:00.000001Z', '2026-01-01 00:00:00.000002Z', '2026-06-01Z'`)
	w.exec(`SELECT setseed($1::float8)`, r.Float64())
	w.exec(`INSERT INTO members (group_id, user_id, id, username_key, via, added_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'SYSTEM', ` + moment + ` FROM groups g, users u WHERE random() < 0.3`)
	w.exec(`INSERT INTO admins (group_id, user_id, id, username_key, via, added_at)
		SELECT g.id, u.id, gen_random_uuid(), u.username_key, 'SYSTEM', ` + moment + ` FROM groups g, users u WHERE random() < 0.2 ON CONFLICT DO NOTHING`)
	w.exec(`UPDATE groups g SET member_count = (SELECT count(*) FROM members m WHERE m.group_id = g.id), admin_count = (SELECT count(*) FROM admins m WHERE m.group_id = g.id),
		created_at = ` + moment + `, updated_at = ` + moment)
	w.exec(`UPDATE groups SET member_count = member_count / 4 * 4`) // ties; what is kept is what lists are ordered by
	w.exec(`DELETE FROM members m USING (SELECT group_id, user_id, row_number() OVER (PARTITION BY group_id ORDER BY user_id) n FROM members) x
		JOIN groups g ON g.id = x.group_id WHERE m.group_id = x.group_id AND m.user_id = x.user_id AND x.n > g.member_count`)
	w.exec(`UPDATE users SET created_at = ` + moment + `, full_name = ` + random(`'', 'Smith', 'SMITH'`) + `, email = ` + random(`'', 'a@b', 'A@c'`))
	w.exec(`INSERT INTO tokens (id, group_id, user_id, prefix, hash, expiration, created_at, expires_at, last_used_at)
		SELECT gen_random_uuid(), CASE WHEN i % 2 = 0 THEN (SELECT id FROM groups ORDER BY number LIMIT 1 OFFSET i % 3) END, CASE WHEN i % 2 = 1 THEN (SELECT id FROM users LIMIT 1) END,
		'rst_', int4send(i), 'PERSISTENT', ` + moment + `, ` + random(`NULL::timestamptz, NULL, '2040-01-01Z'`) + `, ` + random(`NULL::timestamptz, '2026-01-01Z', '2026-01-02Z'`) + `
		FROM generate_series(1, 40) i`)
	w.checkCounters()
	return w
}

func (w *world) listers() []lister {
	ctx, by := w.t.Context(), directory.System()
	groups := func(p directory.Page, link directory.Link) []*directory.Group {
		link.Page = &p
		c, err := w.Groups(ctx, by, directory.Page{Rows: true, Cursors: true, All: true}, directory.Selection{Links: []directory.Link{link}})
		if err != nil {
			return nil
		}
		return c.Nodes()
	}
	return []lister{
		{"groups", groupFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			c, err := w.Groups(ctx, by, p, groupSelection)
			return one(c, err, groupPlace)
		}, orders[directory.GroupOrderField]},
		{"users", userFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			c, err := w.Users(ctx, by, p, userSelection)
			return one(c, err, userPlace)
		}, orders[directory.UserOrderField]},
		{"tokens", tokenFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			c, err := w.Tokens(ctx, by, p, tokenSelection)
			return one(c, err, tokenPlace)
		}, orders[directory.TokenOrderField]},
		{"groups.members", memberFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			return nested(groups(p, directory.Link{Key: "l", Field: "members", Select: directory.Selection{Fields: []string{"addedAt"}, Links: withUser}}),
				func(m *directory.Member) place { return personPlace(m.UUID.String(), m, m.AddedAt) })
		}, orders[directory.MemberOrderField]},
		{"groups.admins", memberFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			return nested(groups(p, directory.Link{Key: "l", Field: "admins", Select: directory.Selection{Fields: []string{"grantedAt"}, Links: withUser}}),
				func(a *directory.Admin) place { return personPlace(a.UUID.String(), a, a.GrantedAt) })
		}, orders[directory.MemberOrderField]},
		{"groups.tokens", tokenFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			return nested(groups(p, directory.Link{Key: "l", Field: "tokens", Select: tokenSelection}), tokenPlace)
		}, orders[directory.TokenOrderField]},
		{"users.groups", groupFields, func(p directory.Page) ([][]place, []*directory.PageInfo, error) {
			c, err := w.Users(ctx, by, directory.Page{Rows: true, Cursors: true, All: true}, directory.Selection{Links: []directory.Link{{Key: "l", Field: "groups", Page: &p, Select: groupSelection}}})
			if err != nil {
				return nil, nil, err
			}
			return nested(c.Nodes(), groupPlace)
		}, orders[directory.GroupOrderField]},
	}
}

// nested reads the pages below many parents.
func nested[P, T any](parents []*P, at func(*T) place) ([][]place, []*directory.PageInfo, error) {
	var all [][]place
	var infos []*directory.PageInfo
	for _, p := range parents {
		c, err := directory.Linked[*directory.Connection[T]](any(p).(directory.Object), "l")
		if err != nil {
			return nil, nil, err
		}
		all, infos = append(all, placesOf(c, at)), append(infos, c.PageInfo)
	}
	return all, infos, nil
}

func ids(ps []place) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.id
	}
	return out
}

// TestPages holds every list, on whatever parents, in any order, to the list as a whole: from any cursor, in either direction, a page
// of any size is the part of the list that it should be, with cursors and hasNextPage and hasPreviousPage to match.
func TestPages(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := tied(t, r)
	for _, l := range w.listers() {
		for range 12 {
			keys := randomKeys(r, l.fields)
			whole := directory.Page{Rows: true, Cursors: true, All: true, Order: l.order(keys)}
			lists, infos, err := l.read(whole)
			if err != nil || len(lists) == 0 {
				t.Fatal(l.name, keys, err)
			}
			sorted := keys
			if len(keys) == 0 {
				sorted = []sortKey{{field: l.fields[0]}}
			}
			total := 0
			for i, list := range lists {
				total += len(list)
				if !slices.IsSortedFunc(list, less(sorted)) {
					t.Errorf("%s by %v is out of order", l.name, keys)
				}
				if infos[i].HasNextPage || infos[i].HasPreviousPage {
					t.Errorf("%s: there is more than the whole list", l.name)
				}
			}
			if total < 20 {
				t.Fatalf("%s has %d entries: too few to test", l.name, total)
			}
			w.checkPage(l, keys, sorted, lists, 1+r.IntN(9), -1, -1)
			for range 4 {
				parent := r.IntN(len(lists))
				if n := len(lists[parent]); n > 0 {
					w.checkPage(l, keys, sorted, lists, r.IntN(9), parent, r.IntN(n))
				}
			}
		}
	}
}

func randomKeys(r *rand.Rand, fields []string) []sortKey {
	var keys []sortKey
	for _, i := range r.Perm(len(fields))[:r.IntN(len(fields)+1)] {
		keys = append(keys, sortKey{fields[i], r.IntN(2) == 0})
	}
	return keys
}

// checkPage reads a page of every parent's list after the cursor at a place of one of them, and one before it; parent -1 is no cursor.
func (w *world) checkPage(l lister, keys, sorted []sortKey, lists [][]place, size, parent, at int) {
	w.t.Helper()
	forwards := directory.Page{Rows: true, Cursors: true, Order: l.order(keys), PageArgs: directory.PageArgs{First: &size}}
	backwards := directory.Page{Rows: true, Cursors: true, Order: l.order(keys), PageArgs: directory.PageArgs{Last: &size}}
	if parent >= 0 {
		forwards.After, backwards.Before = &lists[parent][at].cursor, &lists[parent][at].cursor
	}
	next, nextInfo, err := l.read(forwards)
	if err != nil {
		w.t.Fatal(l.name, keys, err)
	}
	previous, previousInfo, err := l.read(backwards)
	if err != nil {
		w.t.Fatal(l.name, keys, err)
	}
	for i, list := range lists {
		after, before := list, list
		if parent >= 0 {
			// Another parent's list has no such entry: the page begins where it would stand.
			n, found := slices.BinarySearchFunc(list, lists[parent][at], less(sorted))
			before, after = list[:n], list[n:]
			if found {
				after = list[n+1:]
			}
		}
		wantNext, wantPrevious := after[:min(size, len(after))], before[max(0, len(before)-size):]
		if d := cmp.Diff(ids(wantNext), ids(next[i])); d != "" {
			w.t.Errorf("%s by %v, first %d after %d of %d (parent %d of %d):\n%s", l.name, keys, size, at, parent, i, len(lists), d)
		}
		if d := cmp.Diff(ids(wantPrevious), ids(previous[i])); d != "" {
			w.t.Errorf("%s by %v, last %d before %d of %d (parent %d of %d):\n%s", l.name, keys, size, at, parent, i, len(lists), d)
		}
		w.checkInfo(l.name, next[i], nextInfo[i], len(after) > size, parent >= 0)
		w.checkInfo(l.name, previous[i], previousInfo[i], parent >= 0, len(before) > size)
	}
}

func (w *world) checkInfo(name string, page []place, info *directory.PageInfo, next, previous bool) {
	w.t.Helper()
	if info.HasNextPage != next || info.HasPreviousPage != previous {
		w.t.Errorf("%s: hasNextPage %t, want %t; hasPreviousPage %t, want %t", name, info.HasNextPage, next, info.HasPreviousPage, previous)
	}
	var start, end *string
	if len(page) > 0 {
		start, end = &page[0].cursor, &page[len(page)-1].cursor
	}
	if !cmp.Equal(start, info.StartCursor) || !cmp.Equal(end, info.EndCursor) {
		w.t.Errorf("%s: the cursors of the page are not those of its ends", name)
	}
}

// TestWalk follows cursors to the end and back: nothing is left out and nothing comes twice.
func TestWalk(t *testing.T) {
	t.Parallel()
	r := randomly(t)
	w := tied(t, r)
	for _, l := range w.listers()[:3] {
		for range 3 {
			keys, size := randomKeys(r, l.fields), 1+r.IntN(9)
			lists, _, err := l.read(directory.Page{Rows: true, Cursors: true, All: true, Order: l.order(keys)})
			if err != nil {
				t.Fatal(err)
			}
			want := ids(lists[0])
			var there, back []string
			p := directory.Page{Rows: true, Cursors: true, Order: l.order(keys), PageArgs: directory.PageArgs{First: &size}}
			for more := true; more; {
				pages, infos, err := l.read(p)
				if err != nil {
					t.Fatal(err)
				}
				there = append(there, ids(pages[0])...)
				more, p.After = infos[0].HasNextPage, infos[0].EndCursor
			}
			p = directory.Page{Rows: true, Order: l.order(keys), PageArgs: directory.PageArgs{Last: &size}}
			for more := true; more; {
				pages, infos, err := l.read(p)
				if err != nil {
					t.Fatal(err)
				}
				back = append(ids(pages[0]), back...)
				more, p.Before = infos[0].HasPreviousPage, infos[0].StartCursor
			}
			if !slices.Equal(want, there) || !slices.Equal(want, back) {
				t.Errorf("%s by %v in steps of %d: the whole is\n%v\nforwards it is\n%v\nand backwards\n%v", l.name, keys, size, want, there, back)
			}
		}
	}
}
