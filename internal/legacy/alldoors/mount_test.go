package alldoors_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/observe"
)

// probes are a read of each door that an administrator is answered with 200.
var probes = map[string]string{"cds": "/group", "entrust": "/api/web/v1/groups", "authress": "/v1/groups", "d4science": "/groups", "enterprisetester": "/api/groups"}

// probe asks a door for its groups, with what is put before its path, at a host.
func (w *world) probe(name, prefix, host string) answer {
	w.t.Helper()
	return w.send(authorised(w.nameOfDoor(name), rootSecret, request{method: "GET", path: prefix + probes[name], host: host}))
}

// every mounts all doors in the same way.
func every(s legacy.Setting) map[string]legacy.Setting {
	out := map[string]legacy.Setting{}
	for name := range probes {
		out[name] = s
	}
	return out
}

// notServed reports whether the answer is that of what is no door's.
func notServed(a answer) bool {
	return a.status == 404 && a.header.Get("Content-Type") == "application/json" && a.body == nobodys
}

// TestOff switches each door off by itself: its paths are nobody's then, and the others go on.
func TestOff(t *testing.T) {
	t.Parallel()
	for off := range probes {
		t.Run(off, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]legacy.Setting{off: {Off: true}})
			for name := range probes {
				if a := w.probe(name, "", ""); name == off && !notServed(a) || name != off && a.status != 200 {
					t.Errorf("%s is off, and %s answers %s", off, name, a)
				}
			}
			for path := range systems[off].paths {
				if a := w.send(request{method: "GET", path: path}); !notServed(a) {
					t.Errorf("%s is off, and GET %s is %s", off, path, a)
				}
			}
		})
	}
}

// TestPrefix serves all doors below prefixes, and none of them anywhere else.
func TestPrefix(t *testing.T) {
	t.Parallel()
	prefixes := map[string]string{"cds": "/cds", "entrust": "/a/b", "authress": "/a", "d4science": "/d4", "enterprisetester": "/EnterpriseTester"}
	settings := map[string]legacy.Setting{}
	for name, p := range prefixes {
		settings[name] = legacy.Setting{Prefix: p}
	}
	w := newWorld(t, settings)
	for name, p := range prefixes {
		if a := w.probe(name, p, ""); a.status != 200 {
			t.Errorf("%s below %s: %s", name, p, a)
		}
		for _, elsewhere := range []string{"", p + "x", strings.ToUpper(p) + "/", p + "/" + p} {
			if a := w.probe(name, elsewhere, ""); a.status == 200 {
				t.Errorf("%s is below %s, and answers below %q: %s", name, p, elsewhere, a)
			}
		}
		if a := w.probe(name, "", ""); !notServed(a) {
			t.Errorf("%s at the root: %s", name, a)
		}
	}
	// Links lead back below the prefix.
	w.ask(rootSecret, `mutation { createGroup(input: {name: "ops", handle: "ops"}) { dryRun } }`, nil, &struct{}{})
	for name, link := range map[string]string{"authress": "/a/v1/groups/ops", "enterprisetester": "/EnterpriseTester/api/group/"} {
		if a := w.probe(name, prefixes[name], "roster.example"); !strings.Contains(a.body, `"http://roster.example`+link) {
			t.Errorf("%s links elsewhere: %s", name, a)
		}
	}
}

// TestHost serves each door at a name of its own, whatever the case and the port.
func TestHost(t *testing.T) {
	t.Parallel()
	settings := map[string]legacy.Setting{}
	for name := range probes {
		settings[name] = legacy.Setting{Host: name + ".example"}
	}
	settings["cds"] = legacy.Setting{Host: "cds.example", Prefix: "/cds"}
	w := newWorld(t, settings)
	for name := range probes {
		prefix := settings[name].Prefix
		for _, host := range []string{name + ".example", strings.ToUpper(name) + ".Example:8443"} {
			if a := w.probe(name, prefix, host); a.status != 200 {
				t.Errorf("%s at %s: %s", name, host, a)
			}
		}
		for _, host := range []string{"", "example", "x" + name + ".example", name + ".example.org", "[::1]:80"} {
			if a := w.probe(name, prefix, host); !notServed(a) {
				t.Errorf("%s at %q: %s", name, host, a)
			}
		}
	}
	if a := w.probe("cds", "", "cds.example"); !notServed(a) {
		t.Errorf("cds at its host and without its prefix: %s", a)
	}
}

// TestHeaders looks for Deprecation and Link on every kind of answer: they are there where they are configured, and nowhere else.
func TestHeaders(t *testing.T) {
	t.Parallel()
	const since, link = "@1767225600", `<https://roster.example/docs>; rel="deprecation"`
	for name, settings := range map[string]map[string]legacy.Setting{"configured": every(legacy.Setting{Deprecation: since, Link: link}), "by default": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings)
			want := [2]string{}
			if settings != nil {
				want = [2]string{since, link}
			}
			for door, path := range probes {
				as := w.nameOfDoor(door)
				for _, r := range []request{
					authorised(as, rootSecret, request{method: "GET", path: path}), {method: "GET", path: path}, {method: "PATCH", path: path}, {method: "OPTIONS", path: path},
					authorised(as, rootSecret, request{method: "POST", path: path, body: "{"}),
				} {
					a := w.send(r)
					if got := [2]string{a.header.Get("Deprecation"), a.header.Get("Link")}; got != want || a.header.Get("X-Request-Id") == "" {
						t.Errorf("%s: %d with %q", r, a.status, got)
					}
				}
			}
			for _, path := range []string{"/nothing", "/graphql"} {
				if a := w.send(request{method: "GET", path: path}); a.header.Get("Deprecation") != "" || a.header.Get("Link") != "" {
					t.Errorf("%s, which is no door's, has the doors' headers: %v", path, a.header)
				}
			}
		})
	}
}

// TestSharedRoots tells whose a path is where two systems have the same beginning, as on one root Entrust and Enterprise Tester do.
func TestSharedRoots(t *testing.T) {
	t.Parallel()
	doors := all(nil)
	for path, want := range map[string]string{
		"/api/web/v1/groups": "entrust", "/api/web/v1": "entrust", "/api/web/v2": "", "/api/web": "", "/api/group/x": "enterprisetester", "/api": "enterprisetester",
		"/group": "cds", "/groups": "d4science", "/v1": "authress", "/v1/groups": "authress", "/workspace": "d4science", "/storagehub/x": "d4science", "/Group": "", "/v2": "", "/": "",
		"/graphql": "", "/openapi.json": "", "/reference": "", "/livez": "", "/readyz": "", "/metrics": "", "/playground/x.js": "",
	} {
		var owners []string
		for _, d := range doors {
			if d.door.Owns(strings.Split(strings.TrimPrefix(path, "/"), "/")) {
				owners = append(owners, d.name)
			}
		}
		if got := strings.Join(owners, " and "); got != want {
			t.Errorf("%s is of %q, not %q", path, got, want)
		}
	}
}

// TestObserved has each door say which route answers, as the log, metrics and traces will tell.
func TestObserved(t *testing.T) {
	t.Parallel()
	var nobody *observe.Observer
	var mounted []*legacy.Mounted
	for _, d := range all(nil) {
		mounted = append(mounted, legacy.Mount(d.door, legacy.Setting{}, legacy.Deps{Log: slog.New(slog.DiscardHandler)}))
	}
	h := auth.RequestIDs(legacy.Serve(mounted, http.NotFoundHandler()))
	operations := map[directory.Door]string{directory.DoorCDS: "getGroups", directory.DoorEntrust: "groupsUsingGET", directory.DoorAuthress: "get_groups",
		directory.DoorD4Science: "getGroups", directory.DoorEnterpriseTester: "searchGroups"}
	for name, path := range probes {
		for _, method := range []string{"GET", "PATCH"} {
			r := httptest.NewRequest(method, path, nil)
			rec := httptest.NewRecorder()
			ctx, seen := nobody.Begin(r.Context(), rec, r, "")
			h.ServeHTTP(rec, r.WithContext(ctx))
			route, want, code := seen.Route(), "", string(directory.NotFound)
			if method == "GET" {
				want, code = operations[doorOf(name)], string(directory.Unauthenticated)
			}
			if route == nil || route.Operation != want || seen.Code() != code {
				t.Errorf("%s %s: %d was seen as %+v, %s", method, path, rec.Code, route, seen.Code())
			}
		}
	}
}

// doorOf is the door of a folder's name.
func doorOf(name string) directory.Door {
	for _, d := range all(nil) {
		if d.name == name {
			return d.door.Name
		}
	}
	return ""
}
