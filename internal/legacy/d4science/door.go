// Package d4science is the door of D4Science's StorageHub: its GroupManager, under every path that clients are known to call it by.
//
// A request comes with a token in one of three places (door.go). Forms, multipart or not, are read in form.go and become one
// input of the directory (groups.go, people.go); answers are plain text, a JSON list of names, or true and false. Whatever the
// directory refuses is 406 with the platform's own error object (errors.go).
//
// Facts, with their marks, are in shared/legacy/d4science.md; what was decided on top of them is in docs/doors/d4science.md.
package d4science

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the door's part of the OpenAPI document.
func OpenAPI() []byte { return openAPI }

// prefixes are the paths that the GroupManager is found under (facts "Base path").
var prefixes = []string{"", "/workspace", "/storagehub/workspace"}

// maxForm is the largest body that a form may have.
const maxForm = 64 << 10

type door struct{ dir *directory.Service }

// New makes the door.
func New(dir *directory.Service) legacy.Door {
	d := &door{dir}
	return legacy.Door{Name: directory.DoorD4Science, Routes: d.routes(), Owns: owns, Credential: credential, Fail: fail}
}

// routes are the nine operations and the old way to add a user, PUT /groups/{id}, under each prefix.
func (d *door) routes() []legacy.Route {
	var all []legacy.Route
	for _, p := range prefixes {
		all = append(all,
			legacy.Route{Operation: "getGroups", Method: "GET", Pattern: p + "/groups", Handle: d.groups},
			legacy.Route{Operation: "createGroup", Method: "POST", Pattern: p + "/groups", MaxBody: maxForm, Handle: d.create},
			legacy.Route{Operation: "deleteGroup", Method: "DELETE", Pattern: p + "/groups/{group}", Handle: d.remove},
			legacy.Route{Operation: "addUser", Method: "PUT", Pattern: p + "/groups/{group}", MaxBody: maxForm, Handle: d.addUser},
			legacy.Route{Operation: "getUsers", Method: "GET", Pattern: p + "/groups/{group}/users", Handle: d.users},
			legacy.Route{Operation: "addUser", Method: "PUT", Pattern: p + "/groups/{group}/users", MaxBody: maxForm, Handle: d.addUser},
			legacy.Route{Operation: "removeUser", Method: "DELETE", Pattern: p + "/groups/{group}/users/{user}", Handle: d.removeUser},
			legacy.Route{Operation: "getAdmins", Method: "GET", Pattern: p + "/groups/{group}/admins", Handle: d.admins},
			legacy.Route{Operation: "addAdmin", Method: "PUT", Pattern: p + "/groups/{group}/admins", MaxBody: maxForm, Handle: d.addAdmin},
			legacy.Route{Operation: "removeAdmin", Method: "DELETE", Pattern: p + "/groups/{group}/admins/{user}", Handle: d.removeAdmin})
	}
	return all
}

// owns takes the whole StorageHub: a part of it that is not served is a 404 of its own.
func owns(segments []string) bool {
	return slices.Contains([]string{"groups", "workspace", "storagehub"}, segments[0])
}

// credential is the bearer token, as of now, or the gcube-token of before, in the query or in a header (facts "Base path and
// authentication").
func credential(r *http.Request) (string, bool) {
	if secret, ok := auth.Bearer(r); ok && secret != "" {
		return secret, true
	}
	if token := r.URL.Query().Get("gcube-token"); token != "" {
		return token, true
	}
	return strings.TrimSpace(r.Header.Get("gcube-token")), true
}

func group(r *legacy.Request) directory.GroupRef { return directory.GroupByName(r.Var("group")) }
