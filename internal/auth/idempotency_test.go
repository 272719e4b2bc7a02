package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"roster/internal/auth"
	"roster/internal/directory"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 255)
	for _, row := range []struct {
		header []string
		want   string
		ok     bool
	}{
		{nil, "", true},
		{[]string{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`}, "8e03978e-40d5-43dd-bc93-6894a57f9324", true},
		{[]string{"8e03978e-40d5-43dd-bc93-6894a57f9324"}, "8e03978e-40d5-43dd-bc93-6894a57f9324", true},
		{[]string{` "a \"b\" \\ c" `}, `a "b" \ c`, true},
		{[]string{`a\b`}, `a\b`, true},
		{[]string{long}, long, true},
		{[]string{`"` + long + `"`}, long, true},
		{[]string{long + "k"}, "", false},
		{[]string{`"` + long + `k"`}, "", false},
		{[]string{""}, "", false},
		{[]string{`""`}, "", false},
		{[]string{`"`}, "", false},
		{[]string{`"a`}, "", false},
		{[]string{`a"`}, "", false},
		{[]string{`"a"b"`}, "", false},
		{[]string{`"a\"`}, "", false},
		{[]string{`"a\n"`}, "", false},
		{[]string{"a", "b"}, "", false},
		{[]string{"a", "a"}, "", false},
		{[]string{"schlüssel"}, "", false},
		{[]string{"a\tb"}, "", false},
	} {
		got, err := auth.IdempotencyKey(http.Header{"Idempotency-Key": row.header})
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q is %q, %v; want %q", row.header, got, err, row.want)
		}
		if err != nil && directory.CodeOf(err) != directory.Invalid {
			t.Errorf("%q fails with %v", row.header, err)
		}
	}
}
