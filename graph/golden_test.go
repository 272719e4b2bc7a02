package graph_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"go.jetify.com/typeid"

	"roster/db"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden runs every file of testdata against a copy of the organisation, an operation after the other, and compares the answers
// byte for byte with the lines of its .json. What differs from run to run has a placeholder there: {grp:Engineering}, {usr:ada} and
// {tok:CI} for what the organisation holds, numbers for the rest ({mem:1}, {uuid:1}, {time:1}, {cursor:1}, {secret:1}), the same
// number for the same value. A later operation may use a placeholder in its place.
//
// The comment "# as: ada" before an operation names whose token it is sent with, by its description or by a placeholder; "# as: nobody"
// sends none. "# told" has webhooks be told all that there is before the operation. Variables are in the file's .vars.json, by the operation's name.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".graphql")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := play(t, file)
			golden := "testdata/" + name + ".json"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the answers differ from %s (-want +got); go test ./graph -update writes them anew:\n%s", golden, cmp.Diff(readable(string(want)), readable(got)))
			}
		})
	}
}

// readable puts every member of every answer on a line of its own.
func readable(lines string) []string {
	var out []string
	for line := range strings.Lines(lines) {
		var b bytes.Buffer
		if json.Indent(&b, []byte(line), "", " ") != nil {
			b.Reset()
			b.WriteString(line)
		}
		out = append(out, strings.Split(b.String(), "\n")...)
	}
	return out
}

// play runs the operations of a file and gives their answers, a line each.
func play(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parser.ParseQuery(&ast.Source{Name: file, Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	vars := variables(t, file)
	a := organised(t, db.Options{})
	p := newPlaceholders(t, a)
	var out strings.Builder
	for _, op := range doc.Operations {
		token := secrets["admin"]
		if who := as(op); who == "nobody" {
			token = ""
		} else if who != "" {
			token = p.fill(who)
			if secret, ok := secrets[who]; ok {
				token = secret
			}
		}
		a.settle(t)
		if op.Comment != nil && strings.Contains(op.Comment.Dump(), "# told") {
			a.tell(t)
		}
		body := map[string]any{"query": p.fill(string(text)), "operationName": op.Name}
		if v, ok := vars[op.Name]; ok {
			body["variables"] = json.RawMessage(p.fill(string(v)))
		}
		_, answer := a.send(t, token, body)
		out.WriteString(p.mask(string(answer)) + "\n")
	}
	return out.String()
}

// as is whom an operation's comment names.
func as(op *ast.OperationDefinition) string {
	if op.Comment == nil {
		return ""
	}
	for _, c := range op.Comment.List {
		if who, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(c.Value, "#")), "as: "); ok {
			return who
		}
	}
	return ""
}

func variables(t *testing.T, file string) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(strings.TrimSuffix(file, ".graphql") + ".vars.json")
	if os.IsNotExist(err) {
		return nil
	}
	var vars map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &vars)
	}
	if err != nil {
		t.Fatal(err)
	}
	return vars
}

// placeholders are the names of values that differ from run to run.
type placeholders struct {
	names  map[string]string // by value
	values map[string]string // by name
	counts map[string]int
}

func newPlaceholders(t *testing.T, a *api) *placeholders {
	t.Helper()
	p := &placeholders{map[string]string{}, map[string]string{}, map[string]int{}}
	rows, err := a.sql.QueryContext(t.Context(), `SELECT 'grp', id::text, name FROM groups UNION ALL SELECT 'usr', id::text, username FROM users
		UNION ALL SELECT 'tok', id::text, description FROM tokens UNION ALL SELECT 'act', id::text, name FROM actions
		UNION ALL SELECT 'wkm', id::text, name FROM worker_models
		UNION ALL SELECT 'mem', m.id::text, g.name || '/' || u.username FROM members m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user_id
		UNION ALL SELECT 'adm', m.id::text, g.name || '/' || u.username FROM admins m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var prefix, id, name string
		if err := rows.Scan(&prefix, &id, &name); err != nil {
			t.Fatal(err)
		}
		tid, err := typeid.FromUUIDWithPrefix(prefix, id)
		if err != nil {
			t.Fatal(err)
		}
		p.set("{"+prefix+":"+name+"}", tid.String())
		if prefix == "grp" || prefix == "usr" {
			p.set("{uuid:"+name+"}", id)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *placeholders) set(name, value string) { p.names[value], p.values[name] = name, value }

// fill puts values in the place of placeholders.
func (p *placeholders) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := p.values[name]; ok {
			return v
		}
		return name
	})
}

var (
	placeholder = regexp.MustCompile(`\{[a-z]+:[^{}"]+\}`)
	patterns    = []struct {
		kind string // "": the part of the match before the first _
		re   *regexp.Regexp
	}{
		{"secret", regexp.MustCompile(`rst_[0-9A-Za-z]{36}`)},
		{"secret", regexp.MustCompile(`whsec_[0-9A-Za-z+/]{43}=`)},
		{"prefix", regexp.MustCompile(`rst_[0-9A-Za-z]{4}\b`)},
		{"", regexp.MustCompile(`\b(grp|usr|tok|mem|adm|chg|act|wkm|wbh|wbd)_[0-9a-z]{26}\b`)},
		{"uuid", regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)},
		{"time", regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)},
	}
	cursors = regexp.MustCompile(`((?:[cC]ursor|position)":")([A-Za-z0-9_-]{16,})"`)
)

// mask puts placeholders in the place of values.
func (p *placeholders) mask(text string) string {
	text = cursors.ReplaceAllStringFunc(text, func(m string) string {
		parts := cursors.FindStringSubmatch(m)
		return parts[1] + p.name("cursor", parts[2]) + `"`
	})
	for _, pattern := range patterns {
		text = pattern.re.ReplaceAllStringFunc(text, func(value string) string {
			switch pattern.kind {
			case "":
				return p.name(value[:3], value)
			case "time":
				at, err := time.Parse(time.RFC3339Nano, value)
				if err != nil || time.Since(at).Abs() > 48*time.Hour {
					return value // chosen, not passed
				}
				name := p.name("time", fmt.Sprint(at.UnixMicro())) // one moment, however many digits it is written with
				p.values[name] = value
				return name
			case "uuid":
				if uuid.Validate(value) != nil {
					return value
				}
			}
			return p.name(pattern.kind, value)
		})
	}
	return text
}

func (p *placeholders) name(kind, value string) string {
	if name, ok := p.names[value]; ok {
		return name
	}
	p.counts[kind]++
	name := fmt.Sprintf("{%s:%d}", kind, p.counts[kind])
	p.set(name, value)
	return name
}
