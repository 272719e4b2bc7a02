package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of asking an issuer.
const (
	fetchTime    = 5 * time.Second
	maxFetched   = 1 << 20
	maxRedirects = 3
)

// source is where an issuer's keys are fetched.
type source struct {
	issuer  string
	jwksURI string // empty: the issuer's own configuration says where
	client  *http.Client
}

// newClient makes a client that keeps to https, also when it is sent on, and leaves nothing open between its rare requests.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives, transport.MaxResponseHeaderBytes = true, 64<<10
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errors.New("too many redirects")
		}
		return reachable(r.URL.String(), via[0].URL.String())
	}}
}

// keys fetches the issuer's keys, from where its configuration says (OpenID Connect Discovery 1.0 §4) unless Roster's own says so.
func (s source) keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	at := s.jwksURI
	if at == "" {
		var err error
		if at, err = s.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	text, err := s.get(ctx, at)
	if err != nil {
		return nil, err
	}
	set, err := parseKeys(text)
	if err == nil && len(set) == 0 {
		err = errors.New("it holds no key that can verify a signature")
	}
	return set, err
}

// discover asks the issuer where its keys are. The answer must be the issuer's own (§4.3): another issuer's keys are not its keys.
func (s source) discover(ctx context.Context) (string, error) {
	text, err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var found struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if json.Unmarshal(text, &found) != nil {
		return "", errors.New("the configuration is not JSON")
	}
	if found.Issuer != s.issuer {
		return "", fmt.Errorf("the configuration is that of the issuer %.200q", found.Issuer)
	}
	return found.JWKSURI, reachable(found.JWKSURI, s.issuer)
}

// reachable is fetchable, of an address that somebody else named: one elsewhere does not send Roster to the machine that it runs on.
func reachable(text, by string) error {
	if err := fetchable(text); err != nil {
		return err
	}
	to, err := url.Parse(text)
	if err != nil {
		return err
	}
	from, err := url.Parse(by)
	if err == nil && loopback(to.Hostname()) && !loopback(from.Hostname()) {
		err = errors.New("an issuer elsewhere does not have its keys on this machine")
	}
	return err
}

// get fetches a JSON document.
func (s source) get(ctx context.Context, at string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", at, res.StatusCode)
	}
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return nil, fmt.Errorf("%s answered no JSON, but %.80q", at, res.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxFetched+1))
	if err == nil && len(text) > maxFetched {
		err = fmt.Errorf("%s answered more than %d bytes", at, maxFetched)
	}
	return text, err
}
