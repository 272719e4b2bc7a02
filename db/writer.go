package db

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// writer gathers a statement's text and its arguments in the order of their placeholders. It puts $n for every ? of what is added, and ? for
// every ??. Statements are made of constants of this package: no ? of a value can be among them, since values are arguments.
type writer struct {
	b    *bytes.Buffer
	n    int // placeholders so far
	args []any
}

// written are the buffers of writers.
var written = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 2<<10)) }}

// newWriter has room for so many arguments.
func newWriter(args int) *writer {
	return &writer{b: written.Get().(*bytes.Buffer), args: make([]any, 0, args)}
}

func (w *writer) add(text string, args ...any) {
	for {
		i := strings.IndexByte(text, '?')
		if i < 0 {
			break
		}
		w.b.WriteString(text[:i])
		if text = text[i+1:]; strings.HasPrefix(text, "?") {
			w.b.WriteByte('?')
			text = text[1:]
			continue
		}
		w.n++
		w.b.WriteByte('$')
		w.b.Write(strconv.AppendInt(w.b.AvailableBuffer(), int64(w.n), 10))
	}
	w.b.WriteString(text)
	w.args = append(w.args, args...)
}

// text is the statement, which is written then.
func (w *writer) text() string {
	text := texts.of(w.b.Bytes())
	w.b.Reset()
	written.Put(w.b)
	w.b = nil
	return text
}

// where adds the conditions, of which all have to hold.
func (w *writer) where(relation string, cs ...Cond) {
	before := " WHERE "
	if relation != "" {
		w.add(before)
		w.add(relation)
		before = and
	}
	for _, c := range cs {
		if !c.IsZero() {
			w.add(before)
			w.add(c.text, c.args...)
			before = and
		}
	}
}

// parents is the table p of a list's parents. Of one alone Postgres knows which it is when it plans.
func (w *writer) parents(ids []uuid.UUID) {
	if len(ids) == 1 {
		w.add("(SELECT ?::uuid AS id, 1 AS ord) p", ids[0].String())
		return
	}
	w.add("unnest(?::uuid[]) WITH ORDINALITY p(id, ord)", UUIDs(ids))
}

// limit asks for one row more than a page has. The usual pages are written out: a number that is an argument makes Postgres plan
// for a tenth of the table, which looks so dear that it would plan every page anew. Others are not, so that there are not as many
// statements as numbers.
func (w *writer) limit(page int) {
	switch page {
	case 0:
	case 1, 2, 3, 5, 10, 20, 25, 50, 100, 200:
		w.add(" LIMIT " + strconv.Itoa(page+1))
	default:
		w.add(" LIMIT ?", int64(page)+1)
	}
}

// total adds a kept total as a column, if one is wanted.
func (w *writer) total(t Total) {
	if t != "" {
		w.add("("+totalKept+"?), ", string(t))
	}
}

// texts are the statements that have been written, each once: the same few are written thousands of times a second.
var texts interned

// interned are texts that are kept, up to a bound beyond which all are kept anew.
type interned struct {
	mu sync.RWMutex
	by map[string]string
}

const (
	maxInterned     = 1_000
	maxInternedText = 8 << 10
)

// of is the text of the bytes.
func (i *interned) of(b []byte) string {
	i.mu.RLock()
	text, ok := i.by[string(b)]
	i.mu.RUnlock()
	if ok {
		return text
	}
	text = string(b)
	if len(text) > maxInternedText {
		return text
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.by == nil || len(i.by) >= maxInterned {
		i.by = map[string]string{}
	}
	i.by[text] = text
	return text
}
