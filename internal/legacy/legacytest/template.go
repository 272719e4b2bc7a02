package legacytest

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var placeholder = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// Expand puts values for the placeholders of a request:
//
//	{{alice.secret}}           what has that name: see steps.go for the names that steps give
//	{{basic alice}}            the credentials of Basic with alice's name and secret
//	{{basic bob alice.secret}} the same with another user name
//	{{base64 text}}, {{hex c3 28}}, {{repeat 1000 x}}, {{query alice.secret}}
func (w *World) Expand(text string) string {
	w.T.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		words := strings.Fields(p[2 : len(p)-2])
		rest := strings.Join(words[1:], " ")
		switch {
		case len(words) == 1:
			return w.Value(words[0])
		case words[0] == "basic":
			return w.basic(words[1:])
		case words[0] == "base64":
			return base64.StdEncoding.EncodeToString([]byte(rest))
		case words[0] == "query":
			return url.QueryEscape(w.Value(rest))
		case words[0] == "hex":
			b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
			if err != nil {
				w.T.Fatal(p, err)
			}
			return string(b)
		case words[0] == "repeat" && len(words) == 3:
			n, err := strconv.Atoi(words[1])
			if err != nil {
				w.T.Fatal(p, err)
			}
			return strings.Repeat(words[2], n)
		}
		w.T.Fatalf("what is %s?", p)
		return ""
	})
}

func (w *World) basic(words []string) string {
	secret := words[0] + ".secret"
	if len(words) > 1 {
		secret = words[1]
	}
	return base64.StdEncoding.EncodeToString([]byte(words[0] + ":" + w.Value(secret)))
}
