package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

func (l *line) ratio() spread { return spreadOf(ratios(l.b.rates, l.a.rates)) }

// processor is how much processor time a takes for a request, over what b takes, servers and Postgres together: what the ratio
// would be if nothing but processors counted. NaN: it is not known.
func (l *line) processor() float64 {
	a := l.a.perThousand(l.a.server + l.a.postgres)
	b := l.b.perThousand(l.b.server + l.b.postgres)
	if l.a.postgres == 0 || l.b.postgres == 0 || b == 0 {
		return math.NaN()
	}
	return a / b
}

// verdict says whether a target is met.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

func (l *line) verdict() string {
	r := l.ratio().median
	return verdict(r >= l.target && (l.most == 0 || r <= l.most))
}

func (l *line) wanted() string {
	if l.most > 0 {
		return fmt.Sprintf("%.2f–%.2f", l.target, l.most)
	}
	return fmt.Sprintf("≥ %.2f", l.target)
}

func dash(format string, v float64) string {
	if math.IsNaN(v) || v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

// tables are the results in Markdown.
func (r results) tables(s size) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v groups, %v users, %v memberships, %d connections.\n\n", s, 2*s, 10*s, connections)
	if len(r.lines) > 0 {
		b.WriteString("| workload | compared | req/s | ratio (least–most) | target | | ratio by processor time |\n| --- | --- | --- | --- | --- | --- | --- |\n")
		for _, l := range r.lines {
			ratio := l.ratio()
			fmt.Fprintf(&b, "| %s | %s → %s | %.0f → %.0f | **%.2f** (%.2f–%.2f) | %s | %s | %s |\n", l.title, l.a.name, l.b.name, median(l.a.rates), median(l.b.rates),
				ratio.median, ratio.least, ratio.most, l.wanted(), l.verdict(), dash("%.2f", l.processor()))
		}
		b.WriteString("\n| workload | p50 ms | p99 ms | server, s per 1,000 requests | Postgres, s per 1,000 requests |\n| --- | --- | --- | --- | --- |\n")
		for _, l := range r.lines {
			fmt.Fprintf(&b, "| %s | %s → %s | %s → %s | %s → %s | %s → %s |\n", l.title,
				milliseconds(l.a.p50), milliseconds(l.b.p50), milliseconds(l.a.p99), milliseconds(l.b.p99),
				dash("%.3f", l.a.perThousand(l.a.server)), dash("%.3f", l.b.perThousand(l.b.server)),
				dash("%.3f", l.a.perThousand(l.a.postgres)), dash("%.3f", l.b.perThousand(l.b.postgres)))
		}
	}
	if len(r.bulks) > 0 {
		b.WriteString("\n| bulk write | bare SQL, ms | Roster, ms | times (least–most) | target | |\n| --- | --- | --- | --- | --- | --- |\n")
		for _, l := range r.bulks {
			times := spreadOf(ratios(l.roster, l.bare))
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | **%.2f** (%.2f–%.2f) | ≤ %.2f | %s |\n", l.title, median(l.bare)*1000, median(l.timed.roster)*1000,
				times.median, times.least, times.most, l.most, verdict(times.median <= l.most))
		}
	}
	return b.String()
}

// machine says where the figures are from.
func machine(ctx context.Context, p *postgres) (string, error) {
	c, err := pgx.Connect(ctx, p.url.String())
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var version string
	if err := c.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return "", err
	}
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	return fmt.Sprintf("%s · %d × %s · %s · %s · Postgres %s · source %s · load average before %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), model(), kernel(),
		runtime.Version(), version, bytes.TrimSpace(commit), p.load), nil
}

func model() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}

// loadAverage is how busy the machine is, over the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// report prints tables, and puts those of a whole run into the file between the markers of that name.
func (o options) report(ctx context.Context, p *postgres, name, tables string) error {
	where, err := machine(ctx, p)
	if err != nil {
		return err
	}
	text := where + "\n\n" + fmt.Sprintf("%d rounds of %v. ", o.rounds, o.duration) + tables
	fmt.Println(text)
	if o.out == "" || o.partial {
		return nil
	}
	page, err := os.ReadFile(o.out)
	if err != nil {
		return err
	}
	page, err = between(page, name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", o.out, err)
	}
	return os.WriteFile(o.out, page, 0o644)
}

// between replaces what stands between the markers of a name.
func between(page []byte, name, text string) ([]byte, error) {
	open, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- /"+name+" -->")
	i := bytes.Index(page, open)
	j := bytes.Index(page, end)
	if i < 0 || j < i {
		return nil, errors.New("there are no markers <!-- " + name + " --> and <!-- /" + name + " -->")
	}
	return bytes.Join([][]byte{page[:i+len(open)], []byte("\n" + strings.TrimSpace(text) + "\n\n"), page[j:]}, nil), nil
}
