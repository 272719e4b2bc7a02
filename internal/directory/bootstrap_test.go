package directory_test

import (
	"sync"
	"testing"

	"roster/db"
	"roster/internal/directory"
	"roster/internal/rostertest"
)

// Several servers that start at once on an empty database make one administrator, and one of them one token.
func TestEnsureAdminAtOnce(t *testing.T) {
	t.Parallel()
	dir := directory.New(directory.Config{Store: rostertest.Store(t, db.Options{}), TokenKey: []byte("a key for tests")})
	const servers = 6
	secrets := make([]string, servers)
	var started sync.WaitGroup
	for i := range servers {
		started.Go(func() {
			var err error
			if secrets[i], err = dir.EnsureAdmin(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	made := 0
	for _, s := range secrets {
		if s == "" {
			continue
		}
		made++
		if by, err := dir.AuthenticateNow(t.Context(), s); err != nil || by.User.Username != directory.FirstAdmin {
			t.Errorf("the token that was made is of %+v, %v", by.User, err)
		}
	}
	if made != 1 {
		t.Errorf("%d tokens were made, want 1", made)
	}
}
