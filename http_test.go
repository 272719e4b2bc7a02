package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"roster/internal/auth"
)

// around is a server with nothing but the handler behind what stands around every route.
func around(t *testing.T, h http.HandlerFunc) (*httptest.Server, *output) {
	t.Helper()
	logs := &output{}
	s := &server{log: slog.New(slog.NewTextHandler(logs, nil))}
	srv := httptest.NewServer(auth.RequestIDs(s.logged(nil, h)))
	t.Cleanup(srv.Close)
	return srv, logs
}

func fetch(t *testing.T, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "test")
	req.Header.Set("Authorization", "Bearer hush")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res, string(answer), err
}

func TestPanic(t *testing.T) {
	t.Parallel()
	srv, logs := around(t, func(http.ResponseWriter, *http.Request) { panic("a bug") })
	res, answer, err := fetch(t, srv.URL+"/path?secret=hush", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"errors":[{"extensions":{"code":"INTERNAL","requestId":"test"},"message":"Something went wrong on our side."}]}` + "\n"
	if res.StatusCode != 500 || answer != want || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", res.StatusCode, answer)
	}
	logs.find(t, `level=ERROR msg=panic request_id=test cause="a bug" stack=.*http_test.go`)
	logs.find(t, `level=INFO msg=request request_id=test caller="" method=POST path=/path status=500 duration_ms=`)
	if strings.Contains(logs.String(), "hush") {
		t.Errorf("a secret is in the log:\n%s", logs)
	}
}

// An answer that has begun cannot become an error: it is broken off, so that nobody takes it for whole.
func TestPanicHalfway(t *testing.T) {
	t.Parallel()
	srv, logs := around(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic("a bug")
	})
	if _, answer, err := fetch(t, srv.URL, nil); err == nil {
		t.Errorf("the answer is whole: %s", answer)
	}
	logs.find(t, "msg=panic")
}

// A request whose body was read may go on for as long as it likes, and its context lives.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	past := time.Now().Add(-time.Hour)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if err := r.Context().Err(); err != nil {
			t.Error(err)
		}
		// And a deadline on the connection would be heard: this is how the context ends when one is left behind.
		if err := http.NewResponseController(w).SetReadDeadline(past); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		if err := r.Context().Err(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	srv, _ := around(t, handler)
	if _, _, err := fetch(t, srv.URL, strings.NewReader("body")); err != nil {
		t.Error(err)
	}
}

func TestStatusOfAnswer(t *testing.T) {
	t.Parallel()
	srv, logs := around(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	})
	if res, _, err := fetch(t, srv.URL, nil); err != nil || res.StatusCode != http.StatusTeapot {
		t.Error(res, err)
	}
	logs.find(t, "status=418")
}

// Pages of other origins may call if they are named, and no others.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	database := emptyDatabase(t)
	preflight := func(r *running, origin string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, r.url+"/graphql", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		req.Header.Set("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.Header.Get("Access-Control-Allow-Origin") + " " + res.Header.Get("Access-Control-Allow-Headers")
	}
	r := start(t, settings{"DATABASE_URL": database, "ROSTER_CORS_ORIGINS": "https://one.example, https://two.example:8443"})
	for origin, want := range map[string]string{
		"https://one.example":      "https://one.example authorization,content-type,idempotency-key",
		"https://two.example:8443": "https://two.example:8443 authorization,content-type,idempotency-key",
		"https://evil.example":     " ",
		"http://one.example":       " ",
	} {
		if got := preflight(r, origin); got != want {
			t.Errorf("%s: %s", origin, got)
		}
	}
	if got := preflight(start(t, settings{"DATABASE_URL": database}), "https://one.example"); got != " " {
		t.Errorf("without origins: %s", got)
	}
}
