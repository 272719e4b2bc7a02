package entrust

import (
	"encoding/json"
	"reflect"
	"testing"

	"roster/internal/directory"
)

// FuzzSearch decodes what a client may send to groupspaged: whatever it is, it is a search or INVALID, and the cursors of a
// search lead back to it.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"limit":100,"searchByAttributes":[{"name":"name","operator":"CONTAINS","value":"a"}]}`,
		`{"orderByAttribute":{"name":"name","ascending":false},"cursor":""}`, `{"cursor":"eyJsIjoxLCJhIjoieCJ9"}`,
		`{"searchByAttributes":[{"name":"type","operator":"EQUALS","value":"LDAP_AD"}]}`, `{"cursor":"bnVsbA"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in searchParms
		if json.Unmarshal(body, &in) != nil {
			return
		}
		at, err := in.place()
		if err == nil {
			_, err = at.page()
		}
		if err != nil {
			if directory.CodeOf(err) != directory.Invalid {
				t.Fatal(err)
			}
			return
		}
		end := "the end"
		back, err := decodeCursor(*at.cursor(&end, nil))
		if err != nil {
			t.Fatal(err)
		}
		at.After, at.Before = &end, nil
		if len(at.Search) == 0 {
			at.Search, back.Search = nil, nil
		}
		if !reflect.DeepEqual(at, back) {
			t.Errorf("%+v became %+v", at, back)
		}
	})
}

// FuzzGroupRefs decodes what a client may send as the groups of a user.
func FuzzGroupRefs(f *testing.F) {
	f.Add([]byte(`["0198c5a0-0000-7000-8000-000000000001","0198C5A0-0000-7000-8000-000000000001"]`))
	f.Add([]byte(`[null,"x"]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var ids []string
		if json.Unmarshal(body, &ids) != nil {
			return
		}
		refs, err := groupRefs(ids)
		if err == nil && len(refs) != len(ids) || err != nil && directory.CodeOf(err) != directory.Invalid {
			t.Errorf("%q: %d references, %v", ids, len(refs), err)
		}
	})
}
