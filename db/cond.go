package db

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Cond is a condition on rows: SQL with ? for each argument. The zero Cond holds for every row.
type Cond struct {
	text string
	args []any
}

func cond(text string, args ...any) Cond { return Cond{text, args} }

// IsZero reports whether c holds for every row.
func (c Cond) IsZero() bool { return c.text == "" }

// Fingerprint names a list filtered by the condition, arguments and all, so that a cursor can be bound to where it was made.
func (c Cond) Fingerprint(list string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%#v", list, c.text, c.args) // %#v quotes: "a b" is one argument, "a" "b" are two
	return h.Sum64()
}

// And holds where all of cs hold.
func And(cs ...Cond) Cond { return combine(cs, " AND ") }

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
	return combine(cs, " OR ")
}

// None holds nowhere.
var None = Cond{text: "false"}

// Not holds where c does not, unknown included: a group without externalId is one whose externalId is not "x".
func Not(c Cond) Cond {
	if c.IsZero() {
		return None
	}
	return Cond{"(" + c.text + ") IS NOT TRUE", c.args}
}

func combine(cs []Cond, op string) Cond {
	var texts []string
	var args []any
	for _, c := range cs {
		if !c.IsZero() {
			texts = append(texts, c.text)
			args = append(args, c.args...)
		}
	}
	if len(texts) < 2 {
		return Cond{strings.Join(texts, ""), args}
	}
	return Cond{"(" + strings.Join(texts, op) + ")", args}
}

// Text is a text column to filter by: its SQL, folded to lower case.
type Text string

// fold is how every text filter compares: the database's own lower(), as in the *_key columns.
const fold = `lower(?::text) COLLATE "C"`

// Eq holds where the column equals v, without regard to case.
func (t Text) Eq(v string) Cond { return cond(string(t)+" = "+fold, v) }

// In holds where the column equals one of vs, without regard to case.
func (t Text) In(vs []string) Cond {
	return cond(string(t)+` = ANY (SELECT lower(v) COLLATE "C" FROM unnest(?::text[]) v)`, Strings(vs))
}

// Contains holds where v is part of the column, without regard to case.
func (t Text) Contains(v string) Cond { return t.like("%" + escapeLike(v) + "%") }

// StartsWith holds where the column begins with v, without regard to case.
func (t Text) StartsWith(v string) Cond { return t.like(escapeLike(v) + "%") }

// EndsWith holds where the column ends with v, without regard to case.
func (t Text) EndsWith(v string) Cond { return t.like("%" + escapeLike(v)) }

// IsNull holds where the column has no value.
func (t Text) IsNull() Cond { return cond(string(t) + " IS NULL") }

func (t Text) like(pattern string) Cond { return cond(string(t)+" LIKE "+fold, pattern) }

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(v string) string { return likeEscapes.Replace(v) }

// Column is a column to compare: its SQL, with its type for the arguments.
type Column struct{ sql, typ string }

// Eq, In, Less and the rest compare the column with values of its own type.
func (c Column) Eq(v any) Cond           { return cond(c.sql+" = ?::"+c.typ, v) }
func (c Column) In(vs any) Cond          { return cond(c.sql+" = ANY (?::"+c.typ+"[])", vs) }
func (c Column) Less(v any) Cond         { return cond(c.sql+" < ?::"+c.typ, v) }
func (c Column) LessEqual(v any) Cond    { return cond(c.sql+" <= ?::"+c.typ, v) }
func (c Column) Greater(v any) Cond      { return cond(c.sql+" > ?::"+c.typ, v) }
func (c Column) GreaterEqual(v any) Cond { return cond(c.sql+" >= ?::"+c.typ, v) }

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

// number puts $n for every ? of a finished statement. Statements are built from constants of this package: no ? of a
// value can be among them, since values are arguments.
func number(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 16)
	n := 0
	for {
		i := strings.IndexByte(text, '?')
		if i < 0 {
			break
		}
		n++
		b.WriteString(text[:i])
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = text[i+1:]
	}
	b.WriteString(text)
	return b.String()
}
