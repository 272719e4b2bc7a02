package graph

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzEnvelope: whatever is taken as an object here, encoding/json takes for the same one.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.50,-0,1e9,"x",null,true,{"b":{}}],"c":{"d":"\u00e9\n\ud83d\ude00"}}`, `null`, `{}`, `[]`, ` {"a":1} `, `{"a":1}{}`, `{"a":`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`,
		strings.Repeat(`{"a":`, 11_000), strings.Repeat(`[`, 11_000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeObject(strings.NewReader(text))
		if err != nil {
			return
		}
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q is taken, which is no object: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +ours):\n%s", text, diff)
		}
	})
}
