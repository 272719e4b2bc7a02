package alldoors_test

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// TestOnce sends every write of every way in under an Idempotency-Key, and again: what was done is answered to the byte as it was, and
// done no second time; what was refused leaves the key free; another request under it is refused.
func TestOnce(t *testing.T) {
	t.Parallel()
	for door, ops := range operations {
		t.Run(string(door), func(t *testing.T) {
			t.Parallel()
			r := &run{w: newWorld(t, nil), rng: rand.New(rand.NewPCG(7, 0)), read: map[directory.Door]map[fact]bool{}, door: door, by: root}
			r.populate()
			gone := func(o operation) bool { return strings.Contains(strings.ToLower(o.name), "delete") }
			ops := slices.SortedStableFunc(slices.Values(ops), func(a, b operation) int { return cmp.Compare(btoi(gone(a)), btoi(gone(b))) })
			for _, o := range ops { // what deletes groups comes last
				if !r.twice(o) {
					t.Errorf("%s was never done: choose another seed", o.name)
				}
			}
			if text := r.w.log.String(); text != "" {
				t.Errorf("something was Roster's fault: %s", text)
			}
		})
	}
}

// twice does an operation under a key until it is done, and repeats it then.
func (r *run) twice(o operation) (done bool) {
	r.w.t.Helper()
	for range 150 {
		s := o.step(r)
		key := r.fresh("key")
		first := r.w.send(s.request.with("Idempotency-Key", key))
		if s.outcome.code != "" {
			if kept := r.keys(key); kept != 0 {
				r.w.t.Errorf("%s is refused and kept: %s", o.name, first)
			}
			continue
		}
		r.model = s.next
		r.compare()
		before := r.w.tables()
		again := r.w.send(s.request.with("Idempotency-Key", `"`+key+`"`))
		r.compareAnswers(o, s, first, again)
		other := s.request
		other.path += "?other=1"
		if s.request.path == "/graphql" {
			other = graphql(rootSecret, `mutation { createGroup(input: {name: "other"}) { dryRun } }`, nil)
		}
		if a := r.w.send(other.with("Idempotency-Key", key)); !refusedKey(a) {
			r.w.t.Errorf("%s: another request under the key: %s", o.name, a)
		}
		if d := gocmp.Diff(before, r.w.tables()); d != "" {
			r.w.t.Errorf("%s was done again (-before +after):\n%s", o.name, d)
		}
		return true
	}
	return false
}

// refusedKey reports whether a request was refused for its key.
func refusedKey(a answer) bool {
	return strings.Contains(a.body, "choose another key") && (strings.Contains(a.body, `"CONFLICT"`) || a.status >= 400 && a.status < 500)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *run) compareAnswers(o operation, s step, first, again answer) {
	r.w.t.Helper()
	if o.name == "generateToken" || o.name == "createToken" {
		if strings.Contains(again.body, "rst_") || !strings.Contains(again.body, "is not shown again") {
			r.w.t.Errorf("%s again: %s", o.name, again)
		}
		return
	}
	if d := gocmp.Diff(first.body, again.body); d != "" || first.status != again.status {
		r.w.t.Errorf("%s: %s, and again %s (-first +again):\n%s", o.name, first, again, d)
	}
	if d := gocmp.Diff(lasting(first.header), lasting(again.header)); d != "" {
		r.w.t.Errorf("%s: the headers (-first +again):\n%s", o.name, d)
	}
}

// lasting are the headers of an answer but for those that tell of the request and its time.
func lasting(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "Etag", "X-Api-Time", "X-Api-Nanoseconds-Time"} {
		h.Del(name)
	}
	return h
}

// keys is how often a key is kept.
func (r *run) keys(key string) (n int) {
	r.w.t.Helper()
	if err := r.w.beside.QueryRowContext(r.w.context(), "SELECT count(*) FROM idempotency_keys WHERE key = $1", key).Scan(&n); err != nil {
		r.w.t.Fatal(err)
	}
	return n
}

// TestOnceTogether: of many requests at once under one key, at each door, one is done and all are answered the same.
func TestOnceTogether(t *testing.T) {
	t.Parallel()
	for door, req := range map[directory.Door]request{
		directory.DoorCDS:              {method: "POST", path: "/group", body: `{"name":"new"}`},
		directory.DoorEntrust:          {method: "POST", path: entrustRoot + "/groups", body: `{"name":"new"}`},
		directory.DoorAuthress:         {method: "POST", path: "/v1/groups", body: `{"name":"new","users":[],"admins":[]}`, header: map[string]string{"Content-Type": "application/json"}},
		directory.DoorD4Science:        {method: "POST", path: "/groups", body: "group=new", header: urlencoded},
		directory.DoorEnterpriseTester: {method: "POST", path: "/api/groups", body: `{"Name":"new","Description":""}`, header: map[string]string{"Content-Type": "application/json"}},
	} {
		t.Run(string(door), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			var all sync.WaitGroup
			start, answers := make(chan struct{}), make([]answer, 16)
			for i := range answers {
				all.Go(func() {
					<-start
					answers[i] = w.send(authorised(door, rootSecret, req).with("Idempotency-Key", "k"))
				})
			}
			close(start)
			all.Wait()
			for i, a := range answers {
				if a.body != answers[0].body || a.status/100 != 2 {
					t.Errorf("answer %d is %s, the first %s", i, a, answers[0])
				}
			}
			var n int
			if err := w.beside.QueryRowContext(t.Context(), "SELECT count(*) FROM changes WHERE kind = 'GROUP_CREATED'").Scan(&n); err != nil || n != 1 {
				t.Errorf("%d groups made, %v", n, err)
			}
		})
	}
}

// TestOnceForms: a form whose parts have another boundary in every try is the same request.
func TestOnceForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 3 {
		boundary := "boundary-" + strconv.Itoa(i)
		body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"group\"\r\n\r\nreef\r\n--" + boundary + "--\r\n"
		a := w.send(authorised(directory.DoorD4Science, rootSecret, request{method: "POST", path: "/groups", body: body,
			header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary, "Idempotency-Key": "k"}}))
		if a.status != 200 || a.body != "reef" {
			t.Errorf("try %d: %s", i, a)
		}
	}
}

// TestOnceKeyInvalid: a key that is none is refused in the form of each door, and nothing is done.
func TestOnceKeyInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, door := range waysIn {
		path := map[directory.Door]string{directory.DoorCDS: "/group", directory.DoorEntrust: entrustRoot + "/groups", directory.DoorAuthress: "/v1/groups",
			directory.DoorD4Science: "/groups", directory.DoorEnterpriseTester: "/api/groups"}[door]
		if path == "" {
			continue
		}
		before := w.tables()
		a := w.send(authorised(door, rootSecret, request{method: "POST", path: path, body: "{}", header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}}))
		if a.status < 400 || a.status >= 500 || w.tables() != before {
			t.Errorf("%s: %s", door, a)
		}
	}
}
