package db

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Statement is something that was sent to Postgres and has ended: for who watches over how long things take.
type Statement struct {
	// Text is the statement as it was sent. Where Prepared is false its values may stand in it: then it is for nobody's eyes, and Name
	// says what it was.
	Text     string
	Prepared bool
	Began    time.Time
	Took     time.Duration // until the last byte of the answer was read, by a caller who may take its time
	Err      error         // as queries fail: it holds no value
}

// tell says what became of the operation.
func (o operation) tell(err error) {
	o.c.done(o.ctx, Statement{Text: o.text, Prepared: o.args, Began: o.began, Took: time.Since(o.began), Err: translate(err)})
}

// verbs are the words that statements begin with, of those that we send.
var verbs = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "SET", "LISTEN", "CREATE", "ALTER", "DROP", "DEALLOCATE"}

// Verbs are what Verb tells apart.
func Verbs() []string { return slices.Clone(verbs) }

// Verb is the word that the statement begins with; "OTHER" for one that we do not know.
func (s Statement) Verb() string {
	text := strings.TrimLeft(strings.TrimPrefix(s.Text, "SELECT 1; "), " \n\t") // safeTx.Commit
	for _, v := range verbs {
		if rest, ok := strings.CutPrefix(text, v); ok && (rest == "" || !word(rest[0])) {
			return v
		}
	}
	return "OTHER"
}

// Name is the verb and the first table, such as SELECT groups; never a value.
func (s Statement) Name() string {
	verb := s.Verb()
	if table := s.Table(); table != "" {
		return verb + " " + table
	}
	return verb
}

// Table is the first of the tables that the statement names in the fewest parentheses; "" if it names none.
func (s Statement) Table() string {
	outermost, least, depth := "", 0, 0
	for next, rest := token(s.Text); next != ""; next, rest = token(rest) {
		switch next {
		case "(":
			depth++
		case ")":
			depth--
		case "FROM", "INTO", "UPDATE", "JOIN", "TABLE":
			name := tableIn(next, rest)
			if name != "" && (depth == 0 || strings.HasPrefix(s.Text, "WITH")) {
				return name
			}
			if name != "" && (outermost == "" || depth < least) {
				outermost, least = name, depth
			}
		}
	}
	return outermost
}

// tableIn is the table that a text begins with, behind a word that tables follow; "" if it is none.
func tableIn(behind, text string) string {
	name, after := token(text)
	call, _ := token(after) // a function, or extract(epoch FROM now())
	if name == "" || strings.ToLower(name) != name || !word(name[0]) || call == "(" && behind != "INTO" && behind != "TABLE" {
		return ""
	}
	return name
}

// token is the next word of a text, or one character that is in none; quoted text is passed over.
func token(text string) (next, rest string) {
	text = strings.TrimLeft(text, " \n\t")
	if text == "" {
		return "", ""
	}
	if text[0] == '\'' {
		_, rest, _ = strings.Cut(text[1:], "'")
		return "'", rest
	}
	n := 0
	for n < len(text) && word(text[n]) {
		n++
	}
	n = max(n, 1)
	return text[:n], text[n:]
}

func word(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Failure is why the statement failed, in a word: its SQLSTATE, or a kind where Postgres did not answer. "" if it did not fail.
func (s Statement) Failure() string {
	if s.Err == nil {
		return ""
	}
	var e *Error
	switch {
	case !errors.As(s.Err, &e):
		return "other"
	case e.State != "":
		return e.State
	case e.Kind == Timeout:
		return "timeout"
	case e.Kind == Unavailable:
		return "unavailable"
	}
	return "other"
}
