package auth

import (
	"net/http"
	"strings"

	"roster/internal/directory"
)

// maxKey is the longest Idempotency-Key, in characters.
const maxKey = 255

// IdempotencyKey is what the client calls its request, by the header of that name: a string as structured fields have it, or the bare
// text, as many clients send it; "" where there is no header. It is 1 to 255 characters of printable ASCII.
// See draft-ietf-httpapi-idempotency-key-header and RFC 9651.
//
// Codes: INVALID.
func IdempotencyKey(h http.Header) (string, error) {
	given := h.Values(directory.OnceField)
	if len(given) == 0 {
		return "", nil
	}
	text := strings.Trim(given[0], " \t")
	key, ok := text, !strings.ContainsAny(text, `"`)
	if strings.HasPrefix(text, `"`) {
		key, ok = structuredString(text)
	}
	if len(given) > 1 || !ok || key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", &directory.Error{Code: directory.Invalid, Field: directory.OnceField,
			Message: "The header Idempotency-Key is given once, as 1 to 255 printable ASCII characters, such as a UUID, in quotes or not."}
	}
	return key, nil
}

// structuredString is the text of a string (RFC 9651, section 3.3.3).
func structuredString(quoted string) (text string, ok bool) {
	inner, ok := strings.CutSuffix(quoted[1:], `"`)
	var b strings.Builder
	for i := 0; ok && i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			return "", false
		case c != '\\':
			b.WriteByte(c)
		case i+1 < len(inner) && (inner[i+1] == '"' || inner[i+1] == '\\'):
			i++
			b.WriteByte(inner[i])
		default:
			return "", false
		}
	}
	return b.String(), ok
}
