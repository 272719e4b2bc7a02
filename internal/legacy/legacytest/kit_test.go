package legacytest_test

import (
	"net/http"
	"strings"
	"testing"

	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/legacytest"
)

// echo is a door that answers with what it was sent.
func echo(*directory.Service) legacy.Door {
	return legacy.Door{
		Name: directory.DoorCDS, Owns: func(s []string) bool { return s[0] == "echo" },
		Routes: []legacy.Route{{Operation: "echo", Method: "POST", Pattern: "/echo", Handle: func(w http.ResponseWriter, r *legacy.Request) error {
			w.Header().Set("X-Stamp", "2026-01-02T03:04:05Z")
			w.Header().Set("X-Caller", r.By.User.Username)
			_, err := w.Write(append([]byte(r.Host+r.URL.RequestURI()+"\n"), r.Body()...))
			return err
		}}},
		Credential: func(r *http.Request) (string, bool) { _, p, ok := r.BasicAuth(); return p, ok },
		Fail: func(w http.ResponseWriter, _ *legacy.Request, err error) {
			http.Error(w, err.Error(), http.StatusTeapot)
		},
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	legacytest.Run(t, legacytest.Kit{Door: echo}, "testdata")
}

func TestState(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, legacytest.Kit{Door: echo})
	w.Step([]string{"user", "bob"})
	w.Step([]string{"group", "ops", "admins=bob", "members=bob", "tags=a:b"})
	before := w.State()
	if !strings.Contains(before, `"ops"`) || !strings.Contains(before, "admins=[bob]") || before != w.State() {
		t.Error(before)
	}
	w.Step([]string{"user", "carol"})
	w.Step([]string{"member", "ops", "user=carol"})
	if after := w.State(); after == before || !strings.Contains(after, "members=[bob carol]") {
		t.Error(after)
	}
}
