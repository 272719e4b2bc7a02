package legacy

import (
	"net/http"
	"strconv"
	"strings"

	"roster/internal/directory"
)

// Doors whose systems have no rule for two clients that change one group let HTTP's hold: a group that is read or written alone has its
// version for an ETag, and a write whose If-Match is another does nothing.

// SetETag tells a group's version (RFC 9110, section 8.8.3).
func SetETag(w http.ResponseWriter, g *directory.Group) {
	w.Header().Set("ETag", `"`+strconv.Itoa(g.Version)+`"`)
}

// noVersion is what no group has.
const noVersion = 0

// IfMatch is the version that the client wants the group to have (RFC 9110, section 13.1.1); nil if it does not care, or takes any
// that there is. What SetETag never told, weak tags among it, matches nothing.
//
// Codes: INVALID.
func IfMatch(r *Request) (*int, error) {
	tag := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	if tag == "" || tag == "*" {
		return nil, nil
	}
	if strings.Contains(tag, ",") {
		return nil, &directory.Error{Code: directory.Invalid, Field: "If-Match", Message: "The header If-Match has one tag here, that of the version that is to be changed."}
	}
	version := noVersion
	if text, ok := strings.CutPrefix(tag, `"`); ok {
		if n, err := strconv.Atoi(strings.TrimSuffix(text, `"`)); err == nil && tag == `"`+strconv.Itoa(n)+`"` {
			version = n
		}
	}
	return &version, nil
}

// Unmatched reports whether a write was refused because of IfMatch: 412, whatever the door's status for other conflicts is.
func Unmatched(e *directory.Error) bool { return e.Code == directory.Conflict && e.Version != 0 }
