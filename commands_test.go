package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"roster/internal/auth/authtest"
)

// Whatever is wrong is said at once, before anything is done, with exit code 2 and without a secret.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	none := settings{"ROSTER_DATA": filepath.Join(t.TempDir(), "data")}
	for _, test := range []struct {
		name string
		settings
		args []string
		want []string
	}{
		{"Settings", settings{"ROSTER_ADDR": "8080", "ROSTER_ADMIN_TOKEN": "hush", "ROSTER_TOKEN_KEY": "hush", "ROSTER_MIGRATE": "maybe"},
			[]string{"-log-level", "loud", "-what", "-log-format=xml"},
			[]string{"-what", "ROSTER_ADDR: ", "ROSTER_ADMIN_TOKEN: ", "ROSTER_TOKEN_KEY: ", "ROSTER_MIGRATE: ", "-log-level: ", "-log-format: "}},
		{"URL", settings{"DATABASE_URL": "postgres://me:hush@/"}, nil, []string{"DATABASE_URL: the database URL must name one user, one host"}},
		{"Issuers", settings{"DATABASE_URL": "postgres://me:hush@/", "ROSTER_ISSUERS": authtest.File(t, map[string]any{"issuer": "ftp://x"})}, nil,
			[]string{"DATABASE_URL: ", "ROSTER_ISSUERS: issuer 1, ftp://x: audience: ", "ROSTER_ISSUERS: issuer 1, ftp://x: issuer: "}},
		{"WebhooksAllow", settings{"ROSTER_WEBHOOKS_ALLOW": "10.0.0.0/8, 10.0.0.0/99"}, nil, []string{`ROSTER_WEBHOOKS_ALLOW: "10.0.0.0/99" is no network, such as 10.0.0.0/8, no address and no host name`}},
		{"NoIssuers", settings{"ROSTER_ISSUERS": "/none"}, nil, []string{"ROSTER_ISSUERS: open /none: "}},
		{"Command", none, []string{"dance"}, []string{`there is no command "dance"`}},
		{"HelpOnCommand", none, []string{"help", "dance"}, []string{`there is no command "dance"`}},
		{"Argument", none, []string{"serve", "now"}, []string{`unexpected argument "now"`}},
		{"CommandLast", none, []string{"-migrate", "import", "x"}, []string{`unexpected argument "import"`}},
		{"ImportNothing", none, []string{"import"}, []string{"import wants one FILE"}},
		{"ImportTwo", none, []string{"import", "a", "b"}, []string{"import wants one FILE"}},
		{"SeedNothing", none, []string{"seed"}, []string{"seed wants either -demo or"}},
		{"SeedBoth", none, []string{"seed", "-demo", "-users", "3"}, []string{"seed wants either -demo or"}},
		{"SeedNegative", none, []string{"seed", "-users", "-3"}, []string{"is not negative"}},
		{"TokenNothing", none, []string{"token"}, []string{"token wants one of -user, -group, -list, -rotate, -revoke"}},
		{"TokenBoth", none, []string{"token", "-user", "a", "-group", "b"}, []string{"token wants one of -user, -group, -list, -rotate, -revoke"}},
		{"TokenOverlap", none, []string{"token", "-user", "a", "-overlap", "1h"}, []string{"-overlap goes with -rotate"}},
		{"TokenValues", settings{"ROSTER_LOG_LEVEL": "loud"}, []string{"token", "-user", "a", "-scopes", "GROUPS_VIEW,ALL", "-expiration", "soon"},
			[]string{"ROSTER_LOG_LEVEL: ", `there is no scope "ALL"`, `"soon" is none of SESSION`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := test.run(t, "", test.args...)
			if got.code != 2 || got.stdout != "" {
				t.Errorf("exit code %d, %s", got.code, got.stdout)
			}
			for _, want := range test.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("%q is not in\n%s", want, got.stderr)
				}
			}
			if strings.Contains(got.stderr, "hush") {
				t.Errorf("a secret was printed:\n%s", got.stderr)
			}
		})
	}
}

// -h shows the whole surface, and no value of the environment.
func TestHelp(t *testing.T) {
	t.Parallel()
	with := settings{"HOME": "/home/ada", "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_LOG_LEVEL": "wrong, but who cares"}
	all := []string{
		"serve", "migrate [-down]", "import [-dry-run] FILE", "seed -demo", "check [-json]", "epoch", "token -user NAME", "help",
		"-addr", "ROSTER_ADDR", "127.0.0.1:8080", "DATABASE_URL", "-data", "ROSTER_DATA", "roster", "PG_BIN", "ROSTER_MIGRATE",
		"ROSTER_ADMIN_TOKEN", "ROSTER_TOKEN_KEY", "ROSTER_CORS_ORIGINS", "ROSTER_INTROSPECTION", "ROSTER_LOG_LEVEL", "ROSTER_LOG_FORMAT",
	}
	for _, test := range []struct {
		args string
		want []string
	}{
		{"-h", all},
		{"--help", all},
		{"help", all},
		{"serve -h", all},
		{"token -h", []string{"-expiration", "-scopes", "TOKENS_EDIT", "-revoke", "-data"}},
		{"help token", []string{"-expiration", "-data"}},
		{"import -h", []string{"-dry-run", "DATABASE_URL"}},
		{"seed -demo -h", []string{"-memberships"}},
		{"migrate -h", []string{"-down"}},
	} {
		got := with.ok(t, strings.Fields(test.args)...)
		for _, want := range test.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: %q is not in\n%s", test.args, want, got.stdout)
			}
		}
	}
}

// The token command makes, lists, rotates and revokes; its standard output is the secret alone.
func TestToken(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken}
	r := start(t, with)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "crew"}) { group { name } } }`, `"crew"`)

	ofUser := with.ok(t, "token", "-user", "admin")
	if !regexp.MustCompile(`^rst_\w{36}\n$`).MatchString(ofUser.stdout) {
		t.Errorf("standard output is %q", ofUser.stdout)
	}
	secret := strings.TrimSpace(ofUser.stdout)
	r.query(t, secret, `{ viewer { user { username } token { expiration } } }`, `{"user":{"username":"admin"},"token":{"expiration":"DAILY"}}`)

	ofGroup := with.ok(t, "token", "-group", "crew", "-scopes", "groups_view,groups_edit", "-expiration", "2099-01-31T12:00:00Z", "-description", "for CI")
	r.query(t, strings.TrimSpace(ofGroup.stdout), `{ viewer { token { expiration scopes owner { ... on Group { name } } } } }`,
		`{"expiration":"CUSTOM","scopes":["GROUPS_VIEW","GROUPS_EDIT"],"owner":{"name":"crew"}}`)

	list := with.ok(t, "token", "-list").stdout
	if !regexp.MustCompile(`(?m)^tok_\w+ +group crew +rst_\w{4} +ACTIVE .* 2099-01-31 12:00:00 .*for CI$`).MatchString(list) || strings.Contains(list, secret) {
		t.Errorf("the list is\n%s", list)
	}
	id := regexp.MustCompile(`tok_\w+`).FindString(ofUser.stderr)
	old, rotated := secret, with.ok(t, "token", "-rotate", id, "-overlap", "1h")
	if secret = strings.TrimSpace(rotated.stdout); !regexp.MustCompile(`^rst_\w{36}\n$`).MatchString(rotated.stdout) || secret == old {
		t.Errorf("standard output is %q", rotated.stdout)
	}
	for _, either := range []string{old, secret} {
		r.query(t, either, `{ viewer { user { username } } }`, `{"user":{"username":"admin"}}`)
	}
	secret = strings.TrimSpace(with.ok(t, "token", "-rotate", id).stdout)
	r.query(t, old, `{ viewer { roles } }`, `"UNAUTHENTICATED"`)
	r.query(t, secret, `{ viewer { user { username } } }`, `{"user":{"username":"admin"}}`)
	with.ok(t, "token", "-revoke", id)
	r.query(t, secret, `{ viewer { roles } }`, `"UNAUTHENTICATED"`)

	for _, args := range [][]string{{"-user", "nobody"}, {"-group", "none"}, {"-revoke", "tok_01h455vb4pex5vsknk084sn02q"}} {
		got := with.run(t, "", append([]string{"token"}, args...)...)
		if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "NOT_FOUND") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// Tokens outlive the change from the database's own key to a configured one, and from that to the next.
func TestTokenKeys(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("first, ", 5), strings.Repeat("second ", 5)
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken}
	start(t, with).end()
	secret := strings.TrimSpace(with.ok(t, "token", "-user", "admin").stdout)
	works := func(what, key, previous string, want string) {
		t.Helper()
		with["ROSTER_TOKEN_KEY"], with["ROSTER_TOKEN_KEY_PREVIOUS"] = key, previous
		r := start(t, with)
		r.query(t, secret, `{ viewer { user { username } } }`, want)
		r.end()
		for _, key := range []string{first, second} {
			if strings.Contains(r.stderr.String(), strings.TrimSpace(key)) {
				t.Errorf("%s: a key is logged", what)
			}
		}
	}
	works("the next one, beforehand", "", first, `"admin"`)
	works("instead of the database's", first, "", `"admin"`)
	works("the next one", second, "something else that is as long as a key has to be\n"+first, `"admin"`)
	works("without the one before", second, "", `"admin"`) // it is the database's still: it was used within the minute
	if out := with.run(t, "", "token", "-list"); out.code != 0 {
		t.Error(out.stderr)
	}
}

// A file can come by a pipe; one with a bad record fails and says where.
func TestImportAndSeed(t *testing.T) {
	t.Parallel()
	with := settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken}
	if got := with.run(t, `{"name": "good"}`+"\n"+`{"name": 7}`+"\n", "import", "-"); got.code != 1 || !strings.Contains(got.stderr, "standard input:2: name: ") {
		t.Errorf("%+v", got)
	}
	if got := with.run(t, "", "import", filepath.Join(t.TempDir(), "none")); got.code != 1 || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("%+v", got)
	}
	with.ok(t, "seed", "-demo")
	with.ok(t, "seed", "-demo") // which changes nothing
	start(t, with).query(t, adminToken, `{ group(by: {name: "good"}) { name } }`, `{"data":{"group":{"name":"good"}}}`)

	if got := with.run(t, "", "seed", "-groups", "10", "-users", "20", "-memberships", "40"); got.code != 1 {
		t.Errorf("load data among other data: %+v", got)
	}
	with = settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken}
	with.ok(t, "seed", "-groups", "10", "-users", "20", "-memberships", "40")
	start(t, with).query(t, adminToken, `{ groups { totalCount } }`, `{"data":{"groups":{"totalCount":10}}}`)
}
