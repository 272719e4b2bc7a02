package main

import (
	"strings"
	"testing"
)

func TestAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[{"cursor":"x"}]}`, `{"b":[{"cursor":"y"}],"a":1}`, true},
		{`{"endCursor":"x"}`, `{"endCursor":null}`, false},
		{`{"endCursor":null}`, `{"endCursor":null}`, true},
		{`{"cursor":"x"}`, `{"cursor":""}`, false},
		{`{"name":"x"}`, `{"name":"y"}`, false},
		{`{"list":[1,2]}`, `{"list":[2,1]}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"a":1}`, `{"a":1`, false},
	} {
		if err := alike([]byte(c.a), []byte(c.b)); (err == nil) != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	page := "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n"
	got, err := between([]byte(page), "bench", "| new |")
	if want := "before\n<!-- bench -->\n\n| new |\n\n<!-- /bench -->\nafter\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	again, err := between(got, "bench", "| new |")
	if err != nil || string(again) != string(got) {
		t.Errorf("a second time: %q, %v", again, err)
	}
	for _, page := range []string{"", "<!-- bench -->\n", "<!-- /bench -->\n<!-- bench -->\n"} {
		if _, err := between([]byte(page), "bench", "x"); err == nil || !strings.Contains(err.Error(), "markers") {
			t.Errorf("%q: %v", page, err)
		}
	}
}

// TestTyped spells ids as the TypeID specification's examples do.
func TestTyped(t *testing.T) {
	t.Parallel()
	for want, id := range map[string]uuid{
		"prefix_00000000000000000000000000": {},
		"prefix_0000000000000000000000000g": {15: 16},
		"prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz": {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
		"prefix_0123456789abcdefghjkmnpqrs": {0x01, 0x10, 0xc8, 0x53, 0x1d, 0x09, 0x52, 0xd8, 0xd7, 0x3e, 0x11, 0x94, 0xe9, 0x5b, 0x5f, 0x19},
	} {
		if got := id.typed("prefix"); got != want {
			t.Errorf("%v: got %s, want %s", id, got, want)
		}
	}
}
