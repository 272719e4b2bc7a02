package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"roster/internal/directory"
)

// maxFailures bounds how many failures a report keeps. All are counted, and told as they happen.
const maxFailures = 100

// Report says what an import did; in a dry run, what it would have done.
type Report struct {
	DryRun                              bool
	Created, Updated, Unchanged, Failed int // records, each a group
	UsersCreated                        int
	MembersAdded, MembersRemoved        int
	AdminsAdded, AdminsRemoved          int

	// What the file names: user names are unique without regard to case, so two spellings may be one user.
	Users, OtherSpellings int

	Failures []*Failure // the first ones
}

// Failure is a record that was not imported.
type Failure struct {
	File  string
	Line  int
	Field string // "" if it is the line as a whole
	Err   error
}

func (f *Failure) Error() string {
	at := f.File + ":" + strconv.Itoa(f.Line) + ": "
	if f.Field != "" {
		at += f.Field + ": "
	}
	var e *directory.Error
	if errors.As(f.Err, &e) {
		return at + e.Message
	}
	return at + f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// failure says where a record is wrong.
func (i *importer) failure(line int, err error) *Failure {
	f := &Failure{File: i.file, Line: line, Err: err}
	var bad *fieldError
	var e *directory.Error
	switch {
	case errors.As(err, &bad):
		f.Field = bad.field
	case errors.As(err, &e):
		f.Field = e.Field
	}
	return f
}

// err is the report as the import's error; nil if no record failed.
func (r Report) err(file string) error {
	if r.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%s of %s failed; the first: %w", counted(r.Failed, "record"), file, r.Failures[0])
}

// String is the report in a line.
func (r Report) String() string {
	text := r.done()
	if r.Users > 0 {
		text += "; named: " + counted(r.Users, "user")
	}
	switch r.OtherSpellings {
	case 0:
	case 1:
		text += "; 1 more spelling differs only in case"
	default:
		text += "; " + number(r.OtherSpellings) + " more spellings differ only in case"
	}
	if r.DryRun {
		return "dry run, nothing is kept: " + text
	}
	return text
}

// done says what was done.
func (r Report) done() string {
	var parts []string
	for _, t := range []struct {
		n          int
		noun, verb string
	}{
		{r.Created, "group", "created"}, {r.Updated, "group", "updated"}, {r.Unchanged, "group", "unchanged"},
		{r.Failed, "record", "failed"}, {r.UsersCreated, "user", "created"},
		{r.MembersAdded, "membership", "added"}, {r.MembersRemoved, "membership", "removed"},
		{r.AdminsAdded, "admin", "added"}, {r.AdminsRemoved, "admin", "removed"},
	} {
		if t.n > 0 {
			parts = append(parts, counted(t.n, t.noun)+" "+t.verb)
		}
	}
	if len(parts) == 0 {
		return "no records"
	}
	return strings.Join(parts, ", ")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// number spells n with commas: 6,281.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
