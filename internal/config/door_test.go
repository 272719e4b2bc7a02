package config

import "testing"

func TestParseDoor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Door{
		"":                              {},
		"on":                            {},
		"off":                           {Off: true},
		"/EnterpriseTester":             {Prefix: "/EnterpriseTester"},
		"/a/b":                          {Prefix: "/a/b"},
		"cds.example.org":               {Host: "cds.example.org"},
		"CDS.example.org/old":           {Host: "cds.example.org", Prefix: "/old"},
		"storagehub.example.org/a/b-_.": {Host: "storagehub.example.org", Prefix: "/a/b-_."},
	} {
		if got, err := parseDoor(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"/", "/a/", "//a", "host:80", "https://host", "a b", "host/%2F", "/a?b", "*.example.org"} {
		if got, err := parseDoor(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}
