package alldoors_test

import (
	"strings"
	"testing"
	"time"

	"roster/internal/directory"
	"roster/internal/limit"
)

// TestDoorBudget spends a caller's points at each door: the last of them is taken, and the next request is refused in the door's own
// form until what it cost, the length of the first answer included, has grown back.
func TestDoorBudget(t *testing.T) {
	t.Parallel()
	for name := range probes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.ask(rootSecret, `mutation { createGroup(input: {name: "ops", description: "`+strings.Repeat("long ", 600)+`"}) { dryRun } }`, nil, &struct{}{})
			at := time.Unix(1e9, 0)
			w.budget, w.doors = limit.NewBudget(10, func() time.Time { return at }), nil
			w.serve(nil)
			first := w.probe(name, "", "")
			if got := first.header.Get("RateLimit"); first.status != 200 || got != `"points";r=0;t=60` {
				t.Errorf("with the last points: %s, %s", first, got)
			}
			status := 429
			if name == "cds" {
				status = 503 // it documents no other
			}
			if a := w.probe(name, "", ""); a.status != status || a.header.Get("Retry-After") == "" {
				t.Errorf("without points: %s, Retry-After %q", a, a.header.Get("Retry-After"))
			}
			owed := min(len(first.body)/256, 10) // of ten points a minute, and no more than a minute's worth
			at = at.Add(time.Minute + time.Duration(owed)*6*time.Second)
			if owed > 0 {
				at = at.Add(-time.Second)
				if a := w.probe(name, "", ""); a.status != status {
					t.Errorf("before all has grown back: %s", a)
				}
				at = at.Add(time.Second)
			}
			if a := w.probe(name, "", ""); a.status != 200 {
				t.Errorf("when all has grown back: %s", a)
			}
		})
	}
}

// TestLogInsCost: a log-in, which finds its caller by itself, is paid by that caller, before a session is made.
func TestLogInsCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	user := directory.UserByName(directory.FirstAdmin)
	secret, id := w.fresh(t, directory.CreateTokenInput{User: &user, Scopes: directory.Permissions})
	at := time.Unix(1e9, 0)
	w.budget, w.doors = limit.NewBudget(20, func() time.Time { return at }), nil
	w.serve(nil)
	logIn := func() answer {
		return w.send(request{method: "POST", path: "/api/web/v1/adminapi/authenticate", header: map[string]string{"Content-Type": "application/json"},
			body: `{"applicationId":"` + id + `","sharedSecret":"` + secret + `"}`})
	}
	for range 2 {
		if a := logIn(); a.status != 200 || a.header.Get("RateLimit") == "" {
			t.Errorf("%s %s", a, a.header)
		}
	}
	if a := logIn(); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("without points: %s", a)
	}
}
