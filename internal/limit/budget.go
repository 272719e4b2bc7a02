// Package limit bounds what callers may use up: points over time (Budget), and things held open at once (Slots). Both live in
// this process: several servers on one database each give a caller what is said here.
package limit

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"roster/internal/directory"
)

// maxCallers is how many callers are remembered. Who has been forgotten begins with a full budget again.
const maxCallers = 10_000

// Budget gives every caller points that grow back: a token bucket each, that holds a minute's worth. A user has one budget, whichever
// of their tokens they use, a group's token its own, and everybody without a credential share one. A nil Budget has no end.
type Budget struct{ *buckets[uuid.UUID] }

// NewBudget gives so many points a minute; nil, which gives any number, for none.
func NewBudget(perMinute int, now func() time.Time) *Budget {
	if perMinute <= 0 {
		return nil
	}
	return &Budget{newBuckets[uuid.UUID](perMinute, maxCallers, now)}
}

// State is where a caller's budget stands. The zero State is that of a budget without an end.
type State struct {
	Limit     int           // points a minute, and at most
	Remaining int           // points left
	Full      time.Duration // until all of them are there again
	Retry     time.Duration // until what was refused could be paid
}

// Spend takes the points, all or none, and says whether they were there.
func (b *Budget) Spend(by directory.Caller, points int) (State, bool) {
	if b == nil {
		return State{}, true
	}
	now, l := b.now(), b.of(keyOf(by))
	paid := l.AllowN(now, points)
	s := b.state(l.TokensAt(now))
	if !paid {
		s.Retry = b.time(float64(points) - l.TokensAt(now))
	}
	return s, paid
}

// Book takes points for what has already happened. The budget may fall below nothing, by no more than a minute's worth at a time.
func (b *Budget) Book(by directory.Caller, points int) {
	if b != nil && points > 0 {
		b.of(keyOf(by)).ReserveN(b.now(), min(points, b.perMinute))
	}
}

func (b *Budget) state(points float64) State {
	return State{Limit: b.perMinute, Remaining: int(max(0, points)), Full: b.time(float64(b.perMinute) - points)}
}

// Header tells the state as draft-ietf-httpapi-ratelimit-headers does, and after a refusal when to come back (RFC 9110, 10.2.3).
func (s State) Header(h http.Header) {
	if s.Limit == 0 {
		return
	}
	h.Set("RateLimit-Policy", `"points";q=`+strconv.Itoa(s.Limit)+`;w=60`)
	h.Set("RateLimit", `"points";r=`+strconv.Itoa(s.Remaining)+`;t=`+strconv.Itoa(Seconds(s.Full)))
	if s.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(Seconds(s.Retry)))
	}
}

// Seconds are whole seconds, never too few.
func Seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// Refusal is the error of a caller whose budget is used up.
func (s State) Refusal() *directory.Error {
	return &directory.Error{Code: directory.TooManyRequests, Limit: "points",
		Message: "You have used up your points; " + strconv.Itoa(s.Limit) + " grow back a minute. Try again in " + strconv.Itoa(Seconds(s.Retry)) + " s."}
}

func keyOf(by directory.Caller) uuid.UUID {
	switch {
	case by.User != nil:
		return by.User.UUID
	case by.Token != nil:
		return by.Token.UUID
	}
	return uuid.Nil
}
