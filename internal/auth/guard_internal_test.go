package auth

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// The client's address is the nearest that no trusted proxy vouches for. What a client says of itself does not count.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ proxies, remote, forwarded, want string }{
		{"", "192.0.2.1:5", "", "192.0.2.1"},
		{"", "192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.0/8", "10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.0/8", "[::ffff:10.0.0.1]:5", "198.51.100.7", "198.51.100.7"},
		{"10.0.0.0/8", "10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.0/8", "192.0.2.1:5", "198.51.100.7", "192.0.2.1"},
		{"10.0.0.0/8", "10.0.0.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"},           // its own beginning
		{"10.0.0.0/8", "10.0.0.1:5", "203.0.113.9, 198.51.100.7 ,10.2.3.4", "198.51.100.7"}, // two proxies
		{"10.0.0.0/8", "10.0.0.1:5", "198.51.100.7, nonsense, 10.2.3.4", "10.2.3.4"},        // no further than is understood
		{"10.0.0.0/8", "10.0.0.1:5", "10.1.1.1, 10.2.3.4", "10.1.1.1"},                      // all of them are trusted
		{"10.0.0.0/8 2001:db8::/32", "[2001:db8::5]:5", "2001:db9::1", "2001:db9::1"},
		{"", "nonsense", "", "invalid IP"},
	} {
		g := &Guard{Log: slog.New(slog.DiscardHandler)}
		for _, p := range strings.Fields(row.proxies) {
			g.Proxies = append(g.Proxies, netip.MustParsePrefix(p))
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = row.remote
		if row.forwarded != "" {
			for part := range strings.SplitSeq(row.forwarded, " ,") { // several headers are one list
				r.Header.Add("X-Forwarded-For", part)
			}
		}
		if got := g.client(r).String(); got != row.want {
			t.Errorf("%+v: %s", row, got)
		}
	}
}

// A proxy on this machine that nobody named is spoken of, once.
func TestUnnamedProxyIsSpokenOf(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := &Guard{Log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "127.0.0.1:7"
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		g.client(r)
	}
	if strings.Count(log.String(), "trusted-proxies") != 1 {
		t.Error(log.String())
	}
}

// FuzzClientAddress: whatever a client sends, without a trusted proxy it is known by the address that it comes from, and through one by the
// address that the proxy wrote.
func FuzzClientAddress(f *testing.F) {
	f.Add("203.0.113.9")
	f.Add("10.0.0.1, 10.0.0.2,")
	f.Add(",,\x00")
	f.Fuzz(func(t *testing.T, said string) {
		g := &Guard{Log: slog.New(slog.DiscardHandler), Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Forwarded-For"] = []string{said}
		r.RemoteAddr = "192.0.2.1:5"
		if got := g.client(r).String(); got != "192.0.2.1" {
			t.Errorf("%q: the client is %s", said, got)
		}
		r.Header["X-Forwarded-For"] = []string{said, "198.51.100.7"}
		r.RemoteAddr = "10.0.0.1:5"
		if got := g.client(r).String(); got != "198.51.100.7" {
			t.Errorf("%q: the client is %s", said, got)
		}
	})
}
