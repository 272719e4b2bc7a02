//go:build observed

package faults

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	loadTime   = flag.Duration("for", 20*time.Second, "how long the load lasts")
	pictureDir = flag.String("picture", "", "a directory for the picture of the dashboard, dashboard.png")
)

const deployed = "../../deploy/"

// TestObserved runs the real program under load, with a Postgres of its own, and looks at it as operators do: Prometheus scrapes it each second
// with the alerts that are deployed, every query of the dashboard has to find something there, and a request is seen as one trace from HTTP to
// its statements and to the receiver of a webhook. It prints what it found, and draws the dashboard.
func TestObserved(t *testing.T) {
	rulesHold(t)
	pg := startPostgres(t, dirFor(t))
	spans := newCollector(t)
	server := start(t, pg.url(), "ROSTER_METRICS_ADDR=127.0.0.1:0", "ROSTER_WEBHOOKS_ALLOW=127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT="+spans.URL,
		"OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.02")
	p := startPrometheus(t, server.operators(t))
	begun := time.Now()
	l := newLoad(t, server, newBeam(t, pg.url()))
	l.run(*loadTime)
	end := time.Now()

	families(t, server)
	panels := readDashboard(t)
	p.evaluates(t, panels, begun, end)
	p.knows(t)
	if t.Failed() {
		return
	}
	table(panels)
	draw(t, panels, begun, end)
	l.oneTrace(spans)
	if code := server.signal(t, os.Interrupt); code != 0 {
		t.Errorf("the exit code is %d", code)
	}
}

// rulesHold has Prometheus's own tool read the alerts, and fire each of them.
func rulesHold(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"check", "rules", deployed + "prometheus/alerts.yml"}, {"test", "rules", deployed + "prometheus/alerts_test.yml"}} {
		out, err := exec.Command("promtool", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("promtool %s: %v (Debian has it in the package prometheus)\n%s", strings.Join(args, " "), err, out)
		}
		fmt.Printf("promtool %s\n%s\n", strings.Join(args, " "), out)
	}
	tests := readFile(t, deployed+"prometheus/alerts_test.yml")
	for _, name := range alerts(t) {
		if !regexp.MustCompile(`alertname: ` + name + `\n +exp_alerts:\n`).MatchString(tests) {
			t.Errorf("no test has %s fire", name)
		}
	}
}

// alerts are the names of those that are deployed.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(readFile(t, deployed+"prometheus/alerts.yml"), -1) {
		names = append(names, m[1])
	}
	if len(names) == 0 {
		t.Fatal("there are no alerts")
	}
	return names
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var operators = regexp.MustCompile(`msg=metrics.* url=(http://127\.0\.0\.1:\d+)`)

// operators is where the server serves metrics.
func (p *program) operators(t *testing.T) string {
	t.Helper()
	var found []string
	poll(t, "the address of the metrics", func() bool {
		found = operators.FindStringSubmatch(p.output.String())
		return found != nil
	})
	return found[1]
}

// families prints what the page of metrics tells of Roster, by name, kind and number of series.
func families(t *testing.T, p *program) {
	t.Helper()
	kinds, series := map[string]string{}, map[string]int{}
	for line := range strings.Lines(fetch(t, p.operators(t)+"/metrics")) {
		if f := strings.Fields(line); strings.HasPrefix(line, "# TYPE roster_") {
			kinds[f[2]] = f[3]
			continue
		}
		name := regexp.MustCompile(`^roster_\w+`).FindString(line)
		if base := strings.TrimSuffix(name, "_count"); kinds[base] == "histogram" {
			series[base]++
		} else if kinds[name] != "" {
			series[name]++
		}
	}
	if len(kinds) < 20 {
		t.Errorf("there are %d families of metrics", len(kinds))
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nMETRIC\tKIND\tSERIES")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(w, "%s\t%s\t%d\n", name, kinds[name], series[name])
	}
	w.Flush()
}

// table prints the panels with what their queries found last.
func table(panels []*panel) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nPANEL\tQUERY\tSERIES\tLARGEST VALUE AT THE END")
	for _, p := range panels {
		for _, q := range p.Targets {
			one := slices.MaxFunc(q.found, func(a, b *series) int { return cmp.Compare(a.last(), b.last()) })
			query := strings.ReplaceAll(strings.ReplaceAll(q.Expr, `job=~"$job",instance=~"$instance"`, ""), "{}", "")
			fmt.Fprintf(w, "%s\t%s\t%d\t%s %s\n", p.Title, strings.ReplaceAll(query, "{,", "{"), len(q.found), p.spelt(one.last()), one.name)
		}
	}
	w.Flush()
}
