// Package authress is the door of Authress's groups: clients made with the vendor's SDKs find at /v1/groups what they know.
//
// A request comes with a bearer token (door.go). What its body says is held against the vendor's schema, in the words of the
// vendor's own validator (body.go, faults.go), and becomes one input of the directory (groups.go); the group that the directory
// answers becomes the vendor's Group (wire.go). Lists are in list.go, errors in errors.go, what browsers ask first in cors.go.
//
// Facts, with their marks, are in shared/legacy/authress.md; what was decided on top of them is in docs/doors/authress.md.
package authress

import (
	_ "embed"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI is the door's part of the OpenAPI document.
func OpenAPI() []byte { return openAPI }

// maxGroup is the "~100KB" that a group may have; more is 413 (facts §3, create).
const maxGroup = 100 << 10

type door struct{ dir *directory.Service }

// New makes the door. Its operations bear the names of the vendor's Python SDK; update_group answers POST too, which is what the
// C# SDK sends (facts §3, update).
func New(dir *directory.Service) legacy.Door {
	d := &door{dir}
	return legacy.Door{
		Name: directory.DoorAuthress,
		Routes: []legacy.Route{
			{Operation: "get_groups", Method: "GET", Pattern: "/v1/groups", Handle: d.list},
			{Operation: "create_group", Method: "POST", Pattern: "/v1/groups", MaxBody: maxGroup, Handle: d.create},
			{Operation: "get_group", Method: "GET", Pattern: "/v1/groups/{groupId}", Handle: d.get},
			{Operation: "update_group", Method: "PUT", Pattern: "/v1/groups/{groupId}", MaxBody: maxGroup, Handle: d.update},
			{Operation: "update_group", Method: "POST", Pattern: "/v1/groups/{groupId}", MaxBody: maxGroup, Handle: d.update},
			{Operation: "delete_group", Method: "DELETE", Pattern: "/v1/groups/{groupId}", Handle: d.remove},
		},
		Owns:       func(segments []string) bool { return segments[0] == "v1" },
		Credential: auth.Bearer,
		Fail:       fail,
		Preflight:  preflight,
		Before:     allowOrigin,
	}
}
