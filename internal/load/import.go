package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"roster/internal/directory"
)

// ImportOptions says how to import.
type ImportOptions struct {
	DryRun   bool      // check and count everything, keep nothing
	Progress io.Writer // hears of every bad record, of how far it is once a second, and of the result; nil: nobody listens
}

// Import reads groups from r, as JSON Lines, and makes those of the directory like them: a group of a name that there is not is
// created, another is changed where it differs. name is the file's, for messages. A second run over the same file changes
// nothing.
//
// Each record is a transaction. One that is bad leaves nothing behind and the others go on; the error at the end says how many
// were bad, and which was the first. When the database fails, the import stops where it is: run it again.
func Import(ctx context.Context, dir *directory.Service, r io.Reader, name string, o ImportOptions) (Report, error) {
	i := newImporter(dir, directory.System(), name, o)
	return i.run(ctx, r)
}

// importer is one import under way.
type importer struct {
	dir    *directory.Service
	by     directory.Caller
	file   string
	o      ImportOptions
	report Report

	claims    map[claim]int       // the line that made it
	spellings map[string]struct{} // user names as the file has them
	users     map[string]struct{} // the same without regard to case
	created   map[string]struct{} // users that the import created; in a dry run it creates some again and again
	next      time.Time           // of the next line about progress
}

func newImporter(dir *directory.Service, by directory.Caller, file string, o ImportOptions) *importer {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return &importer{
		dir: dir, by: by, file: file, o: o, report: Report{DryRun: o.DryRun}, claims: map[claim]int{},
		spellings: map[string]struct{}{}, users: map[string]struct{}{}, created: map[string]struct{}{}, next: time.Now().Add(time.Second),
	}
}

func (i *importer) run(ctx context.Context, r io.Reader) (Report, error) {
	ls := newLines(r)
	for {
		line, err := ls.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errTooLong) {
			return i.stop(fmt.Errorf("%s:%d: %w", i.file, ls.n, err))
		}
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err == nil {
			err = i.record(ctx, ls.n, line)
		}
		if isFatal(err) {
			return i.stop(fmt.Errorf("%s:%d: %w", i.file, ls.n, err))
		}
		if err != nil {
			i.fail(i.failure(ls.n, err))
		}
		if now := time.Now(); now.After(i.next) {
			i.next = now.Add(time.Second)
			i.say("%s: line %d: %s\n", i.file, ls.n, i.sum().done())
		}
	}
	i.say("%s: %s\n", i.file, i.sum())
	return i.report, i.report.err(i.file)
}

// record imports one line: all of it, or nothing and an error.
func (i *importer) record(ctx context.Context, n int, line []byte) error {
	rec, err := parse(line)
	if err != nil {
		return err
	}
	claims := rec.claims()
	for _, c := range claims {
		if at, taken := i.claims[c]; taken {
			return wrong(c.field, "the group of line %d has it too", at)
		}
	}
	in := rec.PutGroupInput
	in.DryRun = i.o.DryRun
	p, err := i.dir.PutGroup(ctx, i.by, in, directory.Want(directory.Link{
		Key: "changes", Field: "changes", Select: directory.Selection{Fields: []string{"kind", "username"}},
	}))
	if err != nil {
		return rec.locate(err)
	}
	for _, c := range claims {
		i.claims[c] = n
	}
	return i.count(rec, p)
}

// claim is a value that no two groups can have in common.
type claim struct{ field, value string }

func (r *record) claims() []claim {
	cs := []claim{{"name", strings.ToLower(r.Name)}}
	if r.Handle != nil {
		cs = append(cs, claim{"handle", *r.Handle})
	}
	if id := r.ExternalID.Value; id != nil {
		cs = append(cs, claim{"externalId", *id})
	}
	return cs
}

// locate puts the directory's field into the terms of the file: input.members[3].username is members[3].
func (r *record) locate(err error) error {
	var e *directory.Error
	if !errors.As(err, &e) {
		return err
	}
	located := *e
	located.Field = strings.TrimSuffix(strings.TrimPrefix(e.Field, "input."), ".username")
	var at int
	if n, _ := fmt.Sscanf(located.Field, "tags[%d]", &at); n == 1 && at < len(r.tags) {
		located.Field = "tags." + label(r.tags[at])
	}
	return &located
}

// isFatal tells what is no fault of the record's, and would befall the next one too.
func isFatal(err error) bool {
	var bad *fieldError
	if err == nil || errors.Is(err, errTooLong) || errors.As(err, &bad) {
		return false
	}
	switch directory.CodeOf(err) {
	case directory.Invalid, directory.Conflict, directory.NotFound, directory.LimitExceeded:
		return false
	}
	return true
}

// count adds what became of a record.
func (i *importer) count(rec *record, p *directory.Payload) error {
	changes, err := directory.Linked[[]*directory.Change](p, "changes")
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Kind == directory.ChangeKindUserCreated && c.Username != nil {
			i.created[strings.ToLower(*c.Username)] = struct{}{}
		}
	}
	for _, refs := range [][]*directory.UserRef{rec.Members, rec.Admins, {rec.FolderOwner.Value}} {
		for _, ref := range refs {
			if ref != nil {
				i.spellings[ref.String()] = struct{}{}
				i.users[strings.ToLower(ref.String())] = struct{}{}
			}
		}
	}
	r, n := &i.report, p.Changed()
	switch {
	case p.Created:
		r.Created++
	case len(n) > 0:
		r.Updated++
	default:
		r.Unchanged++
	}
	r.MembersAdded += n[directory.ChangeKindMemberAdded]
	r.MembersRemoved += n[directory.ChangeKindMemberRemoved]
	r.AdminsAdded += n[directory.ChangeKindAdminAdded]
	r.AdminsRemoved += n[directory.ChangeKindAdminRemoved]
	return nil
}

// sum brings the report up to date.
func (i *importer) sum() Report {
	i.report.UsersCreated = len(i.created)
	i.report.Users, i.report.OtherSpellings = len(i.users), len(i.spellings)-len(i.users)
	return i.report
}

// stop ends an import that cannot go on.
func (i *importer) stop(err error) (Report, error) {
	r := i.sum()
	return r, fmt.Errorf("the import stopped at %w; until there: %s", err, r)
}

func (i *importer) fail(f *Failure) {
	i.report.Failed++
	if len(i.report.Failures) < maxFailures {
		i.report.Failures = append(i.report.Failures, f)
	}
	i.say("%v\n", f)
}

// say tells whoever listens; that nobody can hear is no reason to stop.
func (i *importer) say(format string, args ...any) { fmt.Fprintf(i.o.Progress, format, args...) }
