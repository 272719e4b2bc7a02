package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"roster/internal/directory"
	"roster/internal/observe"
)

// exposed are the names of all series that a server has, as Prometheus keeps them.
func exposed(t *testing.T) map[string]bool {
	t.Helper()
	r := start(t, settings{"DATABASE_URL": emptyDatabase(t), "ROSTER_ADMIN_TOKEN": adminToken, "ROSTER_METRICS_ADDR": "127.0.0.1:0"})
	r.query(t, adminToken, `mutation { createGroup(input: {name: "a"}) { group { id } } }`, `"id"`)
	r.query(t, adminToken, `mutation { createGroup(input: {name: "a"}) { group { id } } }`, `"CONFLICT"`)
	r.ask(t, "GET", "/group/a", "", "Session-Token", adminToken)
	names := map[string]bool{"up": true} // which Prometheus makes itself
	for line := range strings.Lines(r.counts(t, `roster_door_requests_total{code="OK"`, `roster_db_statement_errors_total{state="23505"}`)) {
		if name := regexp.MustCompile(`^\w+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names
}

var (
	metricName = regexp.MustCompile(`\b(?:roster|go|process)_\w+\b|\bup\b`)
	codeMatch  = regexp.MustCompile(`(code|reason|limit|outcome)(?:=~|!=|=)"([^"]*)"`)
)

// usesWhatIs holds an expression to what is exposed, and the values in it to those that there are.
func usesWhatIs(t *testing.T, where, expr string, names map[string]bool) {
	t.Helper()
	found := metricName.FindAllString(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s uses no metric: %s", where, expr)
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("%s uses %s, which there is not", where, name)
		}
	}
	known := map[string]bool{"OK": true, "client": true, "server": true}
	for _, c := range directory.Codes {
		known[string(c)], known[strings.ToLower(string(c))] = true, true
	}
	for _, word := range slices.Concat(observe.Reasons, observe.Limits, observe.Outcomes) {
		known[word] = true
	}
	for _, m := range codeMatch.FindAllStringSubmatch(expr, -1) {
		for value := range strings.SplitSeq(m[2], "|") {
			if !known[value] {
				t.Errorf("%s looks for the %s %s, which there is not", where, m[1], value)
			}
		}
	}
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") || strings.Count(expr, `"`)%2 != 0 {
		t.Errorf("%s has an expression that does not close: %s", where, expr)
	}
}

// TestDeployedMetrics holds the dashboard and the alerts to the metrics that there are.
func TestDeployedMetrics(t *testing.T) {
	t.Parallel()
	names := exposed(t)
	text, err := os.ReadFile("deploy/grafana/roster.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil || dashboard.Title == "" || len(dashboard.Panels) < 10 {
		t.Fatal(err, len(dashboard.Panels))
	}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("the panel %d, %q, is there twice or shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			usesWhatIs(t, "the panel "+p.Title, target.Expr, names)
		}
	}
	if text, err = os.ReadFile("deploy/prometheus/alerts.yml"); err != nil {
		t.Fatal(err)
	}
	var alerts struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &alerts, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alerts.Groups[0].Rules {
		usesWhatIs(t, "the alert "+r.Alert, r.Expr, names)
		if s := r.Labels["severity"]; s != "page" && s != "ticket" || r.Annotations["summary"] == "" {
			t.Errorf("the alert %s says not how bad or what it is", r.Alert)
		}
		if !strings.Contains(string(guide), "`"+r.Alert+"`") {
			t.Errorf("docs/operation.md says nothing about %s", r.Alert)
		}
	}
	for name := range names {
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if strings.HasPrefix(name, "roster_") && !strings.Contains(string(guide), "`"+family+"`") {
			t.Errorf("docs/operation.md lacks %s", family)
		}
	}
}

// TestDeployedPrograms holds what is written for systemd and containers to the program: the commands and the settings that they name.
func TestDeployedPrograms(t *testing.T) {
	t.Parallel()
	help := settings{"HOME": "/home/ada"}.ok(t, "-h").stdout
	for file, want := range map[string][]string{
		"deploy/Dockerfile":             {`CMD ["/roster", "probe", "-live"]`, `CMD ["serve"]`, "USER nonroot", "COPY go.mod go.sum"},
		"deploy/systemd/roster.service": {"ExecStart=/usr/local/bin/roster serve", "NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes", "KillMode=mixed"},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s lacks %s", file, w)
			}
		}
		for _, name := range regexp.MustCompile(`\b(?:ROSTER|DATABASE)_[A-Z_]+\b`).FindAllString(string(text), -1) {
			if !strings.Contains(help, name) {
				t.Errorf("%s names %s, which is no setting", file, name)
			}
		}
	}
}
