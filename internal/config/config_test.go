package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{"HOME": "/home/ada"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func parse(t *testing.T, getenv func(string) string, args ...string) (Config, []string, error) {
	t.Helper()
	return Parse(flag.NewFlagSet("test", flag.ContinueOnError), args, getenv)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, rest, err := parse(t, env("XDG_DATA_HOME", "/data"))
	if err != nil || len(rest) > 0 {
		t.Fatal(rest, err)
	}
	want := Config{
		Addr: "127.0.0.1:8080", Data: "/data/roster", Migrate: true, LogLevel: slog.LevelInfo, LogFormat: "text", CORSOrigins: []string{}, FailuresPerMinute: 600, TrustedProxies: []string{},
		Introspection: "on", MaxCost: 250_000, Timeout: 10 * time.Second, AdHoc: "on", StreamsPerCaller: 100, Streams: 5_000,
		MetricsOperations: []string{}, SlowStatement: 500 * time.Millisecond, WebhooksAllow: []string{}, RestoreDays: 30,
		MaxLag: time.Second, ReplicaWait: 100 * time.Millisecond, ReadsAlone: 10 * time.Minute,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A flag wins over its variable, which wins over the default; an empty variable is none.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	getenv := env("ROSTER_ADDR", ":1", "ROSTER_DATA", "/env", "ROSTER_LOG_LEVEL", "", "ROSTER_INTROSPECTION", "0")
	c, _, err := parse(t, getenv, "-addr", ":2", "-migrate=false")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Addr, c.Data, c.LogLevel, c.Introspection, c.Migrate}
	if d := cmp.Diff([]any{":2", "/env", slog.LevelInfo, Audience("off"), false}, got); d != "" {
		t.Error(d)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"file -data d", "file"},
		{"-data d file", "file"},
		{"one -data d two", "one two"},
		{"-", "-"},
		{"-data d -- -addr x", "-addr x"},
		{"one -- -two", "one -two"},
	} {
		c, rest, err := parse(t, env(), strings.Fields(test.args)...)
		if err != nil || strings.Join(rest, " ") != test.want || strings.Contains(test.args, "-data") != (c.Data == "d") {
			t.Errorf("%s: arguments %q, data %q, %v", test.args, rest, c.Data, err)
		}
	}
}

func TestSecretsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	const token, key = " twenty characters: é", "0123456789 0123456789 0123456789 "
	c, _, err := parse(t, env("ROSTER_ADMIN_TOKEN", token, "ROSTER_TOKEN_KEY", key))
	if err != nil || c.AdminToken.Reveal() != token || c.TokenKey.Reveal() != key {
		t.Errorf("%q %q %v", c.AdminToken.Reveal(), c.TokenKey.Reveal(), err)
	}
}

// Everything that is wrong is said at once, and no secret with it.
func TestProblems(t *testing.T) {
	t.Parallel()
	getenv := env("ROSTER_ADDR", "8080", "DATABASE_URL", "mysql://me:hush@host/db", "PG_BIN", "/none", "ROSTER_MIGRATE", "maybe",
		"ROSTER_ADMIN_TOKEN", "hush hush", "ROSTER_TOKEN_KEY", "hush", "ROSTER_CORS_ORIGINS", "*,https://a.example/, http://ok.example:1",
		"ROSTER_INTROSPECTION", "some", "ROSTER_LOG_LEVEL", "loud")
	_, _, err := parse(t, getenv, "-nonsense", "-log-format", "xml", "-data")
	var got Problems
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	want := Problems{
		"flag provided but not defined: -nonsense",
		"flag needs an argument: -data",
		`ROSTER_ADDR: "8080" is not host:port, such as 127.0.0.1:8080`,
		"DATABASE_URL: it is not of the form postgres://user:password@host:port/database, with what is special in the password percent-encoded",
		`PG_BIN: "/none" is not a directory`,
		`ROSTER_MIGRATE: "maybe" is neither true nor false`,
		"ROSTER_ADMIN_TOKEN: it has 9 characters; a token has at least 20",
		"ROSTER_TOKEN_KEY: it has 4 characters; a key has at least 32",
		`ROSTER_CORS_ORIGINS: "*", "https://a.example/": an origin is https://host or https://host:port, in lower case`,
		`ROSTER_INTROSPECTION: "some" is none of on, administrators and off`,
		`ROSTER_LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		`-log-format: "xml" is neither text nor json`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if strings.Contains(err.Error(), "hush") {
		t.Error("a secret is in the problems")
	}
}

func TestWrongAddresses(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "localhost", "1.2.3.4", "host:65536", "host:-1", "host:http", "::1:8080"} {
		if _, _, err := parse(t, env(), "-addr", addr); err == nil {
			t.Errorf("%q is accepted", addr)
		}
	}
}

func TestNoHome(t *testing.T) {
	t.Parallel()
	_, _, err := parse(t, env("HOME", ""), "-data", "")
	if err == nil || !strings.HasPrefix(err.Error(), "ROSTER_DATA: ") {
		t.Error(err)
	}
	if _, _, err := parse(t, env("HOME", "", "DATABASE_URL", "postgres://u@h/d"), "-data", ""); err != nil {
		t.Error(err)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	if _, _, err := parse(t, env("ROSTER_ADDR", "wrong"), "-h"); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	var b bytes.Buffer
	if err := Describe(&b, env("DATABASE_URL", "postgres://me:hush@host/db")); err != nil {
		t.Fatal(err)
	}
	for _, s := range new(Config).settings(env()) {
		for _, part := range []string{s.flag, s.env, s.byDefault, s.meaning} {
			if !strings.Contains(b.String(), part) {
				t.Errorf("the help lacks %q", part)
			}
		}
	}
	if strings.Contains(b.String(), "hush") {
		t.Error("the help holds a secret")
	}
}

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	c := Config{AdminToken: "hush", TokenKey: "hush", DatabaseURL: "hush"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, c, c.AdminToken)
	}
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "config", c, "token", c.AdminToken)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "config", c, "token", c.AdminToken)
	if strings.Contains(out.String(), "hush") || strings.Contains(out.String(), "68757368") {
		t.Error(out.String())
	}
	if !strings.Contains(out.String(), "config.ROSTER_ADMIN_TOKEN=(set)") {
		t.Error(out.String())
	}
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	open, closed := func(string) bool { return true }, func(string) bool { return false }
	for _, test := range []struct {
		name, xdg, home, goos string
		euid                  int
		searchable            func(string) bool
		want                  string
	}{
		{"Linux", "", "/home/ada", "linux", 1000, closed, "/home/ada/.local/share/roster"},
		{"macOS", "", "/Users/ada", "darwin", 501, closed, "/Users/ada/Library/Application Support/roster"},
		{"XDG", "/data", "/home/ada", "linux", 1000, closed, "/data/roster"},
		{"XDGRelative", "data", "/home/ada", "linux", 1000, closed, "/home/ada/.local/share/roster"},
		{"NoHome", "", "", "linux", 1000, closed, ""},
		{"Root", "", "/root", "linux", 0, closed, "/var/lib/roster"},
		{"RootXDG", "/data", "/root", "linux", 0, closed, "/data/roster"},
		{"RootElsewhere", "", "/srv/roster", "linux", 0, open, "/srv/roster/.local/share/roster"},
		{"RootNoHome", "", "", "linux", 0, open, "/var/lib/roster"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := dataDir(env("XDG_DATA_HOME", test.xdg, "HOME", test.home), test.goos, test.euid, test.searchable)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestSearchable(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "closed", "open")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if searchable(dir) || searchable(filepath.Join(dir, "none")) || !searchable("/") {
		t.Error("wrong about who may pass")
	}
}

// The README's table is the table's.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, s := range new(Config).settings(env()) {
		flag := "|"
		if s.flag != "" {
			flag = "| `-" + s.flag + "`"
		}
		if row := "\n" + flag + " | `" + s.env + "` | "; !strings.Contains(string(text), row) {
			t.Errorf("the README lacks %s", row)
		}
		rows++
	}
	if n := strings.Count(string(text), "\n| ") - 2; n != rows {
		t.Errorf("the README's table has %d rows, for %d settings", n, rows)
	}
}

// Settings of limits, at the edge of what they take and beyond, and those that do not go together.
func TestLimitSettings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		set     []string
		problem string
	}{
		{[]string{"ROSTER_MAX_COST", "1"}, ""},
		{[]string{"ROSTER_MAX_COST", "0"}, "ROSTER_MAX_COST: 0 is less than 1"},
		{[]string{"ROSTER_MAX_COST", "many"}, `ROSTER_MAX_COST: "many" is not a number`},
		{[]string{"ROSTER_TIMEOUT", "1ms"}, ""},
		{[]string{"ROSTER_TIMEOUT", "0s"}, `ROSTER_TIMEOUT: "0s" is not a length of time, such as 10s`},
		{[]string{"ROSTER_TIMEOUT", "10"}, `ROSTER_TIMEOUT: "10" is not a length of time, such as 10s`},
		{[]string{"ROSTER_POINTS_PER_MINUTE", "250000"}, ""},
		{[]string{"ROSTER_POINTS_PER_MINUTE", "-1"}, "ROSTER_POINTS_PER_MINUTE: -1 is less than 0"},
		{[]string{"ROSTER_POINTS_PER_MINUTE", "249999"}, "ROSTER_POINTS_PER_MINUTE: it is less than ROSTER_MAX_COST; nobody could ever pay for that"},
		{[]string{"ROSTER_INTROSPECTION", "administrators"}, ""},
		{[]string{"ROSTER_INTROSPECTION", "true"}, ""},
		{[]string{"ROSTER_INTROSPECTION", "viewers"}, `ROSTER_INTROSPECTION: "viewers" is none of on, administrators and off`},
		{[]string{"ROSTER_AD_HOC", "off", "ROSTER_DOCUMENTS", "x.json"}, ""},
		{[]string{"ROSTER_AD_HOC", "off"}, "ROSTER_AD_HOC: name the documents that are taken in ROSTER_DOCUMENTS, or nothing would be"},
		{[]string{"ROSTER_TLS_CERT", "a", "ROSTER_TLS_KEY", "b"}, ""},
		{[]string{"ROSTER_TLS_KEY", "b"}, "ROSTER_TLS_CERT, ROSTER_TLS_KEY: give both or neither"},
		{[]string{"ROSTER_MAX_TOKEN_LIFE", "1h"}, ""},
		{[]string{"ROSTER_MAX_TOKEN_LIFE", "-1h"}, `ROSTER_MAX_TOKEN_LIFE: "-1h" is not a length of time, such as 10s`},
		{[]string{"ROSTER_RESTORE_DAYS", "0"}, ""},
		{[]string{"ROSTER_RESTORE_DAYS", "3650"}, ""},
		{[]string{"ROSTER_RESTORE_DAYS", "3651"}, "ROSTER_RESTORE_DAYS: 3651 is not a number of days from 0 to 3650"},
		{[]string{"ROSTER_RESTORE_DAYS", "-1"}, "ROSTER_RESTORE_DAYS: -1 is not a number of days from 0 to 3650"},
		{[]string{"ROSTER_RESTORE_DAYS", "30d"}, `ROSTER_RESTORE_DAYS: "30d" is not a number`},
		{[]string{"ROSTER_FAILURES_PER_MINUTE", "-1"}, "ROSTER_FAILURES_PER_MINUTE: -1 is less than 0"},
		{[]string{"ROSTER_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32 ::1,127.0.0.1"}, ""},
		{[]string{"ROSTER_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"}, `ROSTER_TRUSTED_PROXIES: "proxy.example" is no network, such as 10.0.0.0/8, and no address`},
		{[]string{"ROSTER_MAX_TOKEN_LIFE", "59m"}, "ROSTER_MAX_TOKEN_LIFE: 59m0s is less than 1h0m0s"},
		{[]string{"ROSTER_MAX_TOKEN_LIFE", "90d"}, `ROSTER_MAX_TOKEN_LIFE: "90d" is not a length of time, such as 10s`},
		{[]string{"ROSTER_TOKEN_KEY_PREVIOUS", strings.Repeat("k", 32) + "\n\n" + strings.Repeat(",", 32) + "\n"}, ""},
		{[]string{"ROSTER_TOKEN_KEY_PREVIOUS", strings.Repeat("k", 32) + "\nhush"}, "ROSTER_TOKEN_KEY_PREVIOUS: line 2: it has 4 characters; a key has at least 32"},
		{[]string{"ROSTER_PPROF", "true", "ROSTER_METRICS_ADDR", "127.0.0.1:0"}, ""},
		{[]string{"ROSTER_PPROF", "true"}, "ROSTER_PPROF: profiles are served where metrics are; say where in ROSTER_METRICS_ADDR"},
		{[]string{"ROSTER_METRICS_ADDR", "9464"}, `ROSTER_METRICS_ADDR: "9464" is not host:port, such as 127.0.0.1:8080`},
		{[]string{"ROSTER_METRICS_OPERATIONS", "Groups, _2,x"}, ""},
		{[]string{"ROSTER_METRICS_OPERATIONS", "Groups,two-words"}, `ROSTER_METRICS_OPERATIONS: "two-words" is not the name of a GraphQL operation, of at most 64 characters`},
		{[]string{"ROSTER_DRAIN_DELAY", "-1s"}, `ROSTER_DRAIN_DELAY: "-1s" is not a length of time, such as 10s`},
		{[]string{"ROSTER_CORS_ORIGINS", "*"}, `ROSTER_CORS_ORIGINS: "*": an origin is https://host or https://host:port, in lower case`},
	} {
		_, _, err := parse(t, env(row.set...))
		if got := fmt.Sprint(err); got != row.problem && (row.problem != "" || err != nil) {
			t.Errorf("%v: %v", row.set, err)
		}
	}
}
