package enterprisetester

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// query is what a request for a collection asks ("Common rules", "Query-string quirks").
type query struct {
	skip            int
	top             *int
	count           bool
	expand          expansion
	filter, orderBy string
}

// expansion is what $expand puts into the answer: Users into groups, Groups and DisplayName into users. What it names besides is
// nothing that these resources have, and does not matter.
type expansion struct{ users, groups, displayName bool }

// values are all values of an option, with its dollar or without: the chained helper of the vendor's client leaves it out.
func values(v url.Values, option string) []string {
	return append(append([]string{}, v["$"+option]...), v[option]...)
}

// value is the first value of an option that says anything; "" if none does.
func value(v url.Values, option string) string {
	for _, text := range values(v, option) {
		if text = strings.TrimSpace(text); text != "" {
			return text
		}
	}
	return ""
}

func expansionOf(v url.Values) expansion {
	var x expansion
	for name := range strings.SplitSeq(strings.Join(values(v, "expand"), ","), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "users":
			x.users = true
		case "groups":
			x.groups = true
		case "displayname":
			x.displayName = true
		}
	}
	return x
}

func queryOf(v url.Values) (query, error) {
	q := query{expand: expansionOf(v), filter: value(v, "filter"), orderBy: value(v, "orderby")}
	skip, err := number(v, "skip")
	if err != nil {
		return q, err
	}
	if skip != nil {
		q.skip = *skip
	}
	if q.top, err = number(v, "top"); err != nil {
		return q, err
	}
	switch strings.ToLower(value(v, "inlinecount")) {
	case "allpages":
		q.count = true
	case "", "none":
	default:
		return q, invalid("$inlinecount", "$inlinecount is allpages or none.")
	}
	return q, nil
}

// number is an option that counts something; nil if it is not there.
func number(v url.Values, option string) (*int, error) {
	text := value(v, option)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, invalid("$"+option, "$"+option+" is a whole number from 0.")
	}
	return &n, nil
}

// slice is the part of the list in the directory's terms.
func (q query) slice() directory.Slice {
	return directory.Slice{Skip: q.skip, Top: q.top, Total: q.count}
}

// items begins the answer: a collection, whose numbers are there only if they were asked for. Without a $top, Top is all there is:
// the client's model takes no null.
func (q query) items(w http.ResponseWriter, total int) *legacy.Stream {
	head := `{"Items":`
	if q.count {
		top := total
		if q.top != nil {
			top = *q.top
		}
		head = fmt.Sprintf(`{"Skip":%d,"Top":%d,"Total":%d,"Items":`, q.skip, top, total)
	}
	return legacy.NewStream(w, jsonType).Within(head, "}")
}
