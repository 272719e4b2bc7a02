package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The shortest secrets, in characters, and the longest administrator's token, in bytes.
const (
	minToken = 20
	maxToken = 4096
	minKey   = 32

	minRetention = time.Hour
	minTokenLife = time.Hour

	maxOperations = 1_000
	maxDays       = 3_650
)

// setting is one line of the table.
type setting struct {
	flag      string // without the dash; none for a secret of its own: others can read command lines
	env       string
	byDefault string
	meaning   string
	to        any                     // a pointer to the field
	check     func(text string) error // nil: anything that the field's type can hold
}

// settings is the table. The fields are c's.
func (c *Config) settings(getenv func(string) string) []setting {
	return []setting{
		{"addr", "ROSTER_ADDR", "127.0.0.1:8080", "where to listen, host:port; port 0 takes a free one", &c.Addr, address},
		{"database-url", "DATABASE_URL", "", "postgres://… to use instead of the embedded Postgres", &c.DatabaseURL, optional(postgresURL)},
		{"database-pooled", "DATABASE_POOLED", "false", "that URL is of a pooler in transaction mode, such as PgBouncer; docs/pooler.md", &c.DatabasePooled, nil},
		{"database-replica-url", "DATABASE_REPLICA_URL", "", "postgres://… of streaming replicas that answer reads, by white space; docs/replicas.md", &c.Standbys, optional(postgresURLs)},
		{"replica-max-lag", "ROSTER_REPLICA_MAX_LAG", "1s", "how far behind a replica may be that answers", &c.MaxLag, someTime},
		{"replica-wait", "ROSTER_REPLICA_WAIT", "100ms", "how long a read with a token of consistency waits for a replica before the database answers it", &c.ReplicaWait, nil},
		{"replica-alone", "ROSTER_REPLICA_ALONE", "10m", "how long replicas go on answering while the database is away", &c.ReadsAlone, nil},
		{"data", "ROSTER_DATA", dataDir(getenv, runtime.GOOS, os.Geteuid(), searchable), "directory of the embedded Postgres", &c.Data, nil},
		{"pg-bin", "PG_BIN", "", "directory of the embedded Postgres's initdb; empty: search, then download", &c.PGBin, optional(directory)},
		{"migrate", "ROSTER_MIGRATE", "true", "bring the schema up to this program at the start", &c.Migrate, nil},
		{"", "ROSTER_ADMIN_TOKEN", "", "the first administrator's token, 20 characters or more; empty: one is made and printed once", &c.AdminToken, optional(adminToken)},
		{"", "ROSTER_TOKEN_KEY", "", "key of the token hashes, 32 characters or more; empty: the database keeps one", &c.TokenKey, optional(tokenKey)},
		{"", "ROSTER_TOKEN_KEY_PREVIOUS", "", "the keys before it, a line each, whose tokens are still taken; docs/tokens.md says how keys are changed", &c.PreviousTokenKeys, optional(tokenKeys)},
		{"max-token-life", "ROSTER_MAX_TOKEN_LIFE", "0", "the longest that a new token may live, such as 2160h; 0: any time", &c.MaxTokenLife, tokenLife},
		{"tls-cert", "ROSTER_TLS_CERT", "", "a file with the certificate and its chain, in PEM; read again when it changes; empty: plain HTTP", &c.TLSCert, nil},
		{"tls-key", "ROSTER_TLS_KEY", "", "a file with its private key", &c.TLSKey, nil},
		{"issuers", "ROSTER_ISSUERS", "", "JSON file of the issuers whose JWTs are taken, as docs/identity.md says; empty: only Roster's own tokens", &c.Issuers, nil},
		{"cors-origins", "ROSTER_CORS_ORIGINS", "", "origins of browser pages that may call, https://host[:port], by commas", &c.CORSOrigins, origins},
		{"introspection", "ROSTER_INTROSPECTION", "on", "who may read the GraphQL schema: on, administrators or off", &c.Introspection, nil},
		{"max-cost", "ROSTER_MAX_COST", "250000", "points that a GraphQL operation may cost", &c.MaxCost, atLeast(1)},
		{"timeout", "ROSTER_TIMEOUT", "10s", "how long a GraphQL operation may take", &c.Timeout, someTime},
		{"points-per-minute", "ROSTER_POINTS_PER_MINUTE", "0", "points that a caller may spend; 0: any number", &c.PointsPerMinute, atLeast(0)},
		{"failures-per-minute", "ROSTER_FAILURES_PER_MINUTE", "600", "wrong credentials that an address may send; 0: any number", &c.FailuresPerMinute, atLeast(0)},
		{"trusted-proxies", "ROSTER_TRUSTED_PROXIES", "", "networks of proxies whose X-Forwarded-For says the client's address, such as 10.0.0.0/8, by commas", &c.TrustedProxies, networks},
		{"max-streams-per-caller", "ROSTER_MAX_STREAMS_PER_CALLER", "100", "subscriptions that a caller may have open at once", &c.StreamsPerCaller, atLeast(1)},
		{"max-streams", "ROSTER_MAX_STREAMS", "5000", "subscriptions that all callers together may have open at once", &c.Streams, atLeast(1)},
		{"documents", "ROSTER_DOCUMENTS", "", "a JSON file of GraphQL documents by id, which requests may name", &c.Documents, nil},
		{"ad-hoc", "ROSTER_AD_HOC", "on", "who may send documents that are not in that file: on, administrators or off", &c.AdHoc, nil},
		{"changes-retention", "ROSTER_CHANGES_RETENTION", "0s", "how long changes are kept at least, such as 720h; 0s: for ever", &c.ChangesRetention, retention},
		{"restore-days", "ROSTER_RESTORE_DAYS", "30", "how many days deleted groups are kept for, so that restoreGroup can bring them back; 0: they are gone at once", &c.RestoreDays, days},
		{"webhooks-allow", "ROSTER_WEBHOOKS_ALLOW", "", "networks and hosts beyond the public internet that webhooks may lead to, by http too, such as 10.0.0.0/8, by commas", &c.WebhooksAllow, nil},
		{"door-cds", "ROSTER_DOOR_CDS", "on", "the OVH CDS API: on, off, /prefix, host or host/prefix", &c.CDS, nil},
		{"door-entrust", "ROSTER_DOOR_ENTRUST", "on", "the Entrust IDaaS API, likewise", &c.Entrust, nil},
		{"door-authress", "ROSTER_DOOR_AUTHRESS", "on", "the Authress API, likewise", &c.Authress, nil},
		{"door-d4science", "ROSTER_DOOR_D4SCIENCE", "on", "the D4Science StorageHub API, likewise", &c.D4Science, nil},
		{"door-enterprise-tester", "ROSTER_DOOR_ENTERPRISE_TESTER", "on", "the Enterprise Tester API, likewise", &c.EnterpriseTester, nil},
		{"cds-default-group", "ROSTER_CDS_DEFAULT_GROUP", "", "the group that CDS's withoutDefault leaves out", &c.CDSDefaultGroup, nil},
		{"doors-deprecation", "ROSTER_DOORS_DEPRECATION", "", "Deprecation header of every door's answers, such as @1767225600; empty: none", &c.Deprecation, header},
		{"doors-link", "ROSTER_DOORS_LINK", "", "Link header of every door's answers; empty: none", &c.Link, header},
		{"metrics-addr", "ROSTER_METRICS_ADDR", "", "where to serve metrics and probes to operators, host:port, such as 127.0.0.1:9464; empty: nowhere", &c.MetricsAddr, optional(address)},
		{"metrics-operations", "ROSTER_METRICS_OPERATIONS", "", "names of GraphQL operations that metrics tell apart, by commas; empty: the first 100 that callers send", &c.MetricsOperations, operationNames},
		{"pprof", "ROSTER_PPROF", "false", "serve profiles there, at /debug/pprof/", &c.Pprof, nil},
		{"slow-statement", "ROSTER_SLOW_STATEMENT", "500ms", "from how long on an SQL statement is logged, without its values; 0s: never", &c.SlowStatement, nil},
		{"drain-delay", "ROSTER_DRAIN_DELAY", "0s", "how long requests are still taken after SIGTERM while /readyz says no already, for load balancers to notice", &c.DrainDelay, nil},
		{"log-level", "ROSTER_LOG_LEVEL", "info", "debug, info, warn or error", &c.LogLevel, nil},
		{"log-format", "ROSTER_LOG_FORMAT", "text", "text or json", &c.LogFormat, logFormat},
	}
}

// read puts the text into the field. What it says of a bad one never quotes a secret.
func (s setting) read(text string) error {
	if s.check != nil {
		if err := s.check(text); err != nil {
			return err
		}
	}
	switch to := s.to.(type) {
	case *string:
		*to = text
	case *Secret:
		*to = Secret(text)
	case *[]string:
		*to = list(text)
	case *Door:
		v, err := parseDoor(text)
		if err != nil {
			return err
		}
		*to = v
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*to = v
	case *Audience:
		v, err := parseAudience(text)
		if err != nil {
			return err
		}
		*to = v
	case *int:
		v, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*to = v
	case *time.Duration:
		v, err := time.ParseDuration(text)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is not a length of time, such as 10s", text)
		}
		*to = v
	case *slog.Level:
		if err := to.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is none of debug, info, warn, error", text)
		}
	default:
		return fmt.Errorf("config: nothing reads a %T", to)
	}
	return nil
}

// value is what the field holds.
func (s setting) value() any {
	switch to := s.to.(type) {
	case *string:
		return *to
	case *Secret:
		return *to
	case *[]string:
		return *to
	case *bool:
		return *to
	case *Audience:
		return *to
	case *int:
		return *to
	case *time.Duration:
		return *to
	case *Door:
		return to.String()
	case *slog.Level:
		return *to
	}
	return nil
}

// optional is a check that lets nothing pass.
func optional(check func(string) error) func(string) error {
	return func(text string) error {
		if text == "" {
			return nil
		}
		return check(text)
	}
}

// atLeast is a check of numbers; what is none is for read to say.
func atLeast(least int) func(string) error {
	return func(text string) error {
		if n, err := strconv.Atoi(text); err == nil && n < least {
			return fmt.Errorf("%d is less than %d", n, least)
		}
		return nil
	}
}

// days is a check of numbers of days.
func days(text string) error {
	if n, err := strconv.Atoi(text); err == nil && (n < 0 || n > maxDays) {
		return fmt.Errorf("%d is not a number of days from 0 to %d", n, maxDays)
	}
	return nil
}

// list splits at commas and white space.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

func address(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as 127.0.0.1:8080", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port from 0 to 65535", port)
	}
	return nil
}

// postgresURL looks at the form alone; the store reads the rest.
func postgresURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return errors.New("it is not of the form postgres://user:password@host:port/database, with what is special in the password percent-encoded")
	}
	return nil
}

// postgresURLs are several.
func postgresURLs(text string) error {
	for n, u := range URLs(Secret(text)) {
		if err := postgresURL(u); err != nil {
			return fmt.Errorf("URL %d: %w", n+1, err)
		}
	}
	return nil
}

// URLs are the URLs of a setting that holds several. What else could part them, URLs may contain.
func URLs(s Secret) []string { return strings.Fields(s.Reveal()) }

func directory(text string) error {
	if info, err := os.Stat(text); err != nil || !info.IsDir() {
		return fmt.Errorf("%q is not a directory", text)
	}
	return nil
}

func adminToken(text string) error {
	switch n := utf8.RuneCountInString(text); {
	case n < minToken:
		return fmt.Errorf("it has %d characters; a token has at least %d", n, minToken)
	case len(text) > maxToken:
		return fmt.Errorf("it has %d bytes; a token has at most %d", len(text), maxToken)
	}
	return nil
}

func tokenKey(text string) error {
	if n := utf8.RuneCountInString(text); n < minKey {
		return fmt.Errorf("it has %d characters; a key has at least %d", n, minKey)
	}
	return nil
}

// Keys are the keys of a setting that holds one a line.
func Keys(s Secret) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(s.Reveal(), "\r\n", "\n"), "\n"), func(k string) bool { return k == "" })
}

func tokenKeys(text string) error {
	for i, key := range Keys(Secret(text)) {
		if err := tokenKey(key); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// tokenLife refuses what would end a SESSION before its hour, or a token before anybody could use it.
func tokenLife(text string) error {
	if d, err := time.ParseDuration(text); err == nil && d > 0 && d < minTokenLife {
		return fmt.Errorf("%s is less than %s", d, minTokenLife)
	}
	return nil
}

// Networks are the networks of a setting that was checked.
func Networks(texts []string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		if p, err := network(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// network is a network, or one address.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

func networks(text string) error {
	for _, n := range list(text) {
		if _, err := network(n); err != nil {
			return fmt.Errorf("%q is no network, such as 10.0.0.0/8, and no address", n)
		}
	}
	return nil
}

// origins are compared with the browser's Origin header letter by letter, so that each has to be spelt as browsers do.
func origins(text string) error {
	var wrong []string
	for _, o := range list(text) {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.ContainsRune(o, '*') ||
			o != u.Scheme+"://"+strings.ToLower(u.Host) {
			wrong = append(wrong, strconv.Quote(o))
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s: an origin is https://host or https://host:port, in lower case", strings.Join(wrong, ", "))
	}
	return nil
}

func someTime(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		return fmt.Errorf("%q is not a length of time, such as 10s", text)
	}
	return nil
}

// retention refuses to drop what somebody may still be reading.
func retention(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration, such as 720h", text)
	case d != 0 && d < minRetention:
		return fmt.Errorf("%q is less than %v", text, minRetention)
	}
	return nil
}

// operationNames are names as GraphQL has them, no more than a registry can bear.
func operationNames(text string) error {
	names := list(text)
	if len(names) > maxOperations {
		return fmt.Errorf("there are %d names; at most %d are told apart", len(names), maxOperations)
	}
	for _, name := range names {
		if !operationName.MatchString(name) {
			return fmt.Errorf("%q is not the name of a GraphQL operation, of at most 64 characters", name)
		}
	}
	return nil
}

var operationName = regexp.MustCompile(`^[_A-Za-z][_0-9A-Za-z]{0,63}$`)

func logFormat(text string) error {
	if text != "text" && text != "json" {
		return fmt.Errorf("%q is neither text nor json", text)
	}
	return nil
}

// header refuses what cannot stand in a header.
func header(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%q is not the value of a header", text)
	}
	return nil
}
