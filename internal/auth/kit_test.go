package auth_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"roster/internal/auth"
	"roster/internal/auth/authtest"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// scene is an issuer, and a Verifier that takes its tokens.
type scene struct {
	*auth.Verifier
	*clock
	issuer *authtest.Issuer
	log    *syncBuffer
}

func newScene(t testing.TB, entry map[string]any) *scene {
	t.Helper()
	s := &scene{issuer: authtest.New(t), clock: newClock(), log: &syncBuffer{}}
	s.Verifier = s.verifier(t, s.issuer.Entry(entry))
	return s
}

func (s *scene) verifier(t testing.TB, entries ...map[string]any) *auth.Verifier {
	t.Helper()
	issuers, err := auth.ReadIssuers(authtest.File(t, entries...))
	if err != nil {
		t.Fatal(err)
	}
	return auth.NewVerifier(auth.VerifierConfig{Issuers: issuers, Log: slog.New(slog.NewTextHandler(s.log, nil)), Now: s.now})
}

// token is a token that the issuer makes now, by the scene's clock.
func (s *scene) token(t testing.TB, changes map[string]any) string {
	t.Helper()
	return s.issuer.Key.Sign(t, s.issuer.Claims(s.now(), changes), nil)
}

// fails is what is wrong with a token; "" for nothing.
func (s *scene) fails(t testing.TB, token string) string {
	t.Helper()
	if _, err := s.Verify(t.Context(), token); err != nil {
		return err.Error()
	}
	return ""
}

// syncBuffer is a log that tests read.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
