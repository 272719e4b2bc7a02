package entrust

import (
	"encoding/base64"
	"encoding/json"

	"roster/internal/directory"
)

// place is where a page of groups lies: what was searched for, in which order, how many to a page, and the neighbour that it is
// next to. A request with nothing but a cursor must do, so the cursor carries all of it (§2, §3).
type place struct {
	Search []attribute `json:"s,omitempty"`
	Order  *ordering   `json:"o,omitempty"`
	Limit  int         `json:"l"`
	After  *string     `json:"a,omitempty"` // the directory's cursor, which is bound to search and order
	Before *string     `json:"b,omitempty"`
}

// paging names the pages on either side of one that was read.
func (p place) paging(info *directory.PageInfo) paging {
	out := paging{Limit: p.Limit}
	if info.HasNextPage {
		out.NextCursor = p.cursor(info.EndCursor, nil)
	}
	if info.HasPreviousPage {
		out.PrevCursor = p.cursor(nil, info.StartCursor)
	}
	return out
}

// cursor spells a place beside this one; nil if there is nothing to be beside.
func (p place) cursor(after, before *string) *string {
	if after == nil && before == nil {
		return nil
	}
	p.After, p.Before = after, before
	b, err := json.Marshal(p)
	if err != nil {
		return nil // strings, numbers and booleans always marshal
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	return &text
}

// decodeCursor reads a cursor. What is in it is checked like any search; the directory refuses a cursor of its own that does not
// belong to the search and order beside it.
func decodeCursor(text string) (place, error) {
	var p place
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || (p.After == nil) == (p.Before == nil) {
		return place{}, &directory.Error{Code: directory.Invalid, Field: "cursor", Message: "This is not a cursor of a page of groups.", Cause: err}
	}
	return p, nil
}
