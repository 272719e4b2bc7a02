package auth

import "testing"

// Keys that an issuer says are on this machine are fetched there if the issuer is there too.
func TestReachable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		to, by string
		ok     bool
	}{
		{"https://keys.example/jwks", "https://issuer.example", true}, {"http://keys.example/jwks", "https://issuer.example", false},
		{"http://localhost:1/jwks", "https://issuer.example", false}, {"https://127.0.0.1/jwks", "https://issuer.example", false},
		{"http://[::1]/jwks", "https://issuer.example", false}, {"http://LOCALHOST/jwks", "https://issuer.example", false},
		{"http://localhost:1/jwks", "http://127.0.0.1:2", true}, {"https://keys.example/jwks", "http://localhost:2", true},
	} {
		if err := reachable(row.to, row.by); (err == nil) != row.ok {
			t.Errorf("%s, by %s: %v", row.to, row.by, err)
		}
	}
}
