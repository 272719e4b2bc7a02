package legacytest

import (
	"fmt"
	"strings"
)

// scenario is a file, taken apart so that it can be put together again with other answers.
type scenario struct{ parts []part }

// part is a line of prose, a step or an exchange.
type part struct {
	line     int
	text     string // the line as it stands; "" for an exchange
	step     []string
	exchange *exchange
}

type exchange struct{ title, request, answer string }

func parse(text string) (*scenario, error) {
	s := &scenario{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		p := part{line: i + 1, text: lines[i]}
		switch line := lines[i]; {
		case strings.HasPrefix(line, "@"):
			words, err := fields(line[1:])
			if err != nil || len(words) == 0 {
				return nil, fmt.Errorf("line %d: %q is no step: %w", i+1, line, err)
			}
			p.step = words
		case strings.HasPrefix(line, ">>>"):
			request, next := block(lines, i+1)
			answer := ""
			if next < len(lines) && (next+1 < len(lines) && !strings.HasPrefix(lines[next+1], ">>>")) {
				if end := closing(lines, next+1); end < len(lines) {
					answer = strings.Join(lines[next+1:end], "\n")
					next = end
				}
			}
			p.text, p.exchange = "", &exchange{title: strings.TrimSpace(line[3:]), request: request, answer: answer}
			i = next
		case line != "" && !strings.HasPrefix(line, "#"):
			return nil, fmt.Errorf("line %d: %q is neither # prose, an @ step, nor in an exchange", i+1, line)
		}
		s.parts = append(s.parts, p)
	}
	return s, nil
}

// block is the text up to the next <<<, and the place of that line.
func block(lines []string, from int) (string, int) {
	end := from
	for end < len(lines) && lines[end] != "<<<" {
		end++
	}
	return strings.Join(lines[from:end], "\n"), end
}

// closing finds the <<< that ends an answer. A request without an answer yet is followed by something else.
func closing(lines []string, from int) int {
	for i := from; i < len(lines); i++ {
		switch {
		case lines[i] == "<<<":
			return i
		case strings.HasPrefix(lines[i], ">>>"):
			return len(lines)
		}
	}
	return len(lines)
}

// String is the file again.
func (s *scenario) String() string {
	var b strings.Builder
	for _, p := range s.parts {
		if p.exchange == nil {
			b.WriteString(p.text + "\n")
			continue
		}
		title := strings.TrimSpace(">>> " + p.exchange.title)
		b.WriteString(title + "\n" + p.exchange.request + "\n<<<\n" + p.exchange.answer + "\n<<<\n")
	}
	return b.String()
}

// fields are the words of a line; "quotes" keep spaces together.
func fields(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	quoted, open := false, false
	for _, c := range line {
		switch {
		case c == '"':
			quoted, open = !quoted, true
		case c == ' ' && !quoted:
			if open {
				words = append(words, b.String())
			}
			b.Reset()
			open = false
		default:
			b.WriteRune(c)
			open = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open {
		words = append(words, b.String())
	}
	return words, nil
}
