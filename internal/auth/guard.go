package auth

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"roster/internal/directory"
	"roster/internal/limit"
	"roster/internal/observe"
)

// Guard bounds how many wrong credentials an address may send. What is counted is failures, by the client's address and never by the
// user: nobody can lock another out by guessing in their name. A credential that is remembered as good does not come here at all.
// One that is not is refused unseen once the address has used up its failures: so guesses cost neither Postgres nor a signature's check. The
// price is that somebody behind that very address whom this server has not met has to wait, for as long as it takes one failure to grow back.
type Guard struct {
	Failures *limit.Failures // nil: any number
	Proxies  []netip.Prefix  // whose word about the client's address is taken
	Log      *slog.Logger

	unheeded sync.Once
}

// attempts is a request's part in it.
type attempts struct {
	guard   *Guard
	request *http.Request
	header  http.Header // of the answer
}

// With is ctx, that of a request, with what Attempt counts by. A nil Guard counts nothing.
func (g *Guard) With(ctx context.Context, w http.ResponseWriter, r *http.Request) context.Context {
	if g == nil || g.Failures == nil {
		return ctx
	}
	return context.WithValue(ctx, attemptsKey, &attempts{guard: g, request: r, header: w.Header()})
}

// Handler gives every request that, where nothing else is done for all of them.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(g.With(r.Context(), w, r)))
	})
}

// client is the address of the client: the nearest that no trusted proxy vouches for. X-Forwarded-For is read from its end, which the
// nearest proxy wrote; what a client puts at its beginning counts for nothing.
func (g *Guard) client(r *http.Request) netip.Addr {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	at, _ := netip.ParseAddr(host)
	at = at.Unmap()
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if forwarded[0] != "" && !g.trusts(at) && len(g.Proxies) == 0 && at.IsLoopback() {
		g.unheeded.Do(func() {
			g.Log.WarnContext(r.Context(), "X-Forwarded-For is not heeded: if a proxy sends it, name its address in -trusted-proxies, or all its clients count as one")
		})
	}
	for _, text := range slices.Backward(forwarded) {
		before, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || !g.trusts(at) {
			return at
		}
		at = before.Unmap()
	}
	return at
}

func (g *Guard) trusts(at netip.Addr) bool {
	return slices.ContainsFunc(g.Proxies, func(p netip.Prefix) bool { return p.Contains(at) })
}

// refused has metrics say why a credential was not taken.
func refused(ctx context.Context, err error) {
	var reason refusal
	seen := observe.Of(ctx)
	switch {
	case err == nil:
	case errors.As(err, &reason):
		seen.Refused("issuer")
	case errors.Is(err, directory.ErrExpired):
		seen.Refused("expired")
	case errors.Is(err, directory.ErrRevoked):
		seen.Refused("revoked")
	case directory.CodeOf(err) == directory.Unauthenticated:
		seen.Refused("unknown")
	default:
		seen.Refused("unavailable")
	}
}

// Attempt runs a check of a credential that came from the client of the request, unless there were too many wrong ones from there, and counts
// one that turns out wrong. known says that the credential is remembered as good: then it is not held against the address what others
// sent; it is asked where it matters. Codes: TOO_MANY_REQUESTS, with Retry-After.
func Attempt[Out any](ctx context.Context, known func() bool, check func() (Out, error)) (Out, error) {
	a, _ := ctx.Value(attemptsKey).(*attempts)
	if a == nil || a.guard.Failures == nil {
		out, err := check()
		refused(ctx, err)
		return out, err
	}
	client := a.guard.client(a.request) //nolint:contextcheck // the request carries it
	if wait := a.guard.Failures.Wait(client); wait > 0 && !known() {
		a.header.Set("Retry-After", strconv.Itoa(limit.Seconds(wait)))
		var none Out
		observe.Of(ctx).Refused("failures")
		return none, &directory.Error{Code: directory.TooManyRequests, Limit: "failures", Message: "Too many wrong credentials came from your address. Try again in " +
			strconv.Itoa(limit.Seconds(wait)) + " s."}
	}
	out, err := check()
	refused(ctx, err)
	if err != nil && directory.CodeOf(err) == directory.Unauthenticated {
		a.guard.Failures.Count(client)
	}
	return out, err
}
