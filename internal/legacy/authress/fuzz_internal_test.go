package authress

import (
	"net/url"
	"testing"
	"unicode/utf8"

	"roster/internal/directory"
)

func FuzzParseGroup(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","users":[{"userId":"u"}],"admins":[],"tags":{"k":"v"},"groupId":"g","links":{},"lastUpdated":"x"}`,
		`{"name":5,"users":[[]],"admins":{},"tags":[]}`, `{"name":["a"],"users":null,"admins":"x","groupId":null}`, `{`, ``, `null`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseGroup(body)
		if err != nil {
			e := directory.AsError(err)
			if e.Code != directory.Invalid || e.Message == "" || !utf8.ValidString(e.Message) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if n := utf8.RuneCountInString(in.name); n < 1 || n > maxName || in.users == nil || in.admins == nil {
			t.Fatalf("%q: %+v", body, in)
		}
		if in.id != nil && !groupIDPattern.MatchString(*in.id) {
			t.Fatalf("%q: groupId %q", body, *in.id)
		}
	})
}

func FuzzDecodeList(f *testing.F) {
	for _, query := range []string{"", "limit=5&filter=x", "limit=&cursor=", "cursor=" + cursor{After: "a", Filter: "b", Limit: 3}.String(), "zzz=1;%zz"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := decodeList(query)
		if err != nil {
			if directory.CodeOf(err) != directory.Invalid {
				t.Fatalf("%q: %v", query, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > maxLimit {
			t.Fatalf("%q: %+v", query, q)
		}
		q.After = "somewhere"
		if !utf8.ValidString(q.Filter) {
			return // the directory refuses it
		}
		again, err := decodeList("cursor=" + url.QueryEscape(q.cursor.String()))
		if err != nil || again.cursor != q.cursor {
			t.Fatalf("%q: the cursor of %+v says %+v (%v)", query, q.cursor, again.cursor, err)
		}
	})
}
