package alldoors_test

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
)

// guarded is a world in which an address may send three wrong credentials a minute.
type guarded struct {
	*world
	at         atomic.Int64 // the time, in seconds
	statements atomic.Int64
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{}
	g.at.Store(1e9)
	g.world = newWorldWith(t, nil, db.Options{OnStatement: func(context.Context, string) { g.statements.Add(1) }})
	g.guard = &auth.Guard{Failures: limit.NewFailures(3, func() time.Time { return time.Unix(g.at.Load(), 0) }), Log: slog.New(slog.DiscardHandler),
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	g.doors = nil
	g.serve(nil)
	return g
}

// from asks a door for its groups, or GraphQL who asks, from an address, and whether there were too many failures.
func (g *guarded) from(address, name, secret string) (a answer, tooMany bool) {
	g.t.Helper()
	r := graphql(secret, `{ viewer { roles } }`, nil)
	if name != "graphql" {
		r = authorised(g.nameOfDoor(name), secret, request{method: "GET", path: probes[name]})
	}
	a = g.send(r.with("X-Forwarded-For", address))
	return a, a.status == 429 || name == "cds" && a.status == 503 // it documents no other
}

// TestFailuresAreLimited: at every way in, an address's wrong credentials are refused unseen once they are too many, until one has grown
// back. Nobody else is held to them: not other addresses, and not those at the same one whose credential is remembered, whatever
// happens to other tokens meanwhile.
func TestFailuresAreLimited(t *testing.T) {
	t.Parallel()
	const bad, home, other = "a wrong secret, twenty characters long", "198.51.100.1", "198.51.100.2"
	names := []string{"graphql"}
	for name := range probes {
		names = append(names, name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t)
			user := directory.UserByName(directory.FirstAdmin)
			make := directory.CreateTokenInput{User: &user, Scopes: directory.Permissions}
			unmet, _ := g.fresh(t, make)
			_, doomed := g.fresh(t, make)
			good := func(what, from, secret string) {
				t.Helper()
				if a, tooMany := g.from(from, name, secret); tooMany || a.status != 200 {
					t.Errorf("%s: %s", what, a)
				}
			}
			good("at first", home, rootSecret)
			for n := range 3 {
				if a, tooMany := g.from(home, name, bad); tooMany || a.status == 503 || a.status < 400 {
					t.Errorf("wrong credential %d: %s", n, a)
				}
			}
			before := g.statements.Load()
			a, tooMany := g.from(home, name, bad)
			if !tooMany || a.header.Get("Retry-After") != "20" {
				t.Errorf("one too many: %s, Retry-After %q", a, a.header.Get("Retry-After"))
			}
			if n := g.statements.Load() - before; n != 0 {
				t.Errorf("it took %d statements", n)
			}
			good("one that is remembered", home, rootSecret)
			did(t)(g.dir.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: doomed}, directory.Selection{}))
			good("one that is remembered, after another was revoked", home, rootSecret)
			if a, tooMany := g.from(home, name, unmet); !tooMany {
				t.Errorf("one that this server has not met: %s", a)
			}
			if a, tooMany := g.from(other, name, bad); tooMany {
				t.Errorf("a wrong one from elsewhere: %s", a)
			}
			good("one that was not met, from elsewhere", other, unmet)
			g.at.Add(19)
			if a, tooMany := g.from(home, name, bad); !tooMany {
				t.Errorf("before one has grown back: %s", a)
			}
			g.at.Add(1)
			if a, tooMany := g.from(home, name, bad); tooMany {
				t.Errorf("after one has grown back: %s", a)
			}
		})
	}
}

// TestLogInFailuresAreLimited: Entrust's clients log in by a body, which counts as any other way does.
func TestLogInFailuresAreLimited(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	user := directory.UserByName(directory.FirstAdmin)
	secret, id := g.fresh(t, directory.CreateTokenInput{User: &user, Scopes: directory.Permissions})
	logIn := func(secret string) answer {
		return g.send(request{method: "POST", path: "/api/web/v1/adminapi/authenticate", header: map[string]string{"Content-Type": "application/json"},
			body: `{"applicationId":"` + id + `","sharedSecret":"` + secret + `"}`})
	}
	if a := logIn(secret); a.status != 200 {
		t.Fatal(a)
	}
	for range 3 {
		if a := logIn(strings.Repeat("wrong", 5)); a.status != 401 {
			t.Error(a)
		}
	}
	if a := logIn(strings.Repeat("wrong", 5)); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Error(a)
	}
	if a := logIn(secret); a.status != 200 {
		t.Error("with what is remembered:", a)
	}
}

// TestDenialsAreLogged: each refusal is a line of the log, by whichever way in, with who, what, by which rule and why; and no secret.
func TestDenialsAreLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.level, w.doors = slog.LevelInfo, nil
	w.serve(nil)
	dir, user := w.dir, directory.UserByName("ann")
	did(t)(dir.CreateUser(t.Context(), directory.System(), directory.CreateUserInput{Username: "ann"}, directory.Selection{}))
	did(t)(dir.CreateGroup(t.Context(), directory.System(), directory.CreateGroupInput{Name: "vault"}, directory.Selection{}))
	ann, _ := w.fresh(t, directory.CreateTokenInput{User: &user, Scopes: directory.Permissions})
	const bad = "a wrong secret, twenty characters long"
	refused := []request{
		graphql(ann, `mutation { deleteGroup(input: {group: {name: "vault"}}) { deletedId } }`, nil),
		graphql("", `{ groups { totalCount } }`, nil),
		graphql(bad, `{ groups { totalCount } }`, nil),
		authorised(directory.DoorCDS, ann, request{method: "DELETE", path: "/group/vault"}),
		authorised(directory.DoorEntrust, ann, request{method: "GET", path: "/api/web/v1/groups"}),
		authorised(directory.DoorCDS, bad, request{method: "GET", path: "/group"}),
	}
	delete(refused[1].header, "Authorization")
	for _, r := range refused {
		w.send(r)
	}
	var got []string
	for line := range strings.Lines(w.log.String()) {
		if _, denied, ok := strings.Cut(line, "msg=denied "); ok {
			_, denied, _ = strings.Cut(denied, " ") // the request's id
			got = append(got, strings.TrimSpace(denied))
		}
	}
	deletes := `operation=GROUP_DELETE rule="directory-wide GROUPS_REMOVE, or admins of the group; a token needs the scope GROUPS_REMOVE" because="[Nothing that the rule asks for holds.]"`
	unknown := `operation="" rule="" because="[The token is unknown, expired or revoked.]"`
	want := []string{
		`caller=ann door=GRAPHQL code=NOT_FOUND ` + deletes,
		`caller="" door=GRAPHQL code=UNAUTHENTICATED operation=GROUP_LIST`,
		`caller="" door=GRAPHQL code=UNAUTHENTICATED ` + unknown,
		`caller=ann door=CDS code=FORBIDDEN ` + deletes,
		`caller=ann door=ENTRUST code=FORBIDDEN operation=GROUP_LIST rule="directory-wide GROUPS_VIEW; a token needs the scope GROUPS_VIEW" because="[Nothing that the rule asks for holds.]"`,
		`caller="" door=CDS code=UNAUTHENTICATED ` + unknown,
	}
	for i := range max(len(want), len(got)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("refusal %d:\n%s", i, strings.Join(got, "\n"))
			break
		}
	}
	for _, secret := range []string{bad, ann[8:]} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("a secret is logged")
		}
	}
}
