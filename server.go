// Roster is one directory of groups, members, admins and tokens on Postgres. This package is the program: its commands,
// the routes of its server, how it starts and how it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"roster/db"
	"roster/graph/playground"
	"roster/internal/auth"
	"roster/internal/config"
	"roster/internal/legacy"
	"roster/internal/observe"
	"roster/internal/webhook"
)

// main ends the program in order at the first signal, and at once at the second.
func main() {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		end()
		<-signals
		time.Sleep(2 * logDelay) // what waits of the log is written meanwhile
		os.Exit(1)
	}()
	os.Exit(run(ctx, os.Args[1:], system{os.Getenv, os.Stdin, os.Stdout, os.Stderr}))
}

// routes is every way into the server.
func (s *server) routes() (http.Handler, error) {
	budget := s.budget()
	doors := s.doors(budget)
	api, err := s.graphql(budget)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", api)
	page := playground.Handler("/graphql")
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /playground/{name}", page)
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/", noRoute)
	mux.Handle("GET /openapi.json", doors.document)
	mux.Handle("GET /reference", doors.document)
	packed, err := compressed(legacy.Serve(doors.mounted, mux))
	if err != nil {
		return nil, err
	}
	return auth.Consistent(s.dir, s.hardened(s.logged(s.guard(), packed))), nil
}

// commands is everything that the program does.
func commands() []command {
	return []command{
		{"serve", "", "run the server; this is the default", &serve{}},
		{"migrate", "[-down]", "bring the database's schema up to this program", &migrate{}},
		{"import", "[-dry-run] FILE", "load groups, members and admins from a file of JSON Lines; - is standard input", &importFile{}},
		{"seed", "-demo | -groups N -users N -memberships N", "make a small organisation, or data for load tests", &seed{}},
		{"check", "[-json] [-most N]", "prove that counters, names, owners and the change log agree, on a database in use", &check{}},
		{"epoch", "", "have all who follow the changes read anew: after the database was set back in a way that it cannot notice", &epoch{}},
		{"probe", "[-live]", "ask the server of this machine whether it is ready, or alive; exit code 1 if not", &probe{}},
		{"token", "-user NAME | -group NAME | -list | -rotate ID | -revoke ID", "make, list, rotate and revoke tokens", &token{}},
	}
}

// system is what a process is given.
type system struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// command is one line of commands.
type command struct {
	name, args, meaning string
	doer
}

// doer does what a command is for. flags declares its flags, check says what is wrong with them and with the arguments,
// and do comes last, once everything has been checked.
type doer interface {
	flags(fs *flag.FlagSet)
	check(args []string) []string
	do(ctx context.Context, p *program) error
}

// program is a command about to be done.
type program struct {
	system
	config config.Config
	args   []string
	log    *slog.Logger
	onDone func(ctx context.Context, s db.Statement) // nil: nobody watches over statements

	observer *observe.Observer // nil: nobody sees what is sent to webhooks
}

// run is the program without its process. It returns the exit code: 2 for a wrong command line or setting, 1 for a
// failure.
func run(ctx context.Context, args []string, sys system) int {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if name == "help" {
		return help(sys, strings.Join(args, " "))
	}
	c, ok := find(name)
	if !ok {
		return misused(sys, []string{fmt.Sprintf("there is no command %q", name)})
	}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	c.flags(fs)
	cfg, rest, err := config.Parse(fs, args, sys.getenv)
	if errors.Is(err, flag.ErrHelp) {
		return help(sys, name)
	}
	var problems config.Problems
	errors.As(err, &problems)
	if err == nil {
		problems = slices.Concat(checkURL(cfg), checkReplicas(cfg), checkIssuers(cfg), checkAllowed(cfg))
		if name == "serve" {
			problems = append(problems, append(checkFiles(cfg), observe.CheckTraces(sys.getenv)...)...)
		}
	}
	if problems = append(problems, c.check(rest)...); len(problems) > 0 {
		return misused(sys, problems)
	}
	log, flush := newLog(sys.stderr, cfg)
	defer flush()
	p := &program{system: sys, config: cfg, args: rest, log: log}
	if err := c.do(ctx, p); err != nil {
		flush()
		fmt.Fprintf(sys.stderr, "roster %s: %v\n", name, err)
		return 1
	}
	return 0
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// checkURL has the store read the database's URL, which it does better than a pattern would.
func checkURL(c config.Config) []string {
	if c.DatabaseURL == "" {
		return nil
	}
	store, err := db.Open(db.Options{URL: c.DatabaseURL.Reveal()})
	if err != nil {
		return []string{"DATABASE_URL: " + strings.TrimPrefix(err.Error(), "db: ")}
	}
	_ = store.Close() // it has not connected
	return nil
}

// checkReplicas does so for those of the replicas.
func checkReplicas(c config.Config) (problems []string) {
	for n, url := range config.URLs(c.Standbys) {
		store, err := db.Open(db.Options{URL: url})
		if err != nil {
			problems = append(problems, fmt.Sprintf("DATABASE_REPLICA_URL: URL %d: %s", n+1, strings.TrimPrefix(err.Error(), "db: ")))
			continue
		}
		_ = store.Close()
	}
	return problems
}

// checkIssuers has the file of issuers read by who knows what has to be in it.
func checkIssuers(c config.Config) []string {
	_, err := auth.ReadIssuers(c.Issuers)
	var problems auth.Problems
	errors.As(err, &problems)
	for n := range problems {
		problems[n] = "ROSTER_ISSUERS: " + problems[n]
	}
	return problems
}

// checkAllowed has where webhooks may lead read by who sends them.
func checkAllowed(c config.Config) []string {
	if _, err := webhook.ParseAllow(c.WebhooksAllow); err != nil {
		return []string{"ROSTER_WEBHOOKS_ALLOW: " + err.Error()}
	}
	return nil
}

func misused(sys system, problems []string) int {
	for _, p := range problems {
		fmt.Fprintln(sys.stderr, "roster:", p)
	}
	fmt.Fprintln(sys.stderr, "roster: -h shows the commands and the settings")
	return 2
}

// help shows what there is to know of one command, or of all.
func help(sys system, name string) int {
	w := sys.stdout
	c, ok := find(name)
	switch {
	case !ok && name != "":
		return misused(sys, []string{fmt.Sprintf("there is no command %q", name)})
	case !ok || name == "serve":
		fmt.Fprint(w, "Roster is a directory of groups, members, admins and tokens, with a GraphQL API.\n\nUsage: roster [COMMAND] [FLAGS]\n\n")
		for _, c := range commands() {
			fmt.Fprintf(w, "  %s %s\n        %s\n", c.name, c.args, c.meaning)
		}
		fmt.Fprint(w, "  help [COMMAND]\n        show this, or the flags of a command\n")
	default:
		fmt.Fprintf(w, "Usage: roster %s %s\n\n%s.\n\n", c.name, c.args, strings.ToUpper(c.meaning[:1])+c.meaning[1:])
		fs := flag.NewFlagSet(name, flag.ContinueOnError)
		fs.SetOutput(w)
		c.flags(fs)
		fs.PrintDefaults()
	}
	fmt.Fprint(w, "\nSettings of all commands; a flag wins over its variable:\n\n")
	if err := config.Describe(w, sys.getenv); err != nil {
		return 1
	}
	return 0
}
