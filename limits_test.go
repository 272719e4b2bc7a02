package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writeCertificate puts a new certificate of that name and its key into files, which are replaced as renewals do.
func writeCertificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	public, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A certificate that is replaced while the server runs is the one that the next client sees; one that is half replaced, or gone, is
// not, and the one before stays.
func TestCertificateReloads(t *testing.T) {
	t.Parallel()
	dir, logs := t.TempDir(), &bytes.Buffer{}
	cert, key := writeCertificate(t, dir, "one.example")
	c, err := newCertificate(cert, key, 0, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	seen := func(want string) {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil || pair.Leaf.Subject.CommonName != want {
			t.Errorf("the certificate is %v, want %s: %v", pair, want, err)
		}
	}
	seen("one.example")
	writeCertificate(t, dir, "two.example")
	seen("two.example")
	other := t.TempDir()
	_, otherKey := writeCertificate(t, other, "three.example")
	if err := os.Rename(otherKey, key); err != nil {
		t.Fatal(err)
	}
	seen("two.example")
	if err := os.Rename(filepath.Join(other, "cert.pem"), cert); err != nil {
		t.Fatal(err)
	}
	seen("three.example")
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	seen("three.example")
	if n := strings.Count(logs.String(), "the one before stays"); n != 2 {
		t.Errorf("said %d times that it stays:\n%s", n, logs)
	}
	c.age = time.Hour // it is not looked at again before that
	writeCertificate(t, dir, "four.example")
	seen("three.example")
}

// The program over TLS: the version, HTTP/2, the headers of every answer.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "one.example")
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_TLS_CERT": cert, "ROSTER_TLS_KEY": key})
	get := func(version uint16) (*http.Response, error) {
		pool := x509.NewCertPool()
		text, err := os.ReadFile(cert)
		if err != nil {
			t.Fatal(err)
		}
		pool.AppendCertsFromPEM(text)
		client := http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "one.example", MinVersion: tls.VersionTLS10, MaxVersion: version}}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		client.CloseIdleConnections()
		return res, err
	}
	if !strings.HasPrefix(r.url, "https://") {
		t.Errorf("it says it is at %s", r.url)
	}
	if _, err := get(tls.VersionTLS11); err == nil {
		t.Error("it speaks TLS 1.1")
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		res, err := get(version)
		if err != nil {
			t.Fatal(err)
		}
		if res.TLS.Version != version || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("TLS %x: %x, %s, %v", version, res.TLS.Version, res.Proto, res.Header)
		}
	}
}

// Files that a setting names are read before anything is begun, and what is wrong with them is said with all the rest.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, _ := writeCertificate(t, dir, "one.example")
	documents := filepath.Join(dir, "documents.json")
	if err := os.WriteFile(documents, []byte(`{"a": "{ nothing }", "b": "{"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := settings{"ROSTER_DATA": dir, "ROSTER_TLS_CERT": cert, "ROSTER_TLS_KEY": cert, "ROSTER_DOCUMENTS": documents}.run(t, "", "serve", "more")
	for _, want := range []string{
		`ROSTER_DOCUMENTS: document "a": input:1:3: Cannot query field "nothing" on type "Query".`,
		`ROSTER_DOCUMENTS: document "b": `, `ROSTER_TLS_CERT, ROSTER_TLS_KEY: tls: `, `more`,
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("it lacks %s:\n%s", want, got.stderr)
		}
	}
	if got.code != 2 {
		t.Errorf("the exit code is %d", got.code)
	}
	gone := settings{"ROSTER_DATA": dir, "ROSTER_DOCUMENTS": documents + "x"}.run(t, "", "serve")
	if gone.code != 2 || !strings.Contains(gone.stderr, "ROSTER_DOCUMENTS: open ") {
		t.Errorf("%d %s", gone.code, gone.stderr)
	}
}

// What settings say of limits holds in the program, and every answer carries the headers that browsers heed.
func TestLimitSettings(t *testing.T) {
	t.Parallel()
	documents := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(documents, []byte(`{"roles": "{ viewer { roles } }"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, settings{
		"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_MAX_COST": "100", "ROSTER_POINTS_PER_MINUTE": "100",
		"ROSTER_INTROSPECTION": "off", "ROSTER_DOCUMENTS": documents, "ROSTER_AD_HOC": "administrators",
	})
	for _, step := range []struct{ token, body, want string }{
		{"", `{"query": "{ __typename }"}`, `"code":"FORBIDDEN"`},
		{adminToken, `{"query": "{ __schema { types { name } } }"}`, `"code":"FORBIDDEN"`},
		{adminToken, `{"query": "{ groups(first: 99) { nodes { id } } }"}`, `"code":"LIMIT_EXCEEDED"`},
		{adminToken, `{"query": "{ groups(first: 90) { nodes { id } } }"}`, `"extensions":{"cost":{"requested":92,"maximum":100,"budget":{"limit":100,`},
		{adminToken, `{"documentId": "roles"}`, `{"data":{"viewer":{"roles":["ADMINISTRATOR"]}}`},
		{adminToken, `{"query": "{ groups(first: 98) { nodes { id } } }"}`, `429 application/json {"errors":[{"message":"You have used up your points; 100 grow back a minute. Try again in `},
	} {
		if got := r.send(t, http.MethodPost, "/graphql", step.token, step.body); !strings.Contains(got, step.want) {
			t.Errorf("%s: %s", step.body, got)
		}
	}
	const none, page = "default-src 'none'; frame-ancestors 'none'", "frame-ancestors 'none'"
	for path, policy := range map[string]string{"/": page, "/reference": page, "/livez": none, "/graphql": none, "/nowhere": none, "/v1/groups": none} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		h := res.Header
		got := []string{h.Get("X-Content-Type-Options"), h.Get("X-Frame-Options"), h.Get("Referrer-Policy"), h.Get("Strict-Transport-Security")}
		if d := cmp.Diff([]string{"nosniff", "DENY", "no-referrer", ""}, got); d != "" || !strings.HasSuffix(h.Get("Content-Security-Policy"), policy) {
			t.Errorf("GET %s: %s %s", path, h.Get("Content-Security-Policy"), d)
		}
		if cache := h.Get("Cache-Control"); policy == none && cache != "no-store" || policy == page && cache == "" {
			t.Errorf("GET %s may be kept: %q", path, cache)
		}
	}
}

// So many subscriptions as settings say are open at once, and not one more.
func TestStreamSettings(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"ROSTER_MAX_STREAMS_PER_CALLER", "ROSTER_MAX_STREAMS"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, setting: "1"})
			ended := make(chan string, 2)
			for range 2 {
				go func() { ended <- r.follow(t) }()
			}
			if got := <-ended; !strings.Contains(got, `"code":"TOO_MANY_REQUESTS"`) { // the other one stays
				t.Error(got)
			}
		})
	}
}

// follow is all that a subscription is told; that of one that stays ends with the test.
func (r *running) follow(t *testing.T) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/graphql", strings.NewReader(`{"query": "subscription { changes { cursor } }"}`))
	if err != nil {
		return err.Error()
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + adminToken}}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return fmt.Sprint(string(b), err)
}
