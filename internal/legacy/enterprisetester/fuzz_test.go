package enterprisetester

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"roster/internal/directory"
)

// FuzzQuery reads what a client may ask of a collection: whatever it is, it is a query or INVALID, and texts come out of a filter as
// they were put into it.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"Name eq 'x'", "substringof('t',Name) eq true", "startswith(Name,'a') and endswith(Name,'b')", "Name eq 'O''Hara'", "not Name", "'", "a''b", "x' or '1'='1",
	} {
		f.Add(seed, "Name desc", "1", "allpages")
	}
	f.Fuzz(func(t *testing.T, filter, order, number, count string) {
		q, err := queryOf(url.Values{"$top": {number}, "skip": {number}, "$inlinecount": {count}, "$filter": {filter}, "$orderby": {order}})
		expected(t, err)
		if err == nil && (q.skip < 0 || q.top != nil && *q.top < 0) {
			t.Errorf("%q became %+v", number, q)
		}
		_, err = groupFilter(filter)
		expected(t, err)
		_, err = memberFilter(filter)
		expected(t, err)
		_, err = groupOrder(order)
		expected(t, err)
		_, err = memberOrder(order)
		expected(t, err)
		cs, err := conditions("Name eq '" + strings.ReplaceAll(filter, "'", "''") + "'")
		if err != nil || len(cs) != 1 || cs[0] != (condition{"Name", equal, filter}) {
			t.Errorf("%q became %+v, %v", filter, cs, err)
		}
	})
}

// FuzzMemberships decodes what a client may send as the members of a group.
func FuzzMemberships(f *testing.F) {
	f.Add([]byte(`{"Items":[{"Id":"0198c5a0-0000-7000-8000-000000000001"},{"UserName":"bob","Links":[]}]}`))
	f.Add([]byte(`{"Items":[{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in memberships
		if json.Unmarshal(body, &in) != nil {
			return
		}
		users, err := in.users()
		expected(t, err)
		if err == nil && len(users) != len(*in.Items) {
			t.Errorf("%d users of %s", len(users), body)
		}
	})
}

func expected(t *testing.T, err error) {
	t.Helper()
	if err != nil && directory.CodeOf(err) != directory.Invalid {
		t.Fatal(err)
	}
}
