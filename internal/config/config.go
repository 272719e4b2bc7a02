// Package config is every setting of Roster: one struct, filled from flags, then the environment, then defaults.
//
// The table in settings.go says each setting once: its flag, its variable, its default, what it means, where it goes and
// what it must be like. Parsing, -h and the line that a start logs all go by it. A new setting is a field here and a
// line there.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"
)

// Config is every setting, read and checked.
type Config struct {
	Addr        string
	DatabaseURL Secret // empty: the embedded Postgres
	// DatabasePooled says that it is the URL of a pooler in transaction mode.
	DatabasePooled bool
	Standbys       Secret // URLs of databases that follow it, by white space
	MaxLag         time.Duration
	ReplicaWait    time.Duration
	ReadsAlone     time.Duration
	Data           string // the directory of the embedded Postgres
	PGBin          string // empty: search
	Migrate        bool
	AdminToken     Secret // empty: one is made at the first start
	TokenKey       Secret // empty: the database keeps one
	// PreviousTokenKeys are those that tokens may still be kept under, or soon will be, a line each.
	PreviousTokenKeys Secret
	MaxTokenLife      time.Duration // 0: any time

	Issuers     string // the file of issuers whose tokens are taken; empty: none
	TLSCert     string // a file, as is TLSKey; empty: plain HTTP
	TLSKey      string
	CORSOrigins []string

	// What GraphQL takes.
	Introspection     Audience
	MaxCost           int // points of one operation
	Timeout           time.Duration
	PointsPerMinute   int      // of one caller; 0: any number
	StreamsPerCaller  int      // subscriptions open at once
	Streams           int      // and of all callers
	FailuresPerMinute int      // of one address; 0: any number
	TrustedProxies    []string // networks
	Documents         string   // a file; empty: none
	AdHoc             Audience // who may send documents that are not in it

	ChangesRetention time.Duration // 0: changes are kept for ever
	RestoreDays      int           // how long deleted groups can be restored; 0: not at all
	WebhooksAllow    []string      // networks and hosts beyond the public internet

	// Where the legacy APIs are served.
	CDS, Entrust, Authress, D4Science, EnterpriseTester Door
	CDSDefaultGroup                                     string
	Deprecation, Link                                   string // headers of the doors' answers

	// What operations see.
	MetricsAddr       string   // empty: nothing is served
	MetricsOperations []string // names of GraphQL operations that are told apart; empty: the first that come
	Pprof             bool
	SlowStatement     time.Duration // from which a statement is logged; 0: none is
	DrainDelay        time.Duration // between failing readiness and refusing requests

	LogLevel  slog.Level
	LogFormat string // text or json
}

// Problems are all that is wrong with a command line and its environment, one sentence each.
type Problems []string

func (p Problems) Error() string { return strings.Join(p, "\n") }

// Parse reads the settings. Flags win over the environment, in which an empty variable is an absent one. fs holds the
// flags of the command itself; those of the settings are added to it. Flags may stand before, between and after the
// arguments, which are returned. Whatever is wrong comes back as Problems, all of it at once; -h is flag.ErrHelp.
func Parse(fs *flag.FlagSet, args []string, getenv func(string) string) (Config, []string, error) {
	var c Config
	table := c.settings(getenv)
	given := map[string]*text{}
	for _, s := range table {
		if s.flag != "" {
			_, boolean := s.to.(*bool)
			given[s.flag] = &text{boolean: boolean}
			fs.Var(given[s.flag], s.flag, s.meaning)
		}
	}
	rest, problems, err := parseFlags(fs, args)
	if err != nil {
		return c, nil, err
	}
	for _, s := range table {
		name, value := s.env, getenv(s.env)
		if t := given[s.flag]; t != nil && t.set {
			name, value = "-"+s.flag, t.value
		} else if value == "" {
			value = s.byDefault
		}
		if err := s.read(value); err != nil {
			problems = append(problems, name+": "+err.Error())
		}
	}
	if problems = append(problems, c.conflicts()...); len(problems) > 0 {
		return c, rest, problems
	}
	return c, rest, nil
}

// conflicts are settings that are right by themselves and wrong together.
func (c Config) conflicts() (problems []string) {
	for _, rule := range []struct {
		broken  bool
		problem string
	}{
		{c.DatabaseURL == "" && c.Data == "", "ROSTER_DATA: there is no home directory to put the data in; name a directory, or set DATABASE_URL"},
		{c.DatabaseURL == "" && c.Standbys != "", "DATABASE_REPLICA_URL: the embedded Postgres has no replicas; set DATABASE_URL as well"},
		{(c.TLSCert == "") != (c.TLSKey == ""), "ROSTER_TLS_CERT, ROSTER_TLS_KEY: give both or neither"},
		{c.Documents == "" && c.AdHoc != "" && c.AdHoc != "on", "ROSTER_AD_HOC: name the documents that are taken in ROSTER_DOCUMENTS, or nothing would be"},
		{c.Pprof && c.MetricsAddr == "", "ROSTER_PPROF: profiles are served where metrics are; say where in ROSTER_METRICS_ADDR"},
		{c.PointsPerMinute > 0 && c.PointsPerMinute < c.MaxCost, "ROSTER_POINTS_PER_MINUTE: it is less than ROSTER_MAX_COST; nobody could ever pay for that"},
	} {
		if rule.broken {
			problems = append(problems, rule.problem)
		}
	}
	return problems
}

// parseFlags goes on where package flag stops: after an argument, and after a flag that is wrong.
func parseFlags(fs *flag.FlagSet, args []string) (rest []string, problems Problems, err error) {
	fs.SetOutput(io.Discard)
	for {
		err := fs.Parse(args)
		left := fs.Args()
		switch taken := args[:len(args)-len(left)]; {
		case errors.Is(err, flag.ErrHelp):
			return nil, nil, err
		case err != nil:
			problems = append(problems, err.Error())
			args = left
		case len(left) == 0, len(taken) > 0 && taken[len(taken)-1] == "--":
			return append(rest, left...), problems, nil
		default:
			rest = append(rest, left[0])
			args = left[1:]
		}
	}
}

// text keeps what a flag was given. Reading it is the setting's business, together with all others.
type text struct {
	value        string
	set, boolean bool
}

func (t *text) String() string   { return t.value }
func (t *text) IsBoolFlag() bool { return t.boolean }
func (t *text) Set(value string) error {
	t.value, t.set = value, true
	return nil
}

// Describe writes the table of settings for people.
func Describe(w io.Writer, getenv func(string) string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  FLAG\tENVIRONMENT\tDEFAULT\tMEANING")
	for _, s := range new(Config).settings(getenv) {
		name := "-" + s.flag
		if s.flag == "" {
			name = ""
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", name, s.env, s.byDefault, s.meaning)
	}
	return t.Flush()
}

// LogValue is what a start logs: the settings that are not the default ones, secrets as whether they are set.
func (c Config) LogValue() slog.Value {
	none := func(string) string { return "" }
	var attrs []slog.Attr
	for i, s := range new(Config).settings(none) {
		_ = s.read(s.byDefault) // a default is right
		if v := c.settings(none)[i].value(); !reflect.DeepEqual(v, s.value()) {
			attrs = append(attrs, slog.Any(s.env, v))
		}
	}
	return slog.GroupValue(attrs...)
}
