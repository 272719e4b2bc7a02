package authress

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// The vendor's bounds on writing (facts §2). What other doors made beyond them is shown as it is.
const (
	maxName   = 128
	maxUserID = 256 // Roster's own: the vendor's 128 hold for users who are not there yet, and the directory sees to it
	maxTag    = 128
)

// groupInput is what the body of a write says.
type groupInput struct {
	id            *string
	name          string
	users, admins []*directory.UserRef // never nil: the lists are whole
	tags          directory.Optional[[]*directory.TagInput]
}

// tagList are the tags of a new group.
func (in groupInput) tagList() []*directory.TagInput {
	if in.tags.Value == nil {
		return nil
	}
	return *in.tags.Value
}

func decodeGroup(r *legacy.Request) (groupInput, error) { return parseGroup(r.Body()) }

// parseGroup reads a Group as the vendor's validator does (facts §4). lastUpdated and links, which a group that was read has,
// are let through and mean nothing.
func parseGroup(body []byte) (groupInput, error) {
	var f faults
	v, ok := f.parse(body)
	if !ok {
		return groupInput{}, f.err()
	}
	m, ok := f.object("request.body", v, []string{"name", "users", "admins"}, []string{"groupId", "lastUpdated", "links", "tags"})
	if !ok {
		return groupInput{}, f.err()
	}
	in := groupInput{users: []*directory.UserRef{}, admins: []*directory.UserRef{}}
	if id := m["groupId"]; id != nil { // null is the same as none: SDKs that know optional fields as null send it
		text := f.text("request.body.groupId", id, 1, maxGroupID)
		f.pattern("request.body.groupId", text, groupIDPattern, groupIDShown)
		in.id = &text
	}
	if name, there := m["name"]; there {
		in.name = f.text("request.body.name", name, 1, maxName)
	}
	for _, list := range []struct {
		key string
		to  *[]*directory.UserRef
	}{{"users", &in.users}, {"admins", &in.admins}} {
		if v, there := m[list.key]; there {
			*list.to = f.users("request.body."+list.key, v)
		}
	}
	if tags, there := m["tags"]; there {
		in.tags = directory.Some(f.tags("request.body.tags", tags))
	}
	return in, f.err()
}

// parse reads JSON. Nothing at all is a missing body.
func (f *faults) parse(body []byte) (any, bool) {
	if len(body) == 0 {
		f.add("missing required property request.body")
		return nil, false
	}
	var v any
	if !utf8.Valid(body) || json.Unmarshal(body, &v) != nil {
		f.add("request.body must be JSON")
		return nil, false
	}
	return v, true
}

func (f *faults) users(path string, v any) []*directory.UserRef {
	refs := []*directory.UserRef{}
	for i, e := range f.list(path, v) {
		at := path + "[" + strconv.Itoa(i) + "]"
		m, ok := f.object(at, e, []string{"userId"}, nil)
		if !ok {
			continue
		}
		if id, there := m["userId"]; there {
			ref := directory.UserByName(f.text(at+".userId", id, 1, maxUserID))
			refs = append(refs, &ref)
		}
	}
	return refs
}

// tags reads an object of texts; null is none.
func (f *faults) tags(path string, v any) []*directory.TagInput {
	tags := []*directory.TagInput{}
	if v == nil {
		return tags
	}
	m, ok := v.(map[string]any)
	if !ok {
		f.add("%s must be object", path)
		return tags
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := f.text(path+"['"+key+"']", m[key], 0, maxTag)
		tags = append(tags, &directory.TagInput{Key: key, Value: value})
	}
	return tags
}

// sinceLayouts are the times that SDKs and people send (facts §3, update): RFC 3339 with any fraction, the same as Python prints
// it, and HTTP's own form.
var sinceLayouts = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", http.TimeFormat}

// unmodifiedSince reads If-Unmodified-Since; nil if the client asks for no check. One that cannot be read is refused: whoever sends
// it counts on the check.
func unmodifiedSince(r *legacy.Request) (*time.Time, error) {
	text := strings.TrimSpace(r.Header.Get("If-Unmodified-Since"))
	if text == "" {
		return nil, nil
	}
	for _, layout := range sinceLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	var f faults
	f.add(`request.headers["if-unmodified-since"] must be a date-time`)
	return nil, f.err()
}
