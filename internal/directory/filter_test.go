package directory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// row is a group as a filter sees it, in plain Go.
type row struct {
	group           *directory.Group
	tags            map[string]string
	members, admins []string
}

// test is a filter with what it means.
type test struct {
	filter *directory.GroupFilter
	holds  func(row) bool
}

// examiner makes filters at random, out of words that occur.
type examiner struct {
	*rand.Rand
	words []string
	users []string
	times []time.Time
	ids   []string
}

func pick[T any](e examiner, of []T) T { return of[e.IntN(len(of))] }

func (e examiner) some(n int) []string {
	out := make([]string, e.IntN(n))
	for i := range out {
		out[i] = e.word()
	}
	return out
}

// word is one that occurs, or a part of it, in any case.
func (e examiner) word() string {
	w := []rune(pick(e, e.words))
	if len(w) > 1 && e.IntN(2) == 0 {
		from := e.IntN(len(w))
		w = w[from : from+1+e.IntN(len(w)-from)]
	}
	if e.IntN(2) == 0 {
		return strings.ToUpper(string(w))
	}
	return string(w)
}

// text is a filter of a text with what it means of a value, nil for none.
func (e examiner) text() (*directory.StringFilter, func(*string) bool) {
	v := e.word()
	low := strings.ToLower(v)
	holds := func(f func(have string) bool, unset bool) func(*string) bool {
		return func(have *string) bool {
			if have == nil {
				return unset
			}
			return f(strings.ToLower(*have))
		}
	}
	list := e.some(4)
	in := func(have string) bool {
		return slices.ContainsFunc(list, func(l string) bool { return strings.ToLower(l) == have })
	}
	not := func(f func(string) bool) func(string) bool { return func(s string) bool { return !f(s) } }
	equal, contains := func(have string) bool { return have == low }, func(have string) bool { return strings.Contains(have, low) }
	null := e.IntN(2) == 0
	ops := []struct {
		filter directory.StringFilter
		holds  func(*string) bool
	}{
		{directory.StringFilter{Eq: &v}, holds(equal, false)}, {directory.StringFilter{Ne: &v}, holds(not(equal), true)},
		{directory.StringFilter{In: list}, holds(in, false)}, {directory.StringFilter{NotIn: list}, holds(not(in), true)},
		{directory.StringFilter{Contains: &v}, holds(contains, false)}, {directory.StringFilter{NotContains: &v}, holds(not(contains), true)},
		{directory.StringFilter{StartsWith: &v}, holds(func(have string) bool { return strings.HasPrefix(have, low) }, false)},
		{directory.StringFilter{EndsWith: &v}, holds(func(have string) bool { return strings.HasSuffix(have, low) }, false)},
		{directory.StringFilter{IsNull: &null}, func(have *string) bool { return (have == nil) == null }},
	}
	a := pick(e, ops)
	return &a.filter, a.holds
}

// plain is a filter by one field.
func (e examiner) plain() test {
	text, holds := e.text()
	user, word, yes, at, id := pick(e, e.users), e.word(), e.IntN(2) == 0, pick(e, e.times), pick(e, e.ids)
	kind, access := pick(e, []directory.GroupType{directory.GroupTypeManaged, directory.GroupTypeDirectory}), pick(e, []directory.AccessType{directory.AccessTypeReadOnly, directory.AccessTypeWriteAll})
	key, ref := pick(e, []string{"k", "team", "K"}), named(user)[0]
	return pick(e, []test{
		{&directory.GroupFilter{}, func(row) bool { return true }},
		{&directory.GroupFilter{Name: text}, func(r row) bool { return holds(&r.group.Name) }},
		{&directory.GroupFilter{Description: text}, func(r row) bool { return holds(&r.group.Description) }},
		{&directory.GroupFilter{ExternalID: text}, func(r row) bool { return holds(r.group.ExternalID) }},
		{&directory.GroupFilter{Public: &yes}, func(r row) bool { return r.group.Public == yes }},
		{&directory.GroupFilter{Type: &directory.GroupTypeFilter{Ne: &kind}}, func(r row) bool { return r.group.Type != kind }},
		{&directory.GroupFilter{AccessType: &directory.AccessTypeFilter{In: []directory.AccessType{access}}}, func(r row) bool { return r.group.AccessType == access }},
		{&directory.GroupFilter{ID: &directory.IDFilter{NotIn: []string{id}}}, func(r row) bool { return r.group.ID() != id }},
		{&directory.GroupFilter{ID: &directory.IDFilter{Eq: &id}}, func(r row) bool { return r.group.ID() == id }},
		{&directory.GroupFilter{CreatedAt: &directory.DateTimeFilter{Gt: &at}}, func(r row) bool { return r.group.CreatedAt.After(at) }},
		{&directory.GroupFilter{CreatedAt: &directory.DateTimeFilter{Lte: &at}}, func(r row) bool { return !r.group.CreatedAt.After(at) }},
		{&directory.GroupFilter{UpdatedAt: &directory.DateTimeFilter{Gte: &at}}, func(r row) bool { return !r.group.UpdatedAt.Before(at) }},
		{&directory.GroupFilter{UpdatedAt: &directory.DateTimeFilter{Lt: &at}}, func(r row) bool { return r.group.UpdatedAt.Before(at) }},
		{&directory.GroupFilter{Member: ref}, func(r row) bool { return slices.Contains(r.members, user) }},
		{&directory.GroupFilter{Admin: ref}, func(r row) bool { return slices.Contains(r.admins, user) }},
		{&directory.GroupFilter{Tag: &directory.TagFilter{Key: key}}, func(r row) bool { _, ok := r.tags[key]; return ok }},
		{&directory.GroupFilter{Tag: &directory.TagFilter{Key: key, Value: &word}}, func(r row) bool { v, ok := r.tags[key]; return ok && v == word }},
		{&directory.GroupFilter{Search: &word}, func(r row) bool { return searched(r, strings.ToLower(word)) }},
	})
}

func searched(r row, low string) bool {
	texts := slices.Concat([]string{r.group.Name, r.group.Handle, r.group.Description}, slices.Collect(maps.Keys(r.tags)), slices.Collect(maps.Values(r.tags)))
	if r.group.ExternalID != nil {
		texts = append(texts, *r.group.ExternalID)
	}
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), low) })
}

// test combines filters, at most depth deep.
func (e examiner) test(depth int) test {
	if depth == 1 || e.IntN(3) == 0 {
		return e.plain()
	}
	parts := make([]test, e.IntN(4))
	filters := make([]*directory.GroupFilter, len(parts))
	for i := range parts {
		parts[i] = e.test(depth - 1)
		filters[i] = parts[i].filter
	}
	none := func(r row) bool { return !slices.ContainsFunc(parts, func(p test) bool { return p.holds(r) }) }
	switch base := e.plain(); e.IntN(3) {
	case 0:
		base.filter.And = filters
		return test{base.filter, func(r row) bool {
			return base.holds(r) && !slices.ContainsFunc(parts, func(p test) bool { return !p.holds(r) })
		}}
	case 1:
		base.filter.Or = filters
		return test{base.filter, func(r row) bool { return base.holds(r) && !none(r) }}
	default:
		inner := e.test(depth - 1)
		base.filter.Not = inner.filter
		return test{base.filter, func(r row) bool { return base.holds(r) && !inner.holds(r) }}
	}
}

// TestFilters holds random filters of groups to what they mean.
func TestFilters(t *testing.T) {
	t.Parallel()
	e := examiner{Rand: randomly(t), words: []string{"Alpha", "beta", "Ünïcode", `50% off_`, `back\slash`, "x", "team", "ΑΒΓ"}, users: []string{"ann", "bob", "nobody"}}
	w := newWorld(t)
	w.users("ann", "bob")
	var rows []row
	for i := range 40 {
		r := row{tags: map[string]string{}}
		in := directory.CreateGroupInput{Name: fmt.Sprintf("%s %s %d", pick(e, e.words), pick(e, e.words), i), Description: ptr(pick(e, e.words)), Public: ptr(e.IntN(2) == 0),
			AccessType: ptr(pick(e, []directory.AccessType{directory.AccessTypeReadOnly, directory.AccessTypeWriteAll})),
			Type:       pick(e, []directory.GroupType{directory.GroupTypeManaged, directory.GroupTypeDirectory})}
		if e.IntN(2) == 0 {
			in.ExternalID = ptr(fmt.Sprintf("%s-%d", pick(e, e.words), i))
		}
		for _, k := range []string{"k", "team"}[:e.IntN(3)] {
			r.tags[k] = strings.Trim(pick(e, e.words), `\`) // what JSON escapes is another matter: see the search of tags
			r.tags[k] = strings.ReplaceAll(r.tags[k], `\`, "/")
			in.Tags = append(in.Tags, &directory.TagInput{Key: k, Value: r.tags[k]})
		}
		r.members, r.admins = e.users[:e.IntN(3)], e.users[:e.IntN(3)]
		in.Members, in.Admins = named(strings.Join(r.members, " ")), named(strings.Join(r.admins, " "))
		w.did(w.CreateGroup(t.Context(), directory.System(), in, nothing))
		rows = append(rows, r)
	}
	all, err := w.Groups(t.Context(), directory.System(), directory.Page{Rows: true, All: true, Order: orders[directory.GroupOrderField]([]sortKey{{"CREATED_AT", false}})},
		directory.Selection{Fields: []string{"name", "handle", "description", "externalId", "public", "type", "accessType", "createdAt", "updatedAt"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range all.Nodes() {
		rows[i].group = g
		e.times, e.ids = append(e.times, g.CreatedAt), append(e.ids, g.ID())
	}
	matched := 0
	for range 400 {
		x := e.test(4)
		c, err := w.Groups(t.Context(), directory.System(), directory.Page{Rows: true, All: true, Total: true, Filter: x.filter}, directory.Selection{Fields: []string{"name"}})
		if err != nil {
			t.Fatalf("%s: %v", told(x.filter), err)
		}
		want, got := []string{}, []string{}
		for _, r := range rows {
			if x.holds(r) {
				want = append(want, r.group.Name)
			}
		}
		for _, g := range c.Nodes() {
			got = append(got, g.Name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" || c.TotalCount != len(want) {
			t.Errorf("%s finds %d (-want +got):\n%s", told(x.filter), c.TotalCount, d)
		}
		if len(want) > 0 && len(want) < len(rows) {
			matched++
		}
	}
	if matched < 100 {
		t.Errorf("only %d filters let some through and some not: the examiner has lost its way", matched)
	}
}

// told is a filter in words.
func told(f *directory.GroupFilter) string {
	return cmp.Diff((*directory.GroupFilter)(nil), f)
}
