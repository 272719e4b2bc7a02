// Bench measures how close Roster's GraphQL comes to a handler written by hand: see docs/performance.md. It builds Roster and
// bare, starts a Postgres, fills it by `roster seed`, checks that the two give the same answers, and then loads them in turns.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	sizes    []size
	only     []string
	growth   bool
	out      string
	profiles string
	log      string
	plain    bool
	partial  bool   // not all of it, or not for good
	than     string // a Roster to measure against instead of bare; "": bare
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = o.run(ctx, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "one round of a second each: for trying things out, not for figures")
	only := fs.String("only", "", "the workloads to run, by commas: "+strings.Join(names(), " "))
	groups := fs.Int("groups", 100_000, "how many groups there are; users are twice as many, memberships ten times")
	fs.BoolVar(&o.growth, "growth", false, "measure at 1,000, 100,000 and 1,000,000 groups, or at -sizes, and count statements and rows")
	sizes := fs.String("sizes", "1000,100000,1000000", "with -growth: the numbers of groups")
	fs.IntVar(&o.rounds, "rounds", 0, "rounds of each workload; 0: 7, with -growth 3")
	fs.DurationVar(&o.duration, "time", 3*time.Second, "how long each side is loaded in a round")
	fs.StringVar(&o.out, "out", "", "write the tables into this file too, between its markers, unless it is -quick or -only a part")
	fs.StringVar(&o.profiles, "profile", "", "write a processor profile of Roster for each workload into this directory")
	fs.StringVar(&o.than, "than", "", "a Roster built before: measure against it rather than against bare, to see what a change does; it writes no file")
	fs.StringVar(&o.log, "log", "", "append the servers' logs to this file rather than throw them away")
	fs.BoolVar(&o.plain, "plain", false, "let bare ignore that memberships can expire")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.sizes, err = sizesOf(*sizes); err != nil {
		return o, err
	}
	if !o.growth {
		o.sizes = []size{size(*groups)}
	}
	if o.only, err = selection(*only); err != nil {
		return o, err
	}
	o.partial = *quick || o.only != nil || o.than != ""
	switch {
	case *quick:
		o.rounds, o.duration = 1, time.Second
	case o.rounds == 0 && o.growth:
		o.rounds = 3
	case o.rounds == 0:
		o.rounds = 7
	}
	return o, nil
}

func sizesOf(list string) (sizes []size, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-sizes: %q is no number", text)
		}
		sizes = append(sizes, size(n))
	}
	return sizes, nil
}

func selection(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	only := strings.Split(list, ",")
	for _, name := range only {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no workload %q", name)
		}
	}
	return only, nil
}

func names() (all []string) {
	for _, w := range workloads() {
		all = append(all, w.name)
	}
	for _, b := range bulks() {
		all = append(all, b.name)
	}
	return all
}

func (o options) selected(name string) bool { return len(o.only) == 0 || slices.Contains(o.only, name) }

func (o options) run(ctx context.Context, progress io.Writer) (err error) {
	if _, err := os.Stat("../schema.graphqls"); err != nil {
		return errors.New("run it in the directory bench of Roster's source")
	}
	dir, err := os.MkdirTemp("", "roster-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ps, err := build(ctx, dir)
	if err != nil {
		return err
	}
	load := loadAverage()
	p, err := o.postgres(ctx)
	if err != nil {
		return err
	}
	p.load = load
	defer func() { err = errors.Join(err, p.close()) }()
	if o.growth {
		return o.grow(ctx, p, ps, progress)
	}
	b, err := o.open(ctx, p, ps, o.sizes[0], progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r, err := b.all(ctx)
	if err != nil {
		return err
	}
	return o.report(ctx, p, "bench", r.tables(o.sizes[0]))
}

// postgres is the one that DATABASE_URL names, or the benchmark's own.
func (o options) postgres(ctx context.Context) (*postgres, error) {
	if text := os.Getenv("DATABASE_URL"); text != "" {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("DATABASE_URL is no URL")
		}
		return &postgres{url: u}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return startPostgres(ctx, filepath.Join(cache, "roster-bench"), o.growth)
}

// bench is everything in its place, at one size.
type bench struct {
	options
	postgres     *postgres
	programs     programs
	url          string // of the workplace
	bare, roster *server
	token        string
	admin        uuid
	pprof        string
	requests     requests
	progress     io.Writer
	log          *os.File
}

// open prepares the data, starts the two servers and makes the requests ready.
func (o options) open(ctx context.Context, p *postgres, ps programs, s size, progress io.Writer) (*bench, error) {
	b := &bench{options: o, postgres: p, programs: ps, token: rand.Text(), progress: progress}
	var err error
	if b.log, err = output(o.log); err != nil {
		return nil, err
	}
	if b.url, err = prepare(ctx, p, ps.roster, s, progress); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	sample, err := sampleOf(ctx, b.url)
	if err == nil {
		b.requests = requests{sample: sample, roster: client{b.token}}
		err = b.walk(s)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) start(ctx context.Context) (err error) {
	if b.roster, err = b.startRoster(ctx, b.programs.roster); err != nil {
		return err
	}
	if b.than != "" {
		b.bare, err = b.startRoster(ctx, b.than)
		return err
	}
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if err := c.QueryRow(ctx, "SELECT id FROM users WHERE username = 'admin'").Scan(&b.admin); err != nil {
		return err
	}
	cmd := exec.Command(b.programs.bare, "-database-url", b.url, fmt.Sprintf("-expiry=%t", !b.plain))
	cmd.Stderr = b.log
	b.bare, err = startServer(cmd, "bare")
	return err
}

// startRoster starts Roster as anybody would: with its defaults, but for the address and where its database is.
func (b *bench) startRoster(ctx context.Context, program string) (*server, error) {
	cmd := exec.Command(program, "serve", "-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.url, "ROSTER_ADMIN_TOKEN="+b.token)
	if b.profiles != "" && program == b.programs.roster {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		b.pprof = l.Addr().String() // free a moment ago, and nobody else is likely to take it
		if err := l.Close(); err != nil {
			return nil, err
		}
		cmd.Env = append(cmd.Env, "ROSTER_METRICS_ADDR="+b.pprof, "ROSTER_PPROF=true")
	}
	cmd.Stderr = b.log
	return startServer(cmd, "roster")
}

// stop ends the servers.
func (b *bench) stop() error {
	var errs []error
	for _, s := range []**server{&b.bare, &b.roster} {
		if *s != nil {
			errs = append(errs, (*s).terminate())
			*s = nil
		}
	}
	return errors.Join(errs...)
}

func (b *bench) close() error { return errors.Join(b.stop(), b.log.Close()) }
