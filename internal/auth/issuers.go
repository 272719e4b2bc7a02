package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"roster/internal/directory"
)

// Issuer is one whose tokens are taken, as its entry in the file of issuers says: what a token must be like, and what of it means
// what. docs/identity.md explains each member.
type Issuer struct {
	Issuer         string           `json:"issuer"`
	Audience       names            `json:"audience"`
	JWKSURI        string           `json:"jwksUri"`
	JWKS           json.RawMessage  `json:"jwks"`
	Algorithms     names            `json:"algorithms"`
	Leeway         *duration        `json:"leeway"`
	AcceptIssuedAt bool             `json:"acceptIssuedAt"`
	Require        map[string]names `json:"require"`
	Username       names            `json:"username"`
	Email          names            `json:"email"`
	FullName       names            `json:"fullName"`
	RoleClaims     names            `json:"roleClaims"`
	Grants         map[string]names `json:"grants"`
	Always         names            `json:"always"`
	Users          string           `json:"users"`
	Link           string           `json:"link"`
	StoredRoles    string           `json:"storedRoles"`
}

// names is a list of strings, which may be written as one string.
type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(n))
}

// duration is a time such as "30s".
type duration time.Duration

func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	v, err := time.ParseDuration(text)
	*d = duration(v)
	return err
}

// Problems are all that is wrong with a file of issuers, one sentence each.
type Problems []string

func (p Problems) Error() string { return strings.Join(p, "\n") }

// ReadIssuers reads a file of issuers: a JSON list. Whatever is wrong with it comes back as Problems, all of it at once. No file is
// no issuers.
func ReadIssuers(file string) ([]Issuer, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, Problems{err.Error()}
	}
	return parseIssuers(text)
}

func parseIssuers(text []byte) ([]Issuer, error) {
	var all []Issuer
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, Problems{"not a list of issuers in JSON: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, Problems{"something follows the list of issuers"}
	}
	var problems Problems
	seen := map[string]bool{}
	for n := range all {
		for _, p := range all[n].problems() {
			problems = append(problems, fmt.Sprintf("issuer %d, %s: %s", n+1, all[n].Issuer, p))
		}
		if seen[all[n].Issuer] {
			problems = append(problems, fmt.Sprintf("issuer %d, %s: it is there twice", n+1, all[n].Issuer))
		}
		seen[all[n].Issuer] = true
	}
	if problems != nil {
		return nil, problems
	}
	return all, nil
}

// What the settings of an issuer can be.
const (
	maxLeeway     = 5 * time.Minute
	defaultLeeway = 30 * time.Second
	maxIssuer     = 512
)

// algorithms are those that can be allowed: signatures by a key that the issuer alone has. "none" and the HMACs are not among them.
var algorithms = names{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

var defaultAlgorithms = names{"RS256", "PS256", "ES256", "EdDSA"}

// problems are what is wrong with one issuer.
func (i *Issuer) problems() (ps []string) {
	wrong := func(ok bool, format string, args ...any) {
		if !ok {
			ps = append(ps, fmt.Sprintf(format, args...))
		}
	}
	wrong(i.Issuer != "" && len(i.Issuer) <= maxIssuer, "issuer: it has 1 to %d characters, the claim iss letter by letter", maxIssuer)
	wrong(len(i.Audience) > 0 && !slices.Contains(i.Audience, ""), "audience: name what tokens for Roster have in aud; without it a token for any other program would do")
	ps = append(ps, i.keyProblems()...)
	for _, a := range i.Algorithms {
		wrong(slices.Contains(algorithms, a), "algorithms: %q is none of %s", a, strings.Join(algorithms, ", "))
	}
	wrong(i.Leeway == nil || (*i.Leeway >= 0 && *i.Leeway <= duration(maxLeeway)), "leeway: it is 0s to %s", maxLeeway)
	for _, claim := range slices.Sorted(maps.Keys(i.Require)) {
		wrong(claim != "" && len(i.Require[claim]) > 0, "require: %q names a claim and the values of which it must have one", claim)
	}
	for _, paths := range []names{i.Username, i.Email, i.FullName, i.RoleClaims} {
		wrong(!slices.Contains(paths, ""), "a claim's name is not empty")
	}
	for _, name := range slices.Sorted(maps.Keys(i.Grants)) {
		_, err := grantOf(i.Grants[name])
		wrong(err == nil, "grants: %q: %v", name, err)
	}
	_, err := grantOf(i.Always)
	wrong(err == nil, "always: %v", err)
	wrong(slices.Contains([]string{"", "create", "known"}, i.Users), "users: %q is neither create nor known", i.Users)
	_, ok := linkings[i.Link]
	wrong(ok, "link: %q is none of none, username, externalId", i.Link)
	wrong(i.Users != "known" || linkings[i.Link] != directory.LinkNone, "users: known goes with a link: else nobody is ever known")
	wrong(slices.Contains([]string{"", "add", "ignore"}, i.StoredRoles), "storedRoles: %q is neither add nor ignore", i.StoredRoles)
	return ps
}

var linkings = map[string]directory.Linking{
	"": directory.LinkNone, "none": directory.LinkNone, "username": directory.LinkUsername, "externalId": directory.LinkExternalID,
}

// keyProblems are what is wrong with where an issuer's keys come from.
func (i *Issuer) keyProblems() []string {
	switch {
	case i.JWKS != nil && i.JWKSURI != "":
		return []string{"jwks, jwksUri: the keys are given, or fetched, not both"}
	case i.JWKS != nil:
		if set, err := parseKeys(i.JWKS); err != nil || len(set) == 0 {
			return []string{"jwks: it holds no public key that can verify a signature"}
		}
	case i.JWKSURI != "":
		if err := fetchable(i.JWKSURI); err != nil {
			return []string{"jwksUri: " + err.Error()}
		}
	default:
		if err := fetchable(i.Issuer); err != nil {
			return []string{"issuer: " + err.Error() + "; or say jwksUri or jwks"}
		}
	}
	return nil
}

// fetchable refuses addresses from which keys would come over an open network.
func fetchable(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("it is not an address to fetch keys from")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errors.New("keys are fetched over https, but from this machine itself")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// trust is what the issuer is trusted with.
func (i *Issuer) trust() directory.Trust {
	return directory.Trust{CreatesUsers: i.Users != "known", Links: linkings[i.Link], SoleRoles: i.StoredRoles == "ignore"}
}

// allowed are the algorithms that the issuer may sign with.
func (i *Issuer) allowed() []jose.SignatureAlgorithm {
	var as []jose.SignatureAlgorithm
	for _, a := range orElse(i.Algorithms, defaultAlgorithms) {
		as = append(as, jose.SignatureAlgorithm(a))
	}
	return as
}

func (i *Issuer) leeway() time.Duration {
	if i.Leeway == nil {
		return defaultLeeway
	}
	return time.Duration(*i.Leeway)
}

func orElse(given, byDefault names) names {
	if len(given) > 0 {
		return given
	}
	return byDefault
}
