package authress

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// Bounds of a list (facts §3, list).
const (
	maxLimit  = 20
	maxFilter = 64
)

// cursor is where a list goes on. It carries the list's filter and page size, so that a client may repeat them or not.
type cursor struct {
	After  string `json:"a"`
	Filter string `json:"f,omitempty"`
	Limit  int    `json:"l"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // texts and a number: it cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// listed is what the query of a list says.
type listed struct {
	cursor
	query url.Values
}

// list is GET /v1/groups: the groups that the caller sees, a page at a time.
func (d *door) list(w http.ResponseWriter, r *legacy.Request) error {
	q, err := decodeList(r.URL.RawQuery)
	if err != nil {
		return err
	}
	c, err := d.dir.Groups(r.Context(), r.By, q.page(), selection)
	if err != nil {
		return err
	}
	out := collection{Groups: make([]group, 0, len(c.Edges)), Links: links{Self: link{collectionAddress(r, q.query)}}}
	for _, g := range c.Nodes() {
		one, err := groupOf(r, g)
		if err != nil {
			return err
		}
		out.Groups = append(out.Groups, one)
	}
	if c.PageInfo.HasNextPage {
		q.After = *c.PageInfo.EndCursor
		out.Pagination.Next = &next{Cursor: q.cursor.String()}
		out.Links.Next = &link{collectionAddress(r, q.next())}
	}
	return legacy.WriteJSON(w, http.StatusOK, contentType, out)
}

// decodeList reads limit, cursor and filter, as the vendor's validator does (facts §3, §4).
func decodeList(raw string) (listed, error) {
	var f faults
	query, err := url.ParseQuery(raw)
	if err != nil {
		f.add("request.query is malformed")
		return listed{}, f.err()
	}
	q := listed{query: query, cursor: cursor{Limit: maxLimit}}
	f.unknown(query)
	limit, limited := f.limit(query["limit"])
	after := f.one("cursor", query["cursor"])
	filter := f.one("filter", query["filter"])
	if len(query["filter"]) == 1 {
		f.bounded("request.query.filter", filter, 1, maxFilter)
	}
	if after != "" {
		q.resume(&f, after)
		if query.Has("filter") && filter != q.Filter && len(f) == 0 {
			f.add("request.query.cursor belongs to a list with another filter")
		}
	} else {
		q.Filter = filter
	}
	if limited {
		q.Limit = limit
	}
	return q, f.err()
}

func (f *faults) unknown(query url.Values) {
	m := make(map[string]any, len(query))
	for key := range query {
		m[key] = nil
	}
	f.extra("request.query", m, []string{"limit", "cursor", "filter"})
}

// limit reads the page size; an empty one is none.
func (f *faults) limit(given []string) (int, bool) {
	if len(given) == 0 || (len(given) == 1 && given[0] == "") {
		return 0, false
	}
	n, err := strconv.ParseFloat(given[0], 64) // JavaScript's numbers: 5.0 is 5
	switch {
	case len(given) > 1 || err != nil || n != float64(int(n)):
		f.add("request.query.limit must be integer")
	case n < 1:
		f.add("request.query.limit must be >= 1")
	case n > maxLimit:
		f.add("request.query.limit must be <= %d", maxLimit)
	}
	return int(n), true
}

// one reads a parameter that may be there once.
func (f *faults) one(name string, given []string) string {
	if len(given) > 1 {
		f.add("request.query.%s must be string", name)
	}
	if len(given) != 1 {
		return ""
	}
	return given[0]
}

// resume takes over what the cursor carries.
func (l *listed) resume(f *faults, text string) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || json.Unmarshal(b, &l.cursor) != nil || l.After == "" || l.Limit < 1 || l.Limit > maxLimit {
		f.add("request.query.cursor must be one that a list of groups answered")
	}
}

// page is the list in the directory's terms. The filter is looked for in every text of a group, its people included.
func (l *listed) page() directory.Page {
	p := directory.Page{PageArgs: directory.PageArgs{First: &l.Limit}, Rows: true}
	if l.After != "" {
		p.After = &l.After
	}
	if l.Filter != "" {
		p.Filter = &directory.GroupFilter{Or: []*directory.GroupFilter{{Search: &l.Filter}, {People: &l.Filter}}}
	}
	return p
}

// next is the query of the next page.
func (l *listed) next() url.Values {
	v := url.Values{"limit": {strconv.Itoa(l.Limit)}, "cursor": {l.cursor.String()}}
	if l.Filter != "" {
		v.Set("filter", l.Filter)
	}
	return v
}

// collectionAddress is the absolute URL of a list.
func collectionAddress(r *legacy.Request, query url.Values) string {
	at := r.Base + "/v1/groups"
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	return at
}
