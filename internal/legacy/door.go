// Package legacy serves the REST APIs of other group systems over the directory, so that programs written against them go on
// working unchanged. Each system is a door: a package of its own below this one, which says its routes, where its clients put
// their credential, and what its errors look like. A route's handler is decode → one call of the directory → encode.
//
// This package holds what doors share: the router (by segments, so that %2F stays inside a name and no redirect or HTML page
// of net/http ever answers), authentication, body limits, panics, and deprecation headers.
package legacy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
	"roster/internal/observe"
)

// Door is one legacy API.
type Door struct {
	Name   directory.Door
	Routes []Route // the first that matches answers
	// FirstPath makes the first pattern that fits a path the only one, whatever methods it has: /group/public hides a group of
	// that name from every method of /group/{name}.
	FirstPath bool
	// Owns says which paths are the door's even where no route matches: it answers them with its own "no such route".
	Owns func(segments []string) bool
	// Credential finds the secret of a request; "" for none, false for something that is no credential at all.
	Credential func(r *http.Request) (secret string, ok bool)
	// Fail writes an error as the system's own envelope and status. err is a *directory.Error or a *RouteError.
	Fail func(w http.ResponseWriter, r *Request, err error)
	// Preflight, if set, answers OPTIONS on a known path before any authentication.
	Preflight func(w http.ResponseWriter, r *Request)
	// Before, if set, sets headers that every answer of the door carries.
	Before func(w http.ResponseWriter, r *Request)
}

// Route is one operation of a door.
type Route struct {
	Operation string // its name in the system's own documents, for metrics, logs and the OpenAPI document
	Method    string
	Pattern   string // "/group/{name}/user/{user}": a variable is one segment, decoded
	MaxBody   int64  // bytes; 0: 1 MiB
	Open      bool   // needs no credential
	Handle    Handler
}

// Handler answers a request, or says what is wrong. What it has begun to write by then is broken off.
type Handler func(w http.ResponseWriter, r *Request) error

// Request is an HTTP request that a route matched, with its caller.
type Request struct {
	*http.Request
	By   directory.Caller
	Base string // scheme, host and door prefix, for the absolute links that some answers carry
	vars map[string]string
	body []byte
	key  string // Idempotency-Key; "" for none

	spend func(directory.Caller) error
}

// Var is a variable of the route's pattern, decoded.
func (r *Request) Var(name string) string { return r.vars[name] }

// Found says whose request it is, where an open route finds that out by itself, and takes what a request costs from their budget.
// Codes: TOO_MANY_REQUESTS.
func (r *Request) Found(by directory.Caller) error {
	r.By = by
	return r.spend(by)
}

// Body is the request's body, whole.
func (r *Request) Body() []byte { return r.body }

// RouteError says that no route matches: the path is unknown, or it is known and the method is not.
type RouteError struct {
	KnownPath bool
	Allow     []string // the methods that a known path has
}

func (e *RouteError) Error() string { return "no such route" }

// Setting is how a door is mounted.
type Setting struct {
	Off    bool
	Prefix string // "/EnterpriseTester"; "" is the root
	Host   string // the only host name that the door answers to; "" is any
	// Deprecation and Link are headers of every answer (RFC 9745, RFC 8288); "" for none: unchanged means unchanged.
	Deprecation, Link string
}

// Deps are what doors work with.
type Deps struct {
	Directory *directory.Service
	Issuers   *auth.Verifier // nil: only Roster's own tokens are taken
	Log       *slog.Logger
	Observer  *observe.Observer // nil: nobody counts
	Budget    *limit.Budget     // nil: callers may do as much as they like
}

// Mounted is a door in its place.
type Mounted struct {
	Door
	Setting
	deps    Deps
	routes  []compiled
	nowhere *observe.Route // where no route matches
}

type compiled struct {
	Route
	segments []string
	seen     *observe.Route
}

// Mount puts a door in its place.
func Mount(d Door, s Setting, deps Deps) *Mounted {
	m := &Mounted{Door: d, Setting: s, deps: deps, nowhere: deps.Observer.Route(d.Name, "", "", "")}
	for _, r := range d.Routes {
		m.routes = append(m.routes, compiled{r, strings.Split(strings.TrimPrefix(r.Pattern, "/"), "/"),
			deps.Observer.Route(d.Name, r.Operation, r.Method, r.Pattern)})
	}
	return m
}

// Serve answers what belongs to one of the doors, and hands everything else to next.
func Serve(doors []*Mounted, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, d := range doors {
			if segments, ok := d.claims(r); ok {
				d.serve(w, r, segments)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// claims reports whether a request is the door's, and the segments of its path below the door's prefix.
func (m *Mounted) claims(r *http.Request) ([]string, bool) {
	if m.Off || (m.Host != "" && !strings.EqualFold(hostname(r.Host), m.Host)) {
		return nil, false
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), m.Prefix+"/")
	if !ok {
		return nil, false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		var err error
		if segments[i], err = url.PathUnescape(s); err != nil {
			return nil, false
		}
	}
	return segments, m.Owns(segments)
}

func hostname(host string) string {
	u := url.URL{Host: host}
	return u.Hostname()
}

func (m *Mounted) serve(w http.ResponseWriter, hr *http.Request, segments []string) {
	rec := &recorder{ResponseWriter: w}
	r := &Request{Request: hr, Base: base(hr) + m.Prefix}
	route, allow := m.match(hr.Method, segments, r)
	known := len(allow) > 0
	seen := observe.Of(hr.Context())
	seen.Routed(route.seen)
	broken := false
	defer func() { //nolint:contextcheck // as below
		if p := recover(); p != nil {
			broken = m.fail(hr.Context(), rec, r, fmt.Errorf("panic: %v", p))
		}
		if broken {
			panic(http.ErrAbortHandler)
		}
	}()
	if m.Deprecation != "" {
		rec.Header().Set("Deprecation", m.Deprecation)
	}
	if m.Link != "" {
		rec.Header().Set("Link", m.Link)
	}
	if m.Before != nil {
		m.Before(rec, r)
	}
	switch {
	case known && hr.Method == http.MethodOptions && m.Preflight != nil:
		m.Preflight(rec, r)
		return
	case route.Handle == nil:
		seen.Fail(directory.NotFound, "")
		m.Fail(rec, r, &RouteError{KnownPath: known, Allow: allow})
		return
	}
	if ctx := seen.Calls(hr.Context()); ctx != hr.Context() {
		r.Request = hr.WithContext(ctx)
	}
	if err := m.answer(rec, r, route.Route); err != nil { //nolint:contextcheck // the request carries it
		broken = m.fail(hr.Context(), rec, r, err)
	}
	seen.Operated()
	if r.By.Known() {
		m.deps.Budget.Book(r.By, (len(r.body)+rec.bytes)/bytesPerPoint)
	}
}

// match finds the route of a request, and the methods that its path has up to there: all of them if none is this one.
func (m *Mounted) match(method string, segments []string, r *Request) (found compiled, allow []string) {
	pattern := ""
	for _, c := range m.routes {
		vars, ok := fits(c.segments, segments)
		if !ok || (m.FirstPath && pattern != "" && c.Pattern != pattern) {
			continue
		}
		pattern = c.Pattern
		allow = append(allow, c.Method)
		if c.Method == method {
			r.vars = vars
			return c, allow
		}
	}
	return compiled{seen: m.nowhere}, allow
}

func fits(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	vars := map[string]string{}
	for i, p := range pattern {
		if name, ok := strings.CutPrefix(p, "{"); ok {
			if segments[i] == "" {
				return nil, false
			}
			vars[strings.TrimSuffix(name, "}")] = segments[i]
		} else if p != segments[i] {
			return nil, false
		}
	}
	return vars, true
}

// deadline bounds a request, or the time between two pieces of an answer; what Postgres has not answered by then is UNAVAILABLE.
const deadline = 30 * time.Second

// What a request costs its caller: how much it answers is known afterwards, and booked then. In GraphQL a small object is a point.
const (
	requestPoints = 10
	bytesPerPoint = 256 // of both bodies
)

// answer authenticates, reads the body and runs the route.
func (m *Mounted) answer(w *recorder, r *Request, route Route) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w.late = time.AfterFunc(deadline, cancel)
	defer w.late.Stop()
	r.Request = r.WithContext(ctx)
	r.By = directory.Caller{Via: m.Name, RequestID: auth.RequestIDOf(ctx)}
	r.spend = func(by directory.Caller) error {
		state, paid := m.deps.Budget.Spend(by, requestPoints)
		state.Header(w.Header())
		if !paid {
			return state.Refusal()
		}
		return nil
	}
	secret := ""
	if !route.Open {
		var ok bool
		if secret, ok = m.Credential(r.Request); !ok || secret == "" {
			observe.Of(ctx).Refused("missing")
			return &directory.Error{Code: directory.Unauthenticated, Message: "There is no credential."}
		}
		by, err := auth.Identify(ctx, m.deps.Directory, m.deps.Issuers, secret, m.Name)
		if err != nil {
			return err
		}
		if err := r.Found(standing(route, by)); err != nil {
			return err
		}
	}
	if err := r.read(route); err != nil {
		return err
	}
	if err := firstOf(r.keyed(), auth.Sight(ctx)); err != nil {
		return err
	}
	return m.handle(w, r, route, secret)
}

// read reads the request's body, up to the route's limit.
func (r *Request) read(route Route) error {
	limit := route.MaxBody
	if limit == 0 {
		limit = 1 << 20
	}
	body, err := io.ReadAll(io.LimitReader(r.Request.Body, limit+1))
	if err != nil {
		return &directory.Error{Code: directory.Invalid, Field: "body", Message: "The body could not be read.", Cause: err}
	}
	if int64(len(body)) > limit {
		return &directory.Error{Code: directory.LimitExceeded, Field: "body", Limit: "body", Message: fmt.Sprintf("The body is larger than %d bytes.", limit)}
	}
	r.body = body
	return nil
}

// handle runs the route, and once more for the caller found anew if it turns out that what was remembered of it no longer holds
// (directory.ErrStale): before the first byte of the answer, and before anything was done.
func (m *Mounted) handle(w *recorder, r *Request, route Route, secret string) error {
	if secret == "" {
		return route.Handle(w, r)
	}
	w.verify = func() error { return m.deps.Directory.Verify(r.Context(), r.By) }
	err := route.Handle(w, r)
	verr := w.verified()
	switch {
	case verr == nil && !directory.IsStale(err):
		return err
	case verr != nil && !directory.IsStale(verr):
		return verr
	}
	by, err := auth.IdentifyAgain(r.Context(), m.deps.Directory, m.deps.Issuers, secret, m.Name)
	if err != nil {
		return err
	}
	r.By = standing(route, by)
	w.refused = nil
	w.Header().Del("Content-Length") // of the answer that was not sent
	return route.Handle(w, r)
}

// standing is the caller of a route. What a route that writes reads before, it reads from the primary.
func standing(route Route, by directory.Caller) directory.Caller {
	if route.Method != http.MethodGet {
		return by.Deciding()
	}
	return by
}

// fail answers an error, and logs it where it is ours. It reports whether the answer has to be broken off instead: one that has
// begun cannot become an error, and ended in order it would pass for whole. ctx is the client's: if it is done, nobody is to blame.
func (m *Mounted) fail(ctx context.Context, w *recorder, r *Request, err error) (broken bool) {
	e := directory.AsError(err)
	observe.Of(ctx).Fail(e.Code, e.Limit)
	if (e.Code == directory.Internal || e.Code == directory.Unavailable) && ctx.Err() == nil {
		m.deps.Log.ErrorContext(ctx, "request failed", "request_id", auth.RequestIDOf(ctx), "door", m.Name, "code", e.Code, "cause", e.Cause)
	}
	auth.RecordDenial(ctx, m.deps.Log, r.By, e)
	if w.status != 0 {
		return true
	}
	w.verify, w.refused = nil, nil // an error is about no one's rights any more
	w.Header().Del("Content-Length")
	if e.Code == directory.Unavailable {
		w.Header().Set("Retry-After", directory.RetryAfter)
	}
	m.Fail(w, r, e)
	return false
}

// recorder remembers the status of an answer, and how long it is. The first byte of one waits for verify, and where that fails none is sent.
type recorder struct {
	http.ResponseWriter
	status  int
	late    *time.Timer // ends the request
	bytes   int
	verify  func() error
	refused error
}

func (w *recorder) verified() error {
	if w.status == 0 && w.refused == nil && w.verify != nil {
		w.refused = w.verify()
	}
	return w.refused
}

func (w *recorder) WriteHeader(status int) {
	if w.verified() != nil {
		return
	}
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write puts the end off: whoever still takes what is written gets the next piece as well.
func (w *recorder) Write(b []byte) (int, error) {
	if err := w.verified(); err != nil {
		return 0, err
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	if w.late != nil && err == nil {
		w.late.Reset(deadline)
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// base is the scheme and host that the client sees.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
