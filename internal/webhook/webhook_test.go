package webhook_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"roster/internal/directory"
	"roster/internal/observe"
	"roster/internal/webhook"
)

func allowing(t testing.TB, entries ...string) *webhook.Sender {
	t.Helper()
	a, err := webhook.ParseAllow(entries)
	if err != nil {
		t.Fatal(err)
	}
	s := webhook.New(a, nil)
	t.Cleanup(s.Close)
	return s
}

// TestAttemptsAreSeen: each is counted by what came of it and is a span, which the receiver is told of; neither says where it went.
func TestAttemptsAreSeen(t *testing.T) {
	t.Parallel()
	told := make(chan http.Header, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.Header
		w.WriteHeader(map[string]int{"/hush": http.StatusNoContent, "/full": http.StatusServiceUnavailable}[r.URL.Path])
	}))
	defer srv.Close()
	spans, metrics := tracetest.NewInMemoryExporter(), observe.NewMetrics(nil)
	allow, err := webhook.ParseAllow([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	s := webhook.New(allow, observe.New(metrics, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	t.Cleanup(s.Close)
	theirs := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state(t)})
	ctx := trace.ContextWithSpanContext(t.Context(), theirs)
	for path, failed := range map[string]codes.Code{"/hush": codes.Unset, "/full": codes.Error} {
		spans.Reset()
		if a := s.Send(ctx, message(srv.URL+path, "a secret of 32 bytes, just enough")); a.Problem != "" || a.Duration <= 0 {
			t.Errorf("%+v", a)
		}
		span, header := spans.GetSpans()[0], <-told
		if want := "00-" + theirs.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"; header.Get("Traceparent") != want || header.Get("Tracestate") != "" {
			t.Errorf("the receiver is told %v, not %s alone", header, want)
		}
		if span.Name != "POST webhook" || span.SpanKind != trace.SpanKindClient || span.Status.Code != failed || span.Parent.SpanID() != theirs.SpanID() {
			t.Errorf("%s: %+v", path, span)
		}
		if text := fmt.Sprint(span.Attributes); strings.Contains(text, "hush") || strings.Contains(text, srv.URL) {
			t.Error(text)
		}
	}
	s.Send(ctx, message("https://10.0.0.1/")) // nothing is sent there
	var b strings.Builder
	families, err := metrics.Gatherer().Gather()
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "roster_webhook_") {
			fmt.Fprintln(&b, f)
		}
	}
	text := strings.ReplaceAll(b.String(), "  ", " ") // protobuf's own text has one space or two, so that nobody relies on it
	for _, want := range []string{`value:"2xx"} counter:{value:1`, `value:"5xx"} counter:{value:1`, `value:"address"} counter:{value:1`, `value:"timeout"} counter:{value:0`, "sample_count:3"} {
		if !strings.Contains(text, want) || err != nil {
			t.Errorf("%s is not in %s (%v)", want, text, err)
		}
	}
}

// state is what somebody's own tools wrote down for themselves.
func state(t *testing.T) trace.TraceState {
	t.Helper()
	s, err := trace.ParseTraceState("theirs=hush")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func message(url string, secrets ...string) directory.WebhookMessage {
	m := directory.WebhookMessage{URL: url, ID: "chg_1", At: time.Now(), Body: []byte(`{"type":"test"}`)}
	for _, s := range secrets {
		m.Secrets = append(m.Secrets, []byte(s))
	}
	return m
}

// TestSignature has the library of Standard Webhooks itself verify what is sent, with either of two secrets, and refuse it with another.
func TestSignature(t *testing.T) {
	t.Parallel()
	const first, second, other = "a secret of 32 bytes, just enough", "another secret that is right too", "and one that has nothing to do with it"
	verified := make(chan [3]error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "Roster-Webhooks/1" {
			t.Errorf("%s with %v: %v", r.Method, r.Header, err)
		}
		var errs [3]error
		for i, secret := range []string{first, second, other} {
			hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)))
			if err != nil {
				t.Error(err)
			}
			errs[i] = hook.Verify(body, r.Header)
		}
		verified <- errs
	}))
	defer srv.Close()
	a := allowing(t, "127.0.0.0/8").Send(t.Context(), message(srv.URL, first, second))
	if a.Status != http.StatusOK || a.Problem != "" || a.Duration <= 0 {
		t.Fatalf("the answer is %+v", a)
	}
	if errs := <-verified; errs[0] != nil || errs[1] != nil || errs[2] == nil {
		t.Errorf("verified with three secrets, two of them right: %v", errs)
	}
}

// TestAddresses: what is not on the public internet is not sent to, however it is written.
func TestAddresses(t *testing.T) {
	t.Parallel()
	nowhere, some := allowing(t), allowing(t, "10.1.0.0/16", "fd00::/8", "192.168.1.7", "intern.example.org", "64:ff9b::/96")
	for _, row := range []struct {
		address     string
		plain, some bool // whether it is sent to, without and with what is allowed
	}{
		{"1.1.1.1", true, true}, {"8.8.8.8", true, true}, {"2606:4700::1111", true, true}, {"::ffff:1.1.1.1", true, true}, {"172.15.0.1", true, true}, {"172.32.0.1", true, true},
		{"127.0.0.1", false, false}, {"127.255.255.254", false, false}, {"::1", false, false}, {"::ffff:127.0.0.1", false, false}, {"0.0.0.0", false, false}, {"::", false, false}, {"0.1.2.3", false, false},
		{"10.0.0.1", false, false}, {"10.1.2.3", false, true}, {"::ffff:10.1.2.3", false, true}, {"172.16.0.1", false, false}, {"172.31.255.255", false, false},
		{"192.168.1.7", false, true}, {"192.168.1.8", false, false}, {"169.254.169.254", false, false}, {"::ffff:169.254.169.254", false, false}, {"fe80::1", false, false}, {"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, true}, {"fc00::1", false, false}, {"fec0::1", false, false}, {"100.64.0.1", false, false}, {"100.100.100.200", false, false}, {"168.63.129.16", false, false}, {"192.0.0.192", false, false},
		{"192.0.2.1", false, false}, {"198.18.0.1", false, false}, {"198.51.100.1", false, false}, {"203.0.113.1", false, false}, {"192.88.99.1", false, false}, {"224.0.0.1", false, false},
		{"239.255.255.255", false, false}, {"240.0.0.1", false, false}, {"255.255.255.255", false, false}, {"ff02::1", false, false},
		{"64:ff9b::7f00:1", false, true}, {"64:ff9b:1::1", false, false}, {"2002:7f00:1::", false, false}, {"2001::1", false, false}, {"2001:db8::1", false, false}, {"3fff::1", false, false},
		{"5f00::1", false, false}, {"100::1", false, false}, {"::7f00:1", false, false}, {"4000::1", false, false},
	} {
		at := netip.MustParseAddr(row.address)
		for name, check := range map[string]struct {
			sender *webhook.Sender
			want   bool
		}{"with nothing allowed": {nowhere, row.plain}, "with some allowed": {some, row.some}} {
			if got := check.sender.Reaches(at); got != check.want {
				t.Errorf("%s %s is sent to: %t", row.address, name, got)
			}
			host := row.address
			if at.Is6() {
				host = "[" + strings.Replace(host, "%", "%25", 1) + "]"
			}
			if problem := check.sender.Check("https://" + host + "/x"); (problem == "") != check.want {
				t.Errorf("https://%s/x %s: %q", host, name, problem)
			}
		}
	}
}

// TestCheck is what URLs are taken.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := allowing(t, "127.0.0.0/8", "Intern.example.org.", "::1")
	for url, want := range map[string]string{
		"https://example.org": "", "https://example.org:8443/a/b?c=d": "", "https://intern.example.org/": "", "http://intern.example.org:8080/": "", "http://INTERN.example.org": "",
		"http://127.0.0.1:1/": "", "http://[::1]:1/": "", "http://[::ffff:127.0.0.1]/": "", "HTTPS://example.org": "", "https://xn--bcher-kva.example": "",
		"http://example.org": "https", "http://not.intern.example.org": "https", "ftp://example.org": "not a URL", "example.org": "not a URL", "": "not a URL", "https://": "not a URL", "https:///x": "not a URL",
		"https:example.org": "not a URL", "javascript:alert(1)": "not a URL", "file:///etc/passwd": "not a URL", "https://a:b@example.org": "name and a password", "https://a@example.org": "name and a password",
		"https://example.org#x": "fragment", "https://example.org/ä": "characters", "https://exa mple.org": "not a URL", "https://example.org/\n": "not a URL",
		"https://127.1/": "name of a host", "https://2130706433/": "name of a host", "https://0177.0.0.1/": "name of a host", "https://1.2.3.4.5/": "name of a host", "https://a..b/": "name of a host", "https://-a.b/": "name of a host",
		"https://10.0.0.1/": "public internet", "https://[fe80::1%25lo]/": "public internet", "https://example.org:0/": "port", "https://example.org:65536/": "port", "https://example.org:x/": "not a URL",
		"https://[1.2.3.4]/": "not a URL",
	} {
		if got := s.Check(url); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
	for _, wrong := range []string{"10.0.0.0/33", "10.0.0", "a b", "*.example.org", "https://example.org", "example.org:80", ""} {
		if _, err := webhook.ParseAllow([]string{wrong}); err == nil {
			t.Errorf("%q is allowed", wrong)
		}
	}
}

// TestNamesAreFollowed: a name that leads to this machine is not connected to, although it is a good name, and although an answer waits there.
func TestNamesAreFollowed(t *testing.T) {
	t.Parallel()
	var came atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer srv.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if a := allowing(t).Send(t.Context(), message("https://localhost:"+port)); a.Status != 0 || !strings.Contains(a.Problem, "not one of the public internet") {
		t.Errorf("localhost is sent to: %+v", a)
	}
	if a := allowing(t).Send(t.Context(), message(srv.URL)); a.Status != 0 || a.Problem == "" {
		t.Errorf("an address that is no longer allowed is sent to: %+v", a)
	}
	if came.Load() != 0 {
		t.Error("there was a request")
	}
	if a := allowing(t, "localhost").Send(t.Context(), message("http://localhost:"+port)); a.Status != http.StatusOK {
		t.Errorf("a host that is allowed is not sent to: %+v", a)
	}
}

// TestAnswers: what is made of answers, and that no answer is followed, waited for, or read without bounds.
func TestAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	silent := make(chan struct{})
	endless := make(chan int, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/date":
			w.Header().Set("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/silent":
			<-silent
		case "/endless":
			n := 0
			for piece := make([]byte, 32<<10); ; {
				k, err := w.Write(piece)
				if n += k; err != nil {
					endless <- n
					return
				}
			}
		case "/broken":
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	defer close(silent)
	s := allowing(t, "127.0.0.0/8")
	for path, want := range map[string]directory.WebhookAnswer{
		"/": {Status: 200}, "/redirect": {Status: 307}, "/busy": {Status: 429, RetryAfter: 2 * time.Minute}, "/date": {Status: 503}, "/endless": {Status: 200},
		"/broken": {Problem: "The connection was broken off."},
	} {
		got := s.Send(t.Context(), message(srv.URL+path))
		got.Duration = 0
		if got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
	if n := <-endless; n > 64<<20 {
		t.Errorf("%d bytes were taken of an answer without end", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := s.Send(ctx, message(srv.URL+"/silent")); a.Status != 0 || a.Problem == "" {
		t.Errorf("given up: %+v", a)
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for url, want := range map[string]string{
		"http://" + gone.Addr().String():                    "The connection was refused.",
		"https://" + strings.TrimPrefix(srv.URL, "http://"): "The host does not speak TLS as it should.",
		"https://no-such-host.invalid":                      "The host is not known.",
	} {
		if a := s.Send(t.Context(), message(url)); a.Status != 0 || a.Problem != want {
			t.Errorf("%s: %+v, want %q", url, a, want)
		}
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a certificate of nobody's was trusted") }))
	defer secure.Close()
	if a := s.Send(t.Context(), message(secure.URL)); a.Problem != "The certificate is not one to trust." {
		t.Errorf("a certificate of nobody's: %+v", a)
	}
}

// TestProxiesOfTheEnvironment are not used: they would look names up where nobody sees to what they lead to. (It sets the environment, so it is not parallel.)
func TestProxiesOfTheEnvironment(t *testing.T) {
	var came atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	allowing(t).Send(t.Context(), message("https://no-such-host.invalid"))
	if came.Load() != 0 {
		t.Error("a proxy was asked")
	}
}

// TestSwitched: who answers that another protocol is spoken from here on, and then says nothing, holds nobody up: there is no time for what is not HTTP.
func TestSwitched(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: silence\r\n\r\n")
		_ = rw.Flush()
		_, err = rw.ReadByte() // until the other side goes away
		ended <- err
	}))
	defer srv.Close()
	answer := make(chan directory.WebhookAnswer, 1)
	go func() { answer <- allowing(t, "127.0.0.0/8").Send(t.Context(), message(srv.URL)) }()
	select {
	case a := <-answer:
		if a.Status != http.StatusSwitchingProtocols {
			t.Errorf("the answer is %+v", a)
		}
		if err := <-ended; err == nil {
			t.Error("the connection is used on")
		}
	case <-time.After(30 * time.Second):
		srv.CloseClientConnections()
		t.Error("it waits for ever")
	}
}
