package main

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/internal/auth"
)

// packing is a server with nothing but the handler behind what stands around every route.
func packing(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := &server{log: slog.New(slog.DiscardHandler)}
	packed, err := compressed(h)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(auth.RequestIDs(s.logged(nil, packed)))
	t.Cleanup(srv.Close)
	return srv
}

// ask sends a request that accepts the encodings, and nothing is unpacked on the way.
func ask(t *testing.T, req *http.Request, accept string) (*http.Response, []byte) {
	t.Helper()
	if accept != "" {
		req.Header.Set("Accept-Encoding", accept)
	}
	bare := &http.Transport{DisableCompression: true}
	t.Cleanup(bare.CloseIdleConnections)
	res, err := bare.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func unpacked(t *testing.T, r io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	long, short := strings.Repeat(`{"name":"a group"},`, 1000), `{"name":"a group"}`
	for _, test := range []struct {
		name, accept, body, contentType string
		packed                          bool
	}{
		{"LongAndAsked", "gzip", long, "application/json", true},
		{"AmongOthers", "zstd, br;q=0.9, gzip;q=0.5", long, "application/links+json", true},
		{"Short", "gzip", short, "application/json", false},
		{"NotAsked", "", long, "application/json", false},
		{"Refused", "gzip;q=0", long, "application/json", false},
		{"OtherEncoding", "zstd, br", long, "application/json", false},
		{"Events", "gzip", long, "text/event-stream", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := packing(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, test.body)
			})
			res, body := ask(t, get(t, srv.URL), test.accept)
			packed := res.Header.Get("Content-Encoding") == "gzip"
			if packed != test.packed || res.StatusCode != http.StatusAccepted || res.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%d %v", res.StatusCode, res.Header)
			}
			got := string(body)
			if packed {
				if len(body) > len(test.body)/4 {
					t.Errorf("%d bytes of %d", len(body), len(test.body))
				}
				got = unpacked(t, strings.NewReader(got))
			}
			if got != test.body {
				t.Errorf("%d bytes came of %d", len(got), len(test.body))
			}
		})
	}
}

// What is flushed arrives, compressed or not, while the handler goes on.
func TestCompressedFlush(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"text/event-stream", "application/json"} {
		for _, flush := range map[string]func(w http.ResponseWriter){
			"Flusher":    func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
			"Controller": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		} {
			arrived := make(chan struct{})
			srv := packing(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				_, _ = io.WriteString(w, "first")
				flush(w)
				<-arrived
				_, _ = io.WriteString(w, "second")
			})
			req := get(t, srv.URL)
			req.Header.Set("Accept-Encoding", "gzip")
			res, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var body io.Reader = res.Body
			if packed := res.Header.Get("Content-Encoding") == "gzip"; packed == (contentType == "text/event-stream") {
				t.Errorf("%s: %v", contentType, res.Header)
			} else if packed {
				if body, err = gzip.NewReader(res.Body); err != nil {
					t.Fatal(err)
				}
			}
			first := make([]byte, len("first"))
			if _, err := io.ReadFull(body, first); err != nil || string(first) != "first" {
				t.Errorf("%s: %q, %v", contentType, first, err)
			}
			close(arrived)
			if rest, err := io.ReadAll(body); err != nil || string(rest) != "second" {
				t.Errorf("%s: %q, %v", contentType, rest, err)
			}
			res.Body.Close()
		}
	}
}

// An answer that breaks off does so compressed, too.
func TestCompressedBreaksOff(t *testing.T) {
	t.Parallel()
	srv := packing(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("half ", 10_000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	req := get(t, srv.URL)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d bytes are whole", len(b))
	}
}

// A connection that turns to another protocol is handed over as it is.
func TestCompressedUpgrade(t *testing.T) {
	t.Parallel()
	srv := packing(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\n\r\nhello")
	})
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\nAccept-Encoding: gzip\r\n\r\n")
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 101") || !strings.HasSuffix(string(answer), "hello") {
		t.Errorf("%q, %v", answer, err)
	}
}
