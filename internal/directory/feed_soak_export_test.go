//go:build soak

package directory

import (
	"crypto/md5" //nolint:gosec // a name for a test's token
	"slices"

	"github.com/google/uuid"
)

// CallerByHash is a user with a token whose hash is the MD5 digest of the user's name.
func CallerByHash(id uuid.UUID, name string) Caller {
	sum := md5.Sum([]byte(name)) //nolint:gosec // see above
	return Caller{User: &CallerUser{UUID: id, Username: name}, Via: DoorGraphQL,
		Token: &CallerToken{Scopes: slices.Clone(Permissions), hashes: [][]byte{sum[:]}}}
}
