package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/load"
)

// none refuses arguments.
func none(args []string) []string {
	if len(args) > 0 {
		return []string{fmt.Sprintf("unexpected argument %q; the command comes first", args[0])}
	}
	return nil
}

// withDirectory does something to the directory and ends what it had to start for it.
func (p *program) withDirectory(ctx context.Context, fn func(d *database, dir *directory.Service) error) (err error) {
	d, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	dir, err := d.directory(ctx, p)
	if err != nil {
		return err
	}
	return fn(d, dir)
}

// migrate brings the schema up, or takes the last step back.
type migrate struct{ down bool }

func (m *migrate) flags(fs *flag.FlagSet) {
	fs.BoolVar(&m.down, "down", false, "undo the last group of migrations, with the data it holds: for development")
}

func (*migrate) check(args []string) []string { return none(args) }

func (m *migrate) do(ctx context.Context, p *program) (err error) {
	if p.config.DatabasePooled {
		return errPooled
	}
	d, err := p.reach(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	if m.down {
		if err := db.Rollback(ctx, d.url); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "The last group of migrations is undone.")
		return nil
	}
	n, err := db.Migrate(ctx, d.url)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d migrations applied; the schema is current.\n", n)
	return d.settle(ctx, p)
}

// epoch ends the cursors that there are.
type epoch struct{}

func (*epoch) flags(*flag.FlagSet) {}

func (*epoch) check(args []string) []string { return none(args) }

func (*epoch) do(ctx context.Context, p *program) (err error) {
	d, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	if err := d.store.NewEpoch(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "The change log begins a new epoch: who follows it is told to read anew.")
	return nil
}

// importFile loads a file of groups.
type importFile struct{ dryRun bool }

func (i *importFile) flags(fs *flag.FlagSet) {
	fs.BoolVar(&i.dryRun, "dry-run", false, "say what would change, and change nothing")
}

func (*importFile) check(args []string) []string {
	if len(args) != 1 {
		return []string{"import wants one FILE, or - for standard input"}
	}
	return nil
}

func (i *importFile) do(ctx context.Context, p *program) error {
	name, from := "standard input", p.stdin
	if p.args[0] != "-" {
		f, err := os.Open(p.args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		name, from = p.args[0], f
	}
	return p.withDirectory(ctx, func(_ *database, dir *directory.Service) error {
		_, err := load.Import(ctx, dir, from, name, load.ImportOptions{DryRun: i.dryRun, Progress: p.stderr}) // it tells the result, too
		return err
	})
}

// seed fills a directory.
type seed struct {
	demo bool
	size load.Size
}

func (s *seed) flags(fs *flag.FlagSet) {
	fs.BoolVar(&s.demo, "demo", false, "make a small organisation, which the examples of the playground know")
	fs.IntVar(&s.size.Groups, "groups", 0, "how many groups of load data to make; the database has to be empty")
	fs.IntVar(&s.size.Users, "users", 0, "how many users")
	fs.IntVar(&s.size.Memberships, "memberships", 0, "how many memberships")
}

func (s *seed) check(args []string) []string {
	problems := none(args)
	switch z := s.size; {
	case min(z.Groups, z.Users, z.Memberships) < 0:
		problems = append(problems, "a number of things to make is not negative")
	case s.demo == (z != load.Size{}):
		problems = append(problems, "seed wants either -demo or -groups, -users and -memberships")
	}
	return problems
}

func (s *seed) do(ctx context.Context, p *program) error {
	return p.withDirectory(ctx, func(d *database, dir *directory.Service) error {
		if s.demo {
			return load.Demo(ctx, dir, p.stderr)
		}
		return load.Seed(ctx, d.url, s.size, p.stderr)
	})
}
