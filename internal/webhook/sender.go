// Package webhook sends messages to webhooks by HTTP: signed as Standard Webhooks says (https://www.standardwebhooks.com), and to no place
// that is not on the public internet unless it is allowed. What is sent, to whom and when again is the directory's.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"roster/internal/directory"
	"roster/internal/observe"
)

const (
	sendTime   = 10 * time.Second // for the whole of an answer
	maxAnswer  = 64 << 10         // bytes that are read of one, so that its connection can be used again
	maxHeader  = 64 << 10
	keepTime   = 30 * time.Second // for a connection that is not used
	perHost    = 2                // such connections
	dialTime   = 5 * time.Second
	userAgent  = "Roster-Webhooks/1"
	maxSeconds = 1 << 20 // of Retry-After that are believed; what is beyond the longest wait is cut anyway
)

// Sender sends messages. It is for any number of them at once.
type Sender struct {
	Allow
	client    *http.Client
	transport *http.Transport
	observer  *observe.Observer
}

// New makes a Sender, whose attempts an observer sees; nil: nobody does.
func New(a Allow, o *observe.Observer) *Sender {
	s := &Sender{Allow: a, observer: o}
	// No proxy of the environment: it would look the names up, and see to no bounds.
	s.transport = &http.Transport{
		DialContext: s.dial, TLSHandshakeTimeout: dialTime, MaxResponseHeaderBytes: maxHeader, MaxIdleConnsPerHost: perHost, IdleConnTimeout: keepTime,
		ForceAttemptHTTP2: true, DisableCompression: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	s.client = &http.Client{Transport: s.transport, Timeout: sendTime, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // where it leads nobody has been asked
	}}
	return s
}

// Close closes the connections that are open.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// dial connects to an address that may be sent to. Each address that a name leads to is looked at when it is connected to, and no
// sooner: between a look and a connection a name can come to lead elsewhere.
func (s *Sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !s.host(host) {
		d.Control = func(_, to string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(to)
			if err != nil {
				return errRefused
			}
			return s.address(at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}

// Send sends a message once, and gives the answer 10 seconds. The request says which trace it is part of, where there are traces.
func (s *Sender) Send(ctx context.Context, m directory.WebhookMessage) directory.WebhookAnswer {
	ctx, attempt := s.observer.Sends(ctx)
	a, failure := s.send(ctx, m)
	a.Duration = attempt.End(a.Status, failure)
	return a
}

// send also answers why there was no answer, in a word for metrics; "" if there was one.
func (s *Sender) send(ctx context.Context, m directory.WebhookMessage) (a directory.WebhookAnswer, failure string) {
	if problem := s.Check(m.URL); problem != "" { // what is allowed may have changed since it was kept
		return directory.WebhookAnswer{Problem: problem}, observe.FailureRefused
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return directory.WebhookAnswer{Problem: "The URL cannot be sent to."}, observe.FailureRefused
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", userAgent)
	sign(r.Header, m)
	observe.Inject(ctx, r.Header)
	res, err := s.client.Do(r)
	if err != nil {
		a.Problem, failure = problemOf(err)
		return a, failure
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols { // whose body is the connection itself, for which the client keeps no time
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // the status says it all
	}
	return directory.WebhookAnswer{Status: res.StatusCode, RetryAfter: retryAfter(res)}, ""
}

// sign adds the headers of Standard Webhooks: id, timestamp, and for each secret a signature of these two and the body.
func sign(h http.Header, m directory.WebhookMessage) {
	at := strconv.FormatInt(m.At.Unix(), 10)
	signatures := make([]string, len(m.Secrets))
	for i, secret := range m.Secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = io.WriteString(mac, m.ID+"."+at+".") // a hash takes everything
		mac.Write(m.Body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set("webhook-id", m.ID)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", strings.Join(signatures, " "))
}

// retryAfter is how long the receiver asks to wait, in seconds (RFC 9110 §10.2.3); a date counts for nothing.
func retryAfter(res *http.Response) time.Duration {
	n, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, maxSeconds)) * time.Second
}

// problemOf says why there was no answer, in words that name no address of the network that Roster is in, and in a word for metrics. That a name is known
// there, and leads inside, it does tell: to those who may make webhooks, who see every group.
func problemOf(err error) (problem, failure string) {
	var dns *net.DNSError
	var timeout net.Error
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var invalid *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errRefused):
		return "The host leads to an address that is not one of the public internet.", observe.FailureRefused
	case errors.As(err, &dns) && !dns.IsTimeout:
		return "The host is not known.", observe.FailureUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "There was no answer in time.", observe.FailureTimeout
	case errors.As(err, &invalid), errors.As(err, &unknown):
		return "The certificate is not one to trust.", observe.FailureTLS
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return "The host does not speak TLS as it should.", observe.FailureTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The connection was refused.", observe.FailureUnreachable
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The connection was broken off.", observe.FailureUnreachable
	}
	return "The host cannot be reached.", observe.FailureUnreachable
}
