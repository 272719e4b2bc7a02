package entrust_test

import (
	"encoding/json"
	"testing"
	"time"

	"roster/internal/directory"
	"roster/internal/legacy/legacytest"
)

// TestSessionEnds logs in with a token that lives on and with one that ends before a session would.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"user", "app", "roles=VIEWER"})
	soon := time.Now().Add(time.Minute)
	p, err := w.Dir.CreateToken(t.Context(), directory.System(), directory.CreateTokenInput{User: legacytest.Users("app")[0], ExpiresAt: &soon, Scopes: directory.Permissions},
		directory.Want(directory.Link{Key: "token", Field: "token"}))
	if err != nil {
		t.Fatal(err)
	}
	short, err := directory.Linked[*directory.Token](p, "token")
	if err != nil {
		t.Fatal(err)
	}
	w.Name("short.id", short.ID())
	w.Name("short.secret", p.Secret)
	if life := logIn(t, w, "app.token.id", "app.secret"); life < 15*time.Minute-time.Second || life > 15*time.Minute {
		t.Errorf("a session lives for %s", life)
	}
	if life := logIn(t, w, "short.id", "short.secret"); life > time.Minute {
		t.Errorf("a session lives for %s, its application for a minute", life)
	}
}

// logIn answers how long the session lives that it gets.
func logIn(t *testing.T, w *legacytest.World, id, secret string) time.Duration {
	t.Helper()
	status, _, body := legacytest.Answer(w.Send("POST /api/web/v1/adminapi/authenticate HTTP/1.1\n\n" + `{"applicationId":"{{` + id + `}}","sharedSecret":"{{` + secret + `}}"}`))
	var s struct{ CreationTime, ExpirationTime time.Time }
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return s.ExpirationTime.Sub(s.CreationTime)
}
