package directory

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// Bounds of filters: what a request may ask of the planner.
const (
	MaxFilterDepth = 5    // and, or, not inside each other
	MaxFilterList  = 1000 // values of in and notIn
	maxFilterText  = 4096
)

// The filters of the API: what is given must all hold.
type (
	GroupFilter struct {
		And, Or     []*GroupFilter
		Not         *GroupFilter
		ID          *IDFilter
		Name        *StringFilter
		Description *StringFilter
		ExternalID  *StringFilter
		Type        *GroupTypeFilter
		AccessType  *AccessTypeFilter
		Public      *bool
		CreatedAt   *DateTimeFilter
		UpdatedAt   *DateTimeFilter
		Member      *UserRef
		Admin       *UserRef
		Tag         *TagFilter
		Search      *string
		People      *string // in the user name of a member or an admin; Authress's filter reads these too
	}
	UserFilter struct {
		And, Or    []*UserFilter
		Not        *UserFilter
		ID         *IDFilter
		Username   *StringFilter
		Email      *StringFilter
		FullName   *StringFilter
		ExternalID *StringFilter
		Role       *Role
		CreatedAt  *DateTimeFilter
		Search     *string
	}
	MemberFilter struct {
		Username *StringFilter
		Email    *StringFilter
		IsAdmin  *bool
		AddedAt  *DateTimeFilter
		Search   *string
	}
	TokenFilter struct {
		Status      *TokenStatus
		Description *StringFilter
		CreatedAt   *DateTimeFilter
		ExpiresAt   *DateTimeFilter
		LastUsedAt  *DateTimeFilter
		Revoked     *bool // CDS lists what is not, expired or not; the API has status
	}
	ChangeFilter struct {
		Group *GroupRef
		User  *UserRef
		Kinds []ChangeKind
		Via   []Door
		Actor *string
	}
	StringFilter struct {
		Eq, Ne               *string
		In, NotIn            []string
		Contains             *string
		NotContains          *string
		StartsWith, EndsWith *string
		IsNull               *bool
	}
	IDFilter struct {
		Eq        *string
		In, NotIn []string
	}
	DateTimeFilter   struct{ Gt, Gte, Lt, Lte *time.Time }
	GroupTypeFilter  = EnumFilter[GroupType]
	AccessTypeFilter = EnumFilter[AccessType]
	TagFilter        struct {
		Key   string
		Value *string
	}
)

// EnumFilter filters by a value out of few.
type EnumFilter[E ~string] struct {
	Eq, Ne    *E
	In, NotIn []E
}

// filtering compiles one filter. Problems are gathered by their field, the first one counts.
type filtering struct {
	filters int // so far, those inside each other included
	err     error
}

func (f *filtering) fail(err error) db.Cond {
	if f.err == nil {
		f.err = err
	}
	return db.None
}

func groupFilter(filter any) (db.Cond, error) {
	g, _ := filter.(*GroupFilter)
	f := &filtering{}
	return f.group("filter", g, 1), f.err
}

func userFilter(filter any) (db.Cond, error) {
	u, _ := filter.(*UserFilter)
	f := &filtering{}
	return f.user("filter", u, 1), f.err
}

// combine handles what every recursive filter has: and, or, not, and the bound on their depth.
func combine[T any](f *filtering, field string, depth int, and, or []*T, not *T, of func(field string, t *T, depth int) db.Cond) []db.Cond {
	if depth > MaxFilterDepth {
		return []db.Cond{f.fail(exceeded(field, "Filters may be at most %d deep.", MaxFilterDepth).by("filter"))}
	}
	if f.filters += len(and) + len(or); f.filters > MaxFilterList {
		return []db.Cond{f.fail(exceeded(field, "A filter may combine at most %d filters.", MaxFilterList).by("filter"))}
	}
	var cs, any []db.Cond
	for i, t := range and {
		cs = append(cs, of(at(field+".and", i), t, depth+1))
	}
	for i, t := range or {
		any = append(any, of(at(field+".or", i), t, depth+1))
	}
	if or != nil {
		cs = append(cs, db.Or(any...))
	}
	if not != nil {
		cs = append(cs, db.Not(of(field+".not", not, depth+1)))
	}
	return cs
}

func (f *filtering) group(field string, g *GroupFilter, depth int) db.Cond {
	if g == nil {
		return db.Cond{}
	}
	cs := combine(f, field, depth, g.And, g.Or, g.Not, f.group)
	cs = append(cs,
		f.ids(field+".id", g.ID, groupPrefix, db.GroupID),
		f.text(field+".name", g.Name, db.GroupName),
		f.text(field+".description", g.Description, db.GroupDescription),
		f.text(field+".externalId", g.ExternalID, db.GroupExternalID),
		enum(f, field+".type", g.Type, db.GroupType),
		enum(f, field+".accessType", g.AccessType, db.GroupAccessType),
		times(g.CreatedAt, db.GroupCreatedAt),
		times(g.UpdatedAt, db.GroupUpdatedAt),
		f.search(field+".search", g.Search, db.GroupSearch.Contains))
	if g.Public != nil {
		cs = append(cs, db.GroupPublic.Eq(*g.Public))
	}
	if g.Member != nil {
		cs = append(cs, f.person(field+".member", *g.Member, db.GroupHasMemberWhere))
	}
	if g.Admin != nil {
		cs = append(cs, f.person(field+".admin", *g.Admin, db.GroupHasAdminWhere))
	}
	if g.Tag != nil {
		cs = append(cs, f.tag(field+".tag", *g.Tag))
	}
	if g.People != nil {
		cs = append(cs, db.GroupHasPerson(*g.People))
	}
	return db.And(cs...)
}

func (f *filtering) user(field string, u *UserFilter, depth int) db.Cond {
	if u == nil {
		return db.Cond{}
	}
	cs := combine(f, field, depth, u.And, u.Or, u.Not, f.user)
	cs = append(cs,
		f.ids(field+".id", u.ID, userPrefix, db.UserID),
		f.text(field+".username", u.Username, db.UserUsername),
		f.text(field+".email", u.Email, db.UserEmail),
		f.text(field+".fullName", u.FullName, db.UserFullName),
		f.text(field+".externalId", u.ExternalID, db.UserExternalID),
		times(u.CreatedAt, db.UserCreatedAt),
		f.search(field+".search", u.Search, db.UserSearch.Contains))
	if u.Role != nil {
		cs = append(cs, db.UserHasRole(string(*u.Role)))
	}
	return db.And(cs...)
}

func memberFilter(filter any) (db.Cond, error) {
	m, _ := filter.(*MemberFilter)
	if m == nil {
		return db.Cond{}, nil
	}
	f := &filtering{}
	cs := []db.Cond{
		f.text("filter.username", m.Username, db.MemberName),
		f.text("filter.email", m.Email, db.MemberEmail),
		times(m.AddedAt, db.MemberAddedAt),
		f.search("filter.search", m.Search, db.MemberSearch),
	}
	if m.IsAdmin != nil {
		if *m.IsAdmin {
			cs = append(cs, db.MemberIsAdmin)
		} else {
			cs = append(cs, db.Not(db.MemberIsAdmin))
		}
	}
	return db.And(cs...), f.err
}

func tokenFilter(filter any) (db.Cond, error) {
	t, _ := filter.(*TokenFilter)
	if t == nil {
		return db.Cond{}, nil
	}
	f := &filtering{}
	cs := []db.Cond{
		f.text("filter.description", t.Description, db.TokenDescription),
		times(t.CreatedAt, db.TokenCreatedAt),
		times(t.ExpiresAt, db.TokenExpiresAt),
		times(t.LastUsedAt, db.TokenLastUsedAt),
	}
	if t.Revoked != nil {
		revoked := db.TokenRevoked
		if !*t.Revoked {
			revoked = db.Not(revoked)
		}
		cs = append(cs, revoked)
	}
	if t.Status != nil {
		cs = append(cs, map[TokenStatus]db.Cond{
			TokenStatusActive: db.TokenActive, TokenStatusExpired: db.TokenExpired, TokenStatusRevoked: db.TokenRevoked,
		}[*t.Status])
	}
	return db.And(cs...), f.err
}

func changeFilter(filter any) (db.Cond, error) {
	c, _ := filter.(*ChangeFilter)
	if c == nil {
		return db.Cond{}, nil
	}
	var cs []db.Cond
	if c.Group != nil {
		ref, err := c.Group.resolve("filter.group")
		if err != nil {
			return db.None, err
		}
		cs = append(cs, db.ChangeOfGroup(ref))
	}
	if c.User != nil {
		ref, err := c.User.resolve("filter.user")
		if err != nil {
			return db.None, err
		}
		cs = append(cs, db.ChangeOfUser(ref))
	}
	for field, n := range map[string]int{"filter.kinds": len(c.Kinds), "filter.via": len(c.Via)} {
		if n > MaxFilterList {
			return db.None, exceeded(field, "At most %d values.", MaxFilterList).by("filter")
		}
	}
	if c.Kinds != nil {
		cs = append(cs, db.ChangeKind.In(db.Strings(texts(c.Kinds))))
	}
	if c.Via != nil {
		cs = append(cs, db.ChangeVia.In(db.Strings(texts(c.Via))))
	}
	if c.Actor != nil {
		if err := validText("filter.actor", *c.Actor, maxFilterText); err != nil {
			return db.None, err
		}
		cs = append(cs, db.ChangeActor.Eq(*c.Actor))
	}
	return db.And(cs...), nil
}

// text compiles a filter of a text column.
func (f *filtering) text(field string, s *StringFilter, column db.Text) db.Cond {
	if s == nil {
		return db.Cond{}
	}
	var cs []db.Cond
	for _, op := range []struct {
		name string
		v    *string
		of   func(string) db.Cond
	}{
		{"eq", s.Eq, column.Eq}, {"ne", s.Ne, func(v string) db.Cond { return db.Not(column.Eq(v)) }},
		{"contains", s.Contains, column.Contains}, {"notContains", s.NotContains, func(v string) db.Cond { return db.Not(column.Contains(v)) }},
		{"startsWith", s.StartsWith, column.StartsWith}, {"endsWith", s.EndsWith, column.EndsWith},
	} {
		if op.v == nil {
			continue
		}
		if err := validText(field+"."+op.name, *op.v, maxFilterText); err != nil {
			return f.fail(err)
		}
		cs = append(cs, op.of(*op.v))
	}
	for _, op := range []struct {
		name string
		vs   []string
		of   func([]string) db.Cond
	}{{"in", s.In, column.In}, {"notIn", s.NotIn, func(vs []string) db.Cond { return db.Not(column.In(vs)) }}} {
		if op.vs == nil {
			continue
		}
		if err := validTexts(field+"."+op.name, op.vs); err != nil {
			return f.fail(err)
		}
		cs = append(cs, op.of(op.vs))
	}
	if s.IsNull != nil {
		if *s.IsNull {
			cs = append(cs, column.IsNull())
		} else {
			cs = append(cs, db.Not(column.IsNull()))
		}
	}
	return db.And(cs...)
}

func (f *filtering) search(field string, text *string, contains func(string) db.Cond) db.Cond {
	if text == nil || *text == "" {
		return db.Cond{}
	}
	if err := validText(field, *text, maxFilterText); err != nil {
		return f.fail(err)
	}
	return contains(*text)
}

// ids compiles a filter by TypeIDs.
func (f *filtering) ids(field string, i *IDFilter, prefix string, column db.Column) db.Cond {
	if i == nil {
		return db.Cond{}
	}
	parse := func(name string, texts []string) db.Cond {
		if len(texts) > MaxFilterList {
			return f.fail(exceeded(field+"."+name, "At most %d values.", MaxFilterList).by("filter"))
		}
		ids := make([]uuid.UUID, len(texts))
		for n, text := range texts {
			var err error
			if ids[n], err = parseIDOf(prefix, at(field+"."+name, n), text); err != nil {
				return f.fail(err)
			}
		}
		return column.In(db.UUIDs(ids))
	}
	var cs []db.Cond
	if i.Eq != nil {
		id, err := parseIDOf(prefix, field+".eq", *i.Eq)
		if err != nil {
			return f.fail(err)
		}
		cs = append(cs, column.Eq(id.String()))
	}
	if i.In != nil {
		cs = append(cs, parse("in", i.In))
	}
	if i.NotIn != nil {
		cs = append(cs, db.Not(parse("notIn", i.NotIn)))
	}
	return db.And(cs...)
}

func enum[E ~string](f *filtering, field string, e *EnumFilter[E], column db.Column) db.Cond {
	if e == nil {
		return db.Cond{}
	}
	if len(e.In)+len(e.NotIn) > MaxFilterList {
		return f.fail(exceeded(field, "At most %d values.", MaxFilterList).by("filter"))
	}
	var cs []db.Cond
	if e.Eq != nil {
		cs = append(cs, column.Eq(string(*e.Eq)))
	}
	if e.Ne != nil {
		cs = append(cs, db.Not(column.Eq(string(*e.Ne))))
	}
	if e.In != nil {
		cs = append(cs, column.In(db.Strings(texts(e.In))))
	}
	if e.NotIn != nil {
		cs = append(cs, db.Not(column.In(db.Strings(texts(e.NotIn)))))
	}
	return db.And(cs...)
}

func times(t *DateTimeFilter, column db.Column) db.Cond {
	if t == nil {
		return db.Cond{}
	}
	var cs []db.Cond
	for _, op := range []struct {
		v  *time.Time
		of func(any) db.Cond
	}{{t.Gt, column.Greater}, {t.Gte, column.GreaterEqual}, {t.Lt, column.Less}, {t.Lte, column.LessEqual}} {
		if op.v != nil {
			cs = append(cs, op.of(op.v.UTC().Format(time.RFC3339Nano)))
		}
	}
	return db.And(cs...)
}

// person compiles a filter by a user; one that does not exist is in no group.
func (f *filtering) person(field string, ref UserRef, of func(db.Cond) db.Cond) db.Cond {
	resolved, err := ref.resolve(field)
	if err != nil {
		return f.fail(err)
	}
	return of(db.UserIs(resolved))
}

func (f *filtering) tag(field string, t TagFilter) db.Cond {
	if err := validText(field+".key", t.Key, maxFilterText); err != nil {
		return f.fail(err)
	}
	if t.Value != nil {
		if err := validText(field+".value", *t.Value, maxFilterText); err != nil {
			return f.fail(err)
		}
	}
	return db.GroupHasTag(t.Key, t.Value)
}

// validText refuses what no column can hold: Postgres has no NUL, and invalid UTF-8 is no text.
func validText(field, v string, longest int) error {
	switch {
	case strings.ContainsRune(v, 0) || strings.ToValidUTF8(v, "") != v:
		return invalid(field, "Text may not hold NUL or bytes that are not UTF-8.")
	case len(v) > 4*longest || len([]rune(v)) > longest:
		return invalid(field, "At most %d characters.", longest)
	}
	return nil
}

func validTexts(field string, vs []string) error {
	if len(vs) > MaxFilterList {
		return exceeded(field, "At most %d values.", MaxFilterList).by("filter")
	}
	for i, v := range vs {
		if err := validText(at(field, i), v, maxFilterText); err != nil {
			return err
		}
	}
	return nil
}

func texts[E ~string](es []E) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = string(e)
	}
	return out
}
