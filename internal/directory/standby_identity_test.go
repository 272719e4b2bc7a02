package directory_test

import (
	"testing"

	"roster/internal/directory"
	"roster/internal/rostertest"
)

// TestStandbyOfIdentities: whom a token of an issuer's made a user, or changed, finds itself so at once, whatever the standby has by then.
func TestStandbyOfIdentities(t *testing.T) {
	t.Parallel()
	p := rostertest.NewPair(t)
	a := newSite(t, p, nil)
	boss := a.keyOf("boss", directory.RoleAdministrator)
	a.did(boss, "one")
	a.awaitStandby(p, boss, "one")
	p.Pause()

	recognised := func(id directory.Identity) directory.Caller {
		t.Helper()
		by, err := a.Recognise(t.Context(), directory.DoorGraphQL, "test", id)
		if err != nil {
			t.Fatal(err)
		}
		sight, err := a.Sight(nil)
		if err != nil {
			t.Fatal(err)
		}
		return by.Through(sight)
	}
	mailOf := func(by directory.Caller) string {
		t.Helper()
		u, err := a.User(t.Context(), by, directory.UserByUUID(by.User.UUID), directory.Selection{Fields: []string{"email"}})
		if err != nil {
			t.Fatal(err)
		}
		if u == nil {
			return "nobody"
		}
		return u.Email
	}
	id := claimed("1", "ann", creates)
	id.Email = "ann@example.org"
	if mail := mailOf(recognised(id)); mail != id.Email {
		t.Errorf("who was made a user found %s", mail)
	}
	id.Email, id.IssuedAt = "ann@example.com", id.IssuedAt.Add(1)
	if mail := mailOf(recognised(id)); mail != id.Email {
		t.Errorf("whose mail is another one found %s", mail)
	}
	p.Resume()
	a.awaitStandby(p, boss, "one")
}
