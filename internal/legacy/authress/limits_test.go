package authress_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"roster/internal/legacy/legacytest"
)

type wireGroup struct {
	GroupID string              `json:"groupId,omitempty"`
	Name    string              `json:"name"`
	Users   []map[string]string `json:"users"`
	Admins  []map[string]string `json:"admins"`
}

// What other doors made beyond Authress's own limits is shown as it is, and a group can be written back with the people it has.
func TestBeyondTheLimits(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	people := make([]string, 250)
	for i := range people {
		people[i] = fmt.Sprintf("Jürgen #%d", i)
		w.Step([]string{"user", people[i]})
	}
	name := strings.Repeat("long ", 40) + "name"
	w.Step([]string{"group", name, "handle=g", "members=" + strings.Join(people, ","), "admins=" + people[0]})
	var g wireGroup
	send(t, w, "GET", "", &g)
	if g.Name != name || len(g.Users) != 250 || len(g.Admins) != 1 {
		t.Fatalf("%q with %d users and %d admins", g.Name, len(g.Users), len(g.Admins))
	}
	g.Name = "short"
	body, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back wireGroup
	send(t, w, "PUT", string(body), &back)
	if back.Name != "short" || len(back.Users) != 250 {
		t.Errorf("%q with %d users", back.Name, len(back.Users))
	}
}

// The only bound on people is the size of the group.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	w := legacytest.New(t, kit)
	w.Step([]string{"group", "g", "handle=g"})
	g := wireGroup{Name: "g", Admins: []map[string]string{}}
	for i := range 4_000 {
		g.Users = append(g.Users, map[string]string{"userId": fmt.Sprintf("u%d", i)})
	}
	body, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back wireGroup
	send(t, w, "PUT", string(body), &back)
	if len(back.Users) != len(g.Users) {
		t.Errorf("%d users", len(back.Users))
	}
}

func send(t *testing.T, w *legacytest.World, method, body string, to any) {
	t.Helper()
	status, _, answer := legacytest.Answer(w.Send(method + " /v1/groups/g HTTP/1.1\nAuthorization: Bearer {{root.secret}}\n\n" + body))
	if err := json.Unmarshal([]byte(answer), to); status != 200 || err != nil {
		t.Fatalf("%s: %d %.300s (%v)", method, status, answer, err)
	}
}
