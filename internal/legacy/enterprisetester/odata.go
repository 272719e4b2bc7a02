package enterprisetester

import (
	"regexp"
	"strings"

	"roster/internal/directory"
)

// condition is one comparison of a $filter.
type condition struct {
	property, operator, value string
}

// The operators of conditions; notContains is what substringof compared with false comes to.
const (
	equal       = "eq"
	notEqual    = "ne"
	contains    = "substringof"
	notContains = "not substringof"
	startsWith  = "startswith"
	endsWith    = "endswith"
)

// notUnderstood is the answer to a $filter beyond what is served of OData.
const notUnderstood = "$filter is made of Name eq 'x', Name ne 'x', substringof('x',Name), startswith(Name,'x') and endswith(Name,'x'), joined by and."

// word is a piece of a $filter: a text in quotes, a name, or a mark.
var word = regexp.MustCompile(`^\s*('(?:[^']|'')*'|[A-Za-z]+|[(),])`)

// words takes a $filter apart; false if something in it is no word.
func words(text string) ([]string, bool) {
	var out []string
	for strings.TrimSpace(text) != "" {
		m := word.FindStringSubmatch(text)
		if m == nil {
			return nil, false
		}
		out = append(out, m[1])
		text = text[len(m[0]):]
	}
	return out, true
}

// conditions reads a $filter: conditions that must all hold. It is the part of OData 2 that the system's own examples show, and what
// is next to it.
func conditions(filter string) ([]condition, error) {
	rest, ok := words(filter)
	var out []condition
	for ok && len(rest) > 0 {
		if len(out) > 0 {
			if !strings.EqualFold(rest[0], "and") {
				break
			}
			rest = rest[1:]
		}
		var c condition
		if c, rest, ok = readCondition(rest); ok {
			out = append(out, c)
		}
	}
	if !ok || len(rest) > 0 {
		return nil, invalid("$filter", notUnderstood)
	}
	return out, nil
}

// readCondition reads one condition from the front of the words.
func readCondition(w []string) (condition, []string, bool) {
	switch {
	case len(w) >= 6 && w[1] == "(" && w[3] == "," && w[5] == ")":
		return readCall(w)
	case len(w) >= 3 && isName(w[0]) && isText(w[2]):
		operator := strings.ToLower(w[1])
		return condition{w[0], operator, unquote(w[2])}, w[3:], operator == equal || operator == notEqual
	}
	return condition{}, nil, false
}

// readCall reads a function with its two arguments, alone or compared with true or false.
func readCall(w []string) (condition, []string, bool) {
	c := condition{operator: strings.ToLower(w[0])}
	name, text := w[2], w[4]
	if c.operator == contains {
		name, text = text, name // substringof has them the other way round
	}
	if !isName(name) || !isText(text) || (c.operator != contains && c.operator != startsWith && c.operator != endsWith) {
		return c, nil, false
	}
	c.property, c.value = name, unquote(text)
	rest := w[6:]
	if len(rest) < 2 || !strings.EqualFold(rest[0], equal) {
		return c, rest, true
	}
	switch strings.ToLower(rest[1]) {
	case "true":
		return c, rest[2:], true
	case "false":
		ok := c.operator == contains
		c.operator = notContains
		return c, rest[2:], ok
	}
	return c, nil, false
}

func isText(w string) bool { return w[0] == '\'' }

func isName(w string) bool { return !isText(w) && !strings.Contains("(),", w) } //nolint:gocritic // the word is one of these

func unquote(text string) string { return strings.ReplaceAll(text[1:len(text)-1], "''", "'") }

// into puts the condition into a filter of the text that it is about; false if the filter has such a condition already.
func (c condition) into(f *directory.StringFilter) bool {
	at := map[string]**string{
		equal: &f.Eq, notEqual: &f.Ne, contains: &f.Contains, notContains: &f.NotContains, startsWith: &f.StartsWith, endsWith: &f.EndsWith,
	}[c.operator]
	if *at != nil {
		return false
	}
	*at = &c.value
	return true
}

// groupFilter is a $filter of groups: by Name and Description.
func groupFilter(text string) (*directory.GroupFilter, error) {
	cs, err := conditions(text)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	out := &directory.GroupFilter{}
	for _, c := range cs {
		of := &directory.StringFilter{}
		c.into(of)
		switch strings.ToLower(c.property) {
		case "name":
			out.And = append(out.And, &directory.GroupFilter{Name: of})
		case "description":
			out.And = append(out.And, &directory.GroupFilter{Description: of})
		default:
			return nil, invalid("$filter", "Groups are filtered by Name and Description.")
		}
	}
	return out, nil
}

// memberFilter is a $filter of users: by UserName and Email, each way of comparing once.
func memberFilter(text string) (*directory.MemberFilter, error) {
	cs, err := conditions(text)
	if err != nil || len(cs) == 0 {
		return nil, err
	}
	out := &directory.MemberFilter{Username: &directory.StringFilter{}, Email: &directory.StringFilter{}}
	for _, c := range cs {
		of, ok := map[string]*directory.StringFilter{"username": out.Username, "email": out.Email}[strings.ToLower(c.property)]
		if !ok {
			return nil, invalid("$filter", "Users are filtered by UserName and Email.")
		}
		if !c.into(of) {
			return nil, invalid("$filter", "$filter compares the same property in the same way twice.")
		}
	}
	return out, nil
}

// groupOrder is an $orderby of groups: Name.
func groupOrder(text string) ([]*directory.GroupOrder, error) {
	direction, err := ordered(text, "Name")
	return []*directory.GroupOrder{{Field: directory.GroupOrderFieldName, Direction: direction}}, err
}

// memberOrder is an $orderby of users: UserName.
func memberOrder(text string) ([]*directory.MemberOrder, error) {
	direction, err := ordered(text, "UserName")
	return []*directory.MemberOrder{{Field: directory.MemberOrderFieldUsername, Direction: direction}}, err
}

// ordered reads an $orderby by the one property that there is an order by; upwards without one.
func ordered(text, property string) (directory.OrderDirection, error) {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0:
		return directory.OrderDirectionAsc, nil
	case len(fields) > 2 || !strings.EqualFold(fields[0], property):
	case len(fields) == 1 || strings.EqualFold(fields[1], "asc"):
		return directory.OrderDirectionAsc, nil
	case strings.EqualFold(fields[1], "desc"):
		return directory.OrderDirectionDesc, nil
	}
	return "", invalid("$orderby", "$orderby is "+property+", "+property+" asc or "+property+" desc.")
}
