package db

import (
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Cond is a condition on rows: SQL with ? for each argument, and ?? for an operator that is one. The zero Cond holds for every row.
type Cond struct {
	text   string
	args   []any
	either string // the text as one of alternatives, if that is another
	varies bool   // how many rows it holds for depends on its arguments, and on that how they are best found

	alone *search // that is all it asks
}

// search is a text looked for in one column.
type search struct {
	column string
	prefix string // in front; "" with inside: anywhere
	inside bool
}

// from and to hold for the texts from the least and up to the greatest that begins as the search says, together for the same as LIKE:
// between them lies a range of an index, whatever the beginning is, where LIKE tells a planner nothing before it knows it. The
// greatest ends in the last character there is, as often as texts are long.
func (s search) from(column string) Cond { return cond(column+" >= "+fold, s.prefix) }

func (s search) to(column string) Cond { return cond(column+" <= "+foldedEnd, s.prefix) }

// fromEnd and toEnd are the same for rows that have been found: the bound is a query of its own, which Postgres runs once; as part of the
// condition it would be made anew for every row.
func (s search) fromEnd(column string) Cond { return cond(column+" >= (SELECT "+fold+")", s.prefix) }

func (s search) toEnd(column string) Cond { return cond(column+" <= (SELECT "+foldedEnd+")", s.prefix) }

const foldedEnd = `(lower(?::text) || repeat(chr(1114111), 320)) COLLATE "C"`

func cond(text string, args ...any) Cond { return Cond{text: text, args: args} }

// choice is a condition that holds for few rows or for nearly all, by its arguments.
func choice(text string, args ...any) Cond { return Cond{text: text, args: args, varies: true} }

// among holds for rows whose column is in what a query answers. Alone that is a join, which Postgres begins at either end. Among
// alternatives it can be none, and would be asked of every row; as an array it is looked up in the column's index, as they are.
func among(column, query string, args ...any) Cond {
	return Cond{text: column + " IN (" + query + ")", either: column + " = ANY (ARRAY(" + query + "))", args: args}
}

// alternative is the text among alternatives.
func (c Cond) alternative() string {
	if c.either != "" {
		return c.either
	}
	return c.text
}

// forItsValues has Postgres plan a statement for the values of its arguments, every time: a prefix that one name has and one that
// half of them have want different plans. A prepared statement would go over to one plan for all values after a few times, if that
// looks as cheap; here it never does, by what is not run: with the argument true Postgres strikes it out before it plans.
var forItsValues = cond("(?::boolean OR (SELECT count(*) FROM generate_series(1, 1000000000)) > 0)", true)

// planned is c, with a plan for its values if it varies.
func (c Cond) planned() Cond {
	if !c.varies {
		return c
	}
	return And(c, forItsValues)
}

// IsZero reports whether c holds for every row.
func (c Cond) IsZero() bool { return c.text == "" }

// Fingerprint names a list filtered by the condition, arguments and all, so that a cursor can be bound to where it was made.
func (c Cond) Fingerprint(list string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, list+"\x00"+c.text+"\x00")
	if text, ok := c.onlyText(); ok {
		_, _ = h.Write(text)
	} else {
		fmt.Fprintf(h, "%#v", c.args) // %#v quotes: "a b" is one argument, "a" "b" are two
	}
	return h.Sum64()
}

// onlyText is what %#v makes of the arguments, in a tenth of the time, if all are strings.
func (c Cond) onlyText() ([]byte, bool) {
	if len(c.args) == 0 {
		return nil, false
	}
	b, before := make([]byte, 0, 128), "[]interface {}{"
	for _, a := range c.args {
		s, ok := a.(string)
		if !ok {
			return nil, false
		}
		b = strconv.AppendQuote(append(b, before...), s)
		before = ", "
	}
	return append(b, '}'), true
}

// And holds where all of cs hold.
func And(cs ...Cond) Cond { return combine(cs, and) }

// Or holds where one of cs holds; with none of them, nowhere.
func Or(cs ...Cond) Cond {
	if len(cs) == 0 {
		return None
	}
	for _, c := range cs {
		if c.IsZero() {
			return Cond{}
		}
	}
	return combine(cs, or)
}

// None holds nowhere.
var None = Cond{text: "false"}

// Not holds where c does not, unknown included: a group without externalId is one whose externalId is not "x".
func Not(c Cond) Cond {
	if c.IsZero() {
		return None
	}
	return Cond{text: "(" + c.text + ") IS NOT TRUE", args: c.args, varies: c.varies}
}

func combine(cs []Cond, op string) Cond {
	var all Cond
	n, args, others := 0, 0, false
	for _, c := range cs {
		if !c.IsZero() {
			if n++; n == 1 {
				all = c
			}
			args += len(c.args)
			others = others || c.either != ""
		}
	}
	if n < 2 {
		return all
	}
	all = Cond{args: make([]any, 0, args)}
	for _, c := range cs {
		all.args = append(all.args, c.args...)
		all.varies = all.varies || c.varies
	}
	switch {
	case !others:
		all.text = joined(cs, op, func(c Cond) string { return c.text })
	case op == or:
		all.text = joined(cs, op, Cond.alternative)
	default:
		all.text, all.either = joined(cs, op, func(c Cond) string { return c.text }), joined(cs, op, Cond.alternative)
	}
	return all
}

// joined is a text of each condition that asks something, with the operator between them.
func joined(cs []Cond, op string, textOf func(Cond) string) string {
	size := len("()")
	for _, c := range cs {
		size += len(textOf(c)) + len(op)
	}
	b := make([]byte, 0, size)
	before := "("
	for _, c := range cs {
		if !c.IsZero() {
			b = append(append(b, before...), textOf(c)...)
			before = op
		}
	}
	return string(append(b, ')'))
}

// The operators of combine.
const (
	and = " AND "
	or  = " OR "
)

// Text is a text column to filter by: its SQL, folded to lower case.
type Text string

// fold is how every text filter compares: the database's own lower(), as in the *_key columns.
const fold = `lower(?::text) COLLATE "C"`

// Eq holds where the column equals v, without regard to case.
func (t Text) Eq(v string) Cond { return cond(string(t)+" = "+fold, v) }

// In holds where the column equals one of vs, without regard to case.
func (t Text) In(vs []string) Cond {
	return choice(string(t)+` = ANY (SELECT lower(v) COLLATE "C" FROM unnest(?::text[]) v)`, Strings(vs))
}

// Contains holds where v is part of the column, without regard to case.
func (t Text) Contains(v string) Cond {
	pattern := "%" + escapeLike(v) + "%"
	c := t.like(pattern)
	c.alone = &search{column: string(t), inside: true}
	return And(c, t.among(pattern))
}

// StartsWith holds where the column begins with v, without regard to case.
func (t Text) StartsWith(v string) Cond {
	c := t.like(escapeLike(v) + "%")
	c.alone = &search{column: string(t), prefix: v}
	return c
}

// EndsWith holds where the column ends with v, without regard to case.
func (t Text) EndsWith(v string) Cond {
	pattern := "%" + escapeLike(v)
	return And(t.like(pattern), t.among(pattern+"%"))
}

// searched says where the texts without trigrams of their own are part of a text that has some.
var searched = map[Text]Text{GroupExternalID: GroupSearch, UserEmail: UserSearch, UserFullName: UserSearch, UserExternalID: UserSearch}

// among is the same asked of all that is searched, which has an index for it.
func (t Text) among(pattern string) Cond {
	if whole, ok := searched[t]; ok {
		return whole.like(pattern)
	}
	return Cond{}
}

// IsNull holds where the column has no value.
func (t Text) IsNull() Cond { return choice(string(t) + " IS NULL") }

func (t Text) like(pattern string) Cond { return choice(string(t)+" LIKE "+fold, pattern) }

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(v string) string { return likeEscapes.Replace(v) }

// Column is a column to compare: its SQL, with its type for the arguments.
type Column struct{ sql, typ string }

// In, Less and the rest compare the column with values of its own type.
func (c Column) In(vs any) Cond          { return c.cond(" = ANY (?::"+c.typ+"[])", vs) }
func (c Column) Less(v any) Cond         { return choice(c.sql+" < ?::"+c.typ, v) }
func (c Column) LessEqual(v any) Cond    { return choice(c.sql+" <= ?::"+c.typ, v) }
func (c Column) Greater(v any) Cond      { return choice(c.sql+" > ?::"+c.typ, v) }
func (c Column) GreaterEqual(v any) Cond { return choice(c.sql+" >= ?::"+c.typ, v) }

// Eq holds where the column equals v. What is true or false needs no argument, so that an index of one half serves it.
func (c Column) Eq(v any) Cond {
	switch v {
	case true:
		return cond(c.sql)
	case false:
		return cond("NOT " + c.sql)
	}
	return c.cond(" = ?::"+c.typ, v)
}

// cond compares the column. A column of texts that are compared exactly is an enumeration, of which one value can be in all rows.
func (c Column) cond(comparison string, v any) Cond {
	return Cond{text: c.sql + comparison, args: []any{v}, varies: c.typ == "text"}
}

// varying is c, for which one plan does not serve all values.
func (c Cond) varying() Cond {
	c.varies = true
	return c
}

// Strings is a text[] argument.
func Strings(vs []string) any {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(arrayEscapes.Replace(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// UUIDs is a uuid[] argument.
func UUIDs(ids []uuid.UUID) any {
	b := make([]byte, 0, len(ids)*37+2)
	b = append(b, '{')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, id.String()...)
	}
	return string(append(b, '}'))
}
