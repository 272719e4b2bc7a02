package legacytest

import (
	"regexp"
	"strconv"
	"strings"
)

// Mask finds what differs from run to run in answers. If the pattern has a group, the group is what is replaced.
type Mask struct {
	Name     string
	Pattern  *regexp.Regexp
	Numbered bool // tell one value from another: {{uuid-1}}, {{uuid-2}}
}

var masks = []Mask{
	{"secret", regexp.MustCompile(`rst_[0-9A-Za-z]{36}`), true},
	{"id", regexp.MustCompile(`\b(?:grp|usr|tok|mem|adm|chg|act|wkm)_[0-7][0-9a-hjkmnp-tv-z]{25}\b`), true},
	{"uuid", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), true},
	{"UUID", regexp.MustCompile(`\b[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\b`), true},
	{"request", regexp.MustCompile(`\b[A-Z2-7]{26}\b`), false},
	{"time", regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)`), false},
	{"httpdate", regexp.MustCompile(`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT\b`), false},
	{"millis", regexp.MustCompile(`\b[12]\d{12}\b`), false},
}

// masked is an answer with placeholders for what differs from run to run.
func (w *World) masked(answer string) string {
	w.last = answer
	for _, m := range append(append([]Mask{}, w.kit.Masks...), masks...) {
		answer = w.apply(m, answer)
	}
	head, body, _ := strings.Cut(answer, "\n\n")
	if strings.Contains(body, "{{time}}") { // whose fraction may have fewer digits
		head = lengthLine.ReplaceAllString(head, "Content-Length: {{length}}")
	}
	return head + "\n\n" + body
}

var lengthLine = regexp.MustCompile(`(?m)^Content-Length: \d+$`)

func (w *World) apply(m Mask, text string) string {
	var b strings.Builder
	done := 0
	for _, at := range m.Pattern.FindAllStringSubmatchIndex(text, -1) {
		from, to := at[0], at[1]
		if len(at) > 2 && at[2] >= 0 {
			from, to = at[2], at[3]
		}
		b.WriteString(text[done:from] + "{{" + w.nameFor(m, text[from:to]) + "}}")
		done = to
	}
	b.WriteString(text[done:])
	return b.String()
}

func (w *World) nameFor(m Mask, value string) string {
	if name, ok := w.known[value]; ok {
		return name
	}
	if !m.Numbered {
		return m.Name
	}
	w.count[m.Name]++
	name := m.Name + "-" + strconv.Itoa(w.count[m.Name])
	w.Name(name, value)
	return name
}
