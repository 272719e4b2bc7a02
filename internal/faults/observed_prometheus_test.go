//go:build observed

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheus is one that scrapes a server each second.
type prometheus struct{ url string }

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs(deployed + "prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: roster, static_configs: [{targets: [%q]}]}]\n", rules, strings.TrimPrefix(target, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	ctx, stop := context.WithCancel(context.Background())
	printed := &output{}
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+at, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (Debian has it in the package prometheus)", err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Prometheus printed:\n%s", printed.tail())
		}
	})
	p := &prometheus{"http://" + at}
	poll(t, "Prometheus to have scraped", func() bool {
		res, err := http.Get(p.url + "/api/v1/query?query=up%7Bjob%3D%22roster%22%7D%3D%3D1")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(text), `"job":"roster"`)
	})
	return p
}

// fetch gets what has to be there.
func fetch(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s", url, res.Status, err, text)
	}
	return string(text)
}

// panel is one of the dashboard, as Grafana's JSON has it.
type panel struct {
	Title, Type, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []*target
}

// target is a query of a panel, and what it found.
type target struct {
	Expr, LegendFormat string
	found              []*series
}

// series is one line: its legend, and its values; a value that is no number is not there.
type series struct {
	name   string
	at, is []float64 // seconds since 1970, values
}

func (s *series) last() float64 { return s.is[len(s.is)-1] }

func readDashboard(t *testing.T) []*panel {
	t.Helper()
	var d struct{ Panels []*panel }
	if err := json.Unmarshal([]byte(readFile(t, deployed+"grafana/roster.json")), &d); err != nil || len(d.Panels) < 20 {
		t.Fatalf("%d panels: %v", len(d.Panels), err)
	}
	return d.Panels
}

var variable = regexp.MustCompile(`\{\{(\w+)\}\}`)

// evaluates asks every query of every panel over the time of the load, as Grafana would. Each has to find something.
func (p *prometheus) evaluates(t *testing.T, panels []*panel, from, to time.Time) {
	t.Helper()
	for _, panel := range panels {
		for _, q := range panel.Targets {
			expr := strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "5s").Replace(q.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s has a variable that this test does not know: %s", panel.Title, q.Expr)
			}
			var data struct {
				Result []struct {
					Metric map[string]string
					Values [][2]any
				}
			}
			p.ask(t, "query_range", url.Values{"query": {expr}, "step": {"1"}, "start": {unix(from)}, "end": {unix(to)}}, &data)
			for _, r := range data.Result {
				s := &series{name: variable.ReplaceAllStringFunc(q.LegendFormat, func(v string) string { return r.Metric[v[2:len(v)-2]] })}
				for _, v := range r.Values {
					if is, err := strconv.ParseFloat(v[1].(string), 64); err == nil && !math.IsNaN(is) && !math.IsInf(is, 0) {
						s.at, s.is = append(s.at, v[0].(float64)), append(s.is, is)
					}
				}
				if len(s.is) > 0 {
					q.found = append(q.found, s)
				}
			}
			if len(q.found) == 0 {
				t.Errorf("the panel %s finds nothing by %s", panel.Title, expr)
			}
		}
	}
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64) }

// ask asks Prometheus's API.
func (p *prometheus) ask(t *testing.T, what string, args url.Values, data any) {
	t.Helper()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	res, err := http.Get(p.url + "/api/v1/" + what + "?" + args.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Errorf("%s %s: %s %v", what, args.Get("query"), answer.Error, err)
		return
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		t.Error(err)
	}
}

// knows looks at the alerts as Prometheus evaluates them, and at the variables of the dashboard.
func (p *prometheus) knows(t *testing.T) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	p.ask(t, "rules", nil, &rules)
	var names []string
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			names = append(names, r.Name)
			if r.Health != "ok" {
				t.Errorf("the alert %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if !slices.Equal(names, alerts(t)) {
		t.Errorf("Prometheus evaluates %v", names)
	}
	for _, label := range []string{"job", "instance"} {
		var values []string
		if p.ask(t, "label/"+label+"/values", url.Values{"match[]": {"roster_http_requests_in_flight"}}, &values); len(values) != 1 {
			t.Errorf("the variable %s of the dashboard has the values %v", label, values)
		}
	}
}
