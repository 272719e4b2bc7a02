package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"roster/internal/directory"
)

// check proves that the database is as it has to be.
type check struct {
	json bool
	most int
}

func (c *check) flags(fs *flag.FlagSet) {
	fs.BoolVar(&c.json, "json", false, "answer in JSON")
	fs.IntVar(&c.most, "most", 20, "how many violations of each kind to show; all are counted")
}

func (c *check) check(args []string) []string {
	problems := none(args)
	if c.most < 0 {
		problems = append(problems, "-most is not negative")
	}
	return problems
}

var errViolated = errors.New("the directory is not as it has to be")

// do migrates nothing: an audit leaves things as they are.
func (c *check) do(ctx context.Context, p *program) (err error) {
	d, err := p.reach(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	if err := d.store.Usable(ctx); err != nil {
		return err
	}
	if current, err := d.store.Current(ctx); err != nil || !current {
		return errors.New("the schema is older than this program: run `roster migrate`")
	}
	r, err := directory.Audit(ctx, d.url, p.config.DatabasePooled, c.most)
	if err != nil {
		return err
	}
	if err := c.tell(p.stdout, r); err != nil {
		return err
	}
	if !r.OK {
		return errViolated
	}
	return nil
}

func (c *check) tell(to io.Writer, r directory.AuditReport) error {
	if c.json {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECK\tROWS\tUNPROVEN\tVIOLATIONS\tWHAT HAS TO HOLD")
	for _, a := range r.Audits {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", a.Name, a.Rows, a.Unproven, a.Violations, a.Meaning)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.LogFrom != "" {
		fmt.Fprintf(to, "\nChanges up to %s were dropped for their age. What has not changed since is not proven by the log.\n", r.LogFrom)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(to, "\n%s: %s\n  expected  %s\n  found     %s\n", v.Audit, v.About(), v.Expected, v.Found)
	}
	return nil
}
