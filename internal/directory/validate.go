package directory

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// Bounds of what the directory holds. The schema's constraints say the same, as the last word.
const (
	MaxBulk        = 10_000 // users or groups in one write
	maxName        = 256
	maxDescription = 4096
	maxEmail       = 320
	maxTags        = 50
	maxTagText     = 128
	maxListItems   = 100 // requirements and parameters of an action
)

var handlePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// validName checks the name of a group or a user: 1 to 256 characters, not blank, none of them a control character.
func validName(field, v string) error {
	if err := validText(field, v, maxName); err != nil {
		return err
	}
	switch {
	case !strings.ContainsFunc(v, visible):
		return invalid(field, "A name has 1 to %d characters and is not blank.", maxName)
	case strings.ContainsFunc(v, breaks):
		return invalid(field, "A name may not hold control characters.")
	}
	return nil
}

// visible reports whether a character leaves a mark: a name of blanks and zero-width characters is none.
func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// breaks reports whether a character breaks a line or a terminal.
func breaks(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) }

// groupNamePatterns are what doors take for a group's new name. One that it has already passes: a group that was read through a
// door can be written back through it.
var groupNamePatterns = map[Door]*regexp.Regexp{DoorCDS: regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)}

func validNewName(d Door, field, name string) error {
	if p := groupNamePatterns[d]; p != nil && !p.MatchString(name) {
		return invalid(field, "A new name matches %s.", p)
	}
	return nil
}

func validHandle(field, v string) error {
	if !handlePattern.MatchString(v) {
		return invalid(field, "A handle has 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.")
	}
	return nil
}

// validExternalID checks an identifier of another system; empty clears it.
func validExternalID(field string, v *string) error {
	if v == nil {
		return nil
	}
	if *v == "" {
		return invalid(field, "It has 1 to %d characters; leave it out, or give null to clear it.", maxName)
	}
	if strings.ContainsFunc(*v, unicode.IsControl) {
		return invalid(field, "It may not hold control characters.")
	}
	return validText(field, *v, maxName)
}

// validTags checks tags and turns them into the stored object.
func validTags(field string, tags []*TagInput) ([]byte, error) {
	if len(tags) > maxTags {
		return nil, exceeded(field, "A group has at most %d tags.", maxTags)
	}
	m := make(map[string]string, len(tags))
	for i, t := range tags {
		f := at(field, i)
		if t.Key == "" {
			return nil, invalid(f+".key", "A key has 1 to %d characters.", maxTagText)
		}
		if err := validText(f+".key", t.Key, maxTagText); err != nil {
			return nil, err
		}
		if err := validText(f+".value", t.Value, maxTagText); err != nil {
			return nil, err
		}
		if _, twice := m[t.Key]; twice {
			return nil, invalid(f+".key", "This key is there twice.")
		}
		m[t.Key] = t.Value
	}
	return json.Marshal(m)
}

// validRequirements checks a list of requirements and turns it into the stored list.
func validRequirements(field string, rs []*RequirementInput) ([]byte, error) {
	if len(rs) > maxListItems {
		return nil, exceeded(field, "At most %d.", maxListItems)
	}
	out := []Requirement{}
	for i, r := range rs {
		f := at(field, i)
		if err := firstOf(validName(f+".name", r.Name), validName(f+".type", r.Type), validText(f+".value", r.Value, maxDescription)); err != nil {
			return nil, err
		}
		out = append(out, Requirement(*r))
	}
	return json.Marshal(out)
}

// validParameters checks a list of parameters and turns it into the stored list.
func validParameters(field string, ps []*ParameterInput) ([]byte, error) {
	if len(ps) > maxListItems {
		return nil, exceeded(field, "At most %d.", maxListItems)
	}
	out := []Parameter{}
	for i, p := range ps {
		f := at(field, i)
		if err := firstOf(validName(f+".name", p.Name), validName(f+".type", p.Type), validText(f+".value", p.value(), maxDescription),
			validText(f+".description", p.description(), maxDescription)); err != nil {
			return nil, err
		}
		out = append(out, Parameter{Name: p.Name, Type: p.Type, Value: p.value(), Description: p.description(), Advanced: p.Advanced != nil && *p.Advanced})
	}
	return json.Marshal(out)
}

// validBulk checks the length of a list that a write is about.
func validBulk(field string, n int, mayBeEmpty bool) error {
	switch {
	case n == 0 && !mayBeEmpty:
		return invalid(field, "Name at least one.")
	case n > MaxBulk:
		return exceeded(field, "At most %d at once.", MaxBulk)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
