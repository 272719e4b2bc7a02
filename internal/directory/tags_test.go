package directory_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"roster/internal/directory"
)

// TestTagsAreRead reads what Postgres writes of tags, whatever is in them.
func TestTagsAreRead(t *testing.T) {
	t.Parallel()
	for object, want := range map[string][]*directory.Tag{
		``:                                     {},
		`{}`:                                   {},
		`{"": ""}`:                             {{Key: "", Value: ""}},
		`{"b": "2", "a": "1", "10": "3"}`:      {{Key: "10", Value: "3"}, {Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
		`{"a, b": "{c: d}", "é": "😀 : ,"}`:     {{Key: "a, b", Value: "{c: d}"}, {Key: "é", Value: "😀 : ,"}},
		`{"a":"1","b":"2"}`:                    {{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
		`{"a": 1, "b": "2"}`:                   {{Key: "a"}, {Key: "b", Value: "2"}}, // by hand: what is no text is told as none
		`{"a": 1, "b": 2}`:                     {{Key: "a"}, {Key: "b"}},
		`{"a": "1", "b": null}`:                {{Key: "a", Value: "1"}, {Key: "b"}},
		`{"a": {"b": "c"}}`:                    {{Key: "a"}},
		`{"a\"b": "\\", "c": "\n\u0001"}`:      {{Key: `a"b`, Value: `\`}, {Key: "c", Value: "\n\x01"}},
		`{"a": "says \"b\": \"c\"", "d": "}"}`: {{Key: "a", Value: `says "b": "c"`}, {Key: "d", Value: "}"}},
	} {
		if d := cmp.Diff(want, directory.TagsOf([]byte(object))); d != "" {
			t.Errorf("%s (-want +got):\n%s", object, d)
		}
	}
}
