package authress

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"roster/internal/directory"
)

// faults gathers what is wrong with a request in the words and the order of the vendor's validator, measured on
// openapi-data-validator 2.0.54 (facts §4): all of them at once, joined with commas.
type faults []string

// maxFaults bounds what an answer tells of a body that is wrong all over.
const maxFaults = 100

func (f *faults) add(format string, args ...any) {
	if len(*f) < maxFaults {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// err is the faults as one error; nil if there are none.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &directory.Error{Code: directory.Invalid, Message: strings.Join(f, ", ")}
}

// bounded checks the length of a text; the validator counts code points.
func (f *faults) bounded(path, v string, shortest, longest int) string {
	switch n := utf8.RuneCountInString(v); {
	case n < shortest:
		f.add("%s must NOT have fewer than %d characters", path, shortest)
	case n > longest:
		f.add("%s must NOT have more than %d characters", path, longest)
	}
	return v
}

func (f *faults) pattern(path, v string, p *regexp.Regexp, shown string) {
	if !p.MatchString(v) {
		f.add(`%s must match pattern "%s"`, path, shown)
	}
}

// text reads a text of bounded length.
func (f *faults) text(path string, v any, shortest, longest int) string {
	s, ok := coerced(v)
	if !ok {
		f.add("%s must be string", path)
		return ""
	}
	return f.bounded(path, s, shortest, longest)
}

// coerced is a value as a text: the validator takes numbers, booleans and null for one, and a list of one for what is in it.
func coerced(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "", true
	case []any:
		if len(v) == 1 {
			if _, nested := v[0].([]any); !nested {
				return coerced(v[0])
			}
		}
	}
	return "", false
}

// object reads an object that must have the required keys and may have the optional ones.
func (f *faults) object(path string, v any, required, optional []string) (map[string]any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		f.add("%s must be object", path)
		return nil, false
	}
	for _, key := range required {
		if _, there := m[key]; !there {
			f.add("missing required property %s.%s", path, key)
		}
	}
	f.extra(path, m, append(slices.Clone(required), optional...))
	return m, true
}

// extra finds keys that the schema does not know.
func (f *faults) extra(path string, m map[string]any, known []string) {
	var keys []string
	for key := range m {
		if !slices.Contains(known, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		f.add("%s must NOT have additional property: '%s'", path, key)
	}
}

// list reads a list; a lone value that is no object is a list of one.
func (f *faults) list(path string, v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		f.add("%s must be array", path)
		return nil
	}
	return []any{v}
}
