package alldoors_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/rostertest"
)

// replicas are two servers on one database, with a group that is nobody's to see but its own people's.
func replicas(t *testing.T) (here, there *world) {
	t.Helper()
	url := rostertest.URL(t)
	here, there = newWorldOn(t, url, map[string]legacy.Setting{}, db.Options{}), newWorldOn(t, url, map[string]legacy.Setting{}, db.Options{})
	for _, u := range []directory.CreateUserInput{{Username: "vic", Roles: []directory.Role{directory.RoleViewer}}, {Username: "ann"}} {
		did(t)(here.dir.CreateUser(t.Context(), directory.System(), u, directory.Selection{}))
	}
	ann := directory.UserByName("ann")
	did(t)(here.dir.CreateGroup(t.Context(), directory.System(), directory.CreateGroupInput{Name: "vault", Members: []*directory.UserRef{&ann}}, directory.Selection{}))
	return here, there
}

func did(t testing.TB) func(p *directory.Payload, err error) *directory.Payload {
	return func(p *directory.Payload, err error) *directory.Payload {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

// sees reports whether a secret shows the group: by GraphQL, and by a door.
func (w *world) sees(secret string) (graph, door bool) {
	w.t.Helper()
	a := w.send(graphql(secret, `{ group(by: {name: "vault"}) { name } }`, nil))
	return strings.Contains(a.body, `"vault"`), w.send(authorised(directory.DoorCDS, secret, request{method: "GET", path: "/group/vault"})).status == http.StatusOK
}

// TestReplicasAgree: what ends a token's power on one server ends it on the other with its very next request, by GraphQL and by a door,
// though that other server knows the token by heart.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	vic, ann, vault := directory.UserByName("vic"), directory.UserByName("ann"), directory.GroupByName("vault")
	for name, row := range map[string]struct {
		of  directory.CreateTokenInput
		end func(w *world, token string) (*directory.Payload, error)
	}{
		"revoked": {directory.CreateTokenInput{User: &vic}, func(w *world, token string) (*directory.Payload, error) {
			return w.dir.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: token}, directory.Selection{})
		}},
		"rotated": {directory.CreateTokenInput{User: &vic}, func(w *world, token string) (*directory.Payload, error) {
			return w.dir.RotateToken(t.Context(), directory.System(), directory.RotateTokenInput{Token: token}, directory.Selection{})
		}},
		"its user's role taken": {directory.CreateTokenInput{User: &vic}, func(w *world, _ string) (*directory.Payload, error) {
			return w.dir.UpdateUser(t.Context(), directory.System(), directory.UpdateUserInput{User: vic, Roles: directory.Optional[[]directory.Role]{Set: true}}, directory.Selection{})
		}},
		"its user out of the group": {directory.CreateTokenInput{User: &ann}, func(w *world, _ string) (*directory.Payload, error) {
			return w.dir.RemoveMembers(t.Context(), directory.System(), directory.RemoveMembersInput{Group: vault, Users: []*directory.UserRef{&ann}}, directory.Selection{})
		}},
		"its user deleted": {directory.CreateTokenInput{User: &vic}, func(w *world, _ string) (*directory.Payload, error) {
			return w.dir.DeleteUser(t.Context(), directory.System(), directory.DeleteUserInput{User: vic}, directory.Selection{})
		}},
		"its group deleted": {directory.CreateTokenInput{Group: &vault}, func(w *world, _ string) (*directory.Payload, error) {
			return w.dir.DeleteGroup(t.Context(), directory.System(), directory.DeleteGroupInput{Group: vault}, directory.Selection{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := replicas(t)
			secret, id := here.fresh(t, row.of)
			for range 2 { // the second time by memory
				for _, w := range []*world{here, there} {
					if graph, door := w.sees(secret); !graph || !door {
						t.Fatal("it does not work", graph, door)
					}
				}
			}
			did(t)(row.end(here, id))
			if graph, door := there.sees(secret); graph || door {
				t.Error("it still works on the other server", graph, door)
			}
			if graph, door := here.sees(secret); graph || door {
				t.Error("it still works", graph, door)
			}
		})
	}
}

// fresh makes a token, and gives its secret and its id.
func (w *world) fresh(t *testing.T, in directory.CreateTokenInput) (secret, id string) {
	t.Helper()
	made := did(t)(w.dir.CreateToken(t.Context(), directory.System(), in, directory.Selection{Links: []directory.Link{{Key: "token", Field: "token"}}}))
	token, err := directory.Linked[*directory.Token](made, "token")
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret, token.ID()
}

// TestReplicasEndInTime: a token's own end, and that of the overlap after a rotation, hold by Postgres's clock on a server that
// remembers the secret: no request that begins later succeeds.
func TestReplicasEndInTime(t *testing.T) {
	t.Parallel()
	vic := directory.UserByName("vic")
	for name, short := range map[string]struct {
		make func(w *world) string
		over string // SQL
	}{
		"expiry": {func(w *world) string {
			custom, at := directory.TokenExpirationCustom, time.Now().Add(2*time.Second)
			secret, _ := w.fresh(t, directory.CreateTokenInput{User: &vic, Expiration: &custom, ExpiresAt: &at})
			return secret
		}, "SELECT bool_or(expires_at <= clock_timestamp()) FROM tokens WHERE expiration = 'CUSTOM'"},
		"overlap": {func(w *world) string {
			secret, id := w.fresh(t, directory.CreateTokenInput{User: &vic})
			did(t)(w.dir.RotateToken(t.Context(), directory.System(), directory.RotateTokenInput{Token: id, OverlapSeconds: 2}, directory.Selection{}))
			return secret
		}, "SELECT bool_or(previous_until <= clock_timestamp()) FROM tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := replicas(t)
			secret := short.make(here)
			over := false
			for !over {
				if err := there.beside.QueryRowContext(t.Context(), short.over).Scan(&over); err != nil {
					t.Fatal(err)
				}
				graph, door := there.sees(secret)
				if over && (graph || door) {
					t.Error("its time was over and it worked", graph, door)
				}
			}
		})
	}
}

// TestRevocationUnderLoad: once RevokeToken has returned, no request that begins later succeeds on another server, however many
// are under way there.
func TestRevocationUnderLoad(t *testing.T) {
	t.Parallel()
	vic := directory.UserByName("vic")
	here, there := replicas(t)
	secret, id := here.fresh(t, directory.CreateTokenInput{User: &vic})
	const users, enough = 8, 200
	var revoked, stop atomic.Bool
	var good, late, refused atomic.Int64
	warm := make(chan struct{})
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			for !stop.Load() {
				after := revoked.Load()
				graph, door := there.sees(secret)
				switch {
				case after && (graph || door):
					late.Add(1)
				case after:
					refused.Add(1)
				case graph && door && good.Add(1) == enough:
					close(warm)
				}
				if refused.Load() >= enough || late.Load() > 0 {
					stop.Store(true)
				}
			}
		})
	}
	<-warm
	did(t)(here.dir.RevokeToken(t.Context(), directory.System(), directory.RevokeTokenInput{Token: id}, directory.Selection{}))
	revoked.Store(true)
	all.Wait()
	if late.Load() > 0 {
		t.Errorf("%d requests that began after the revocation succeeded", late.Load())
	}
}
