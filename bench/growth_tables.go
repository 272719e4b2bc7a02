package main

import (
	"cmp"
	"fmt"
	"strings"
)

// matrix is a table with a column for each size.
type matrix struct {
	strings.Builder
	all []sizeResults
}

// growthTables are a table for each thing that might grow.
func growthTables(all []sizeResults) string {
	m := &matrix{all: all}
	fmt.Fprintf(m, "Users are twice as many as groups, memberships ten times; %d connections.\n", connections)
	m.measured("Roster, requests per second", func(l *line) string { return fmt.Sprintf("%.0f", median(l.b.rates)) })
	m.measured("ratio to what it is compared with", func(l *line) string { return fmt.Sprintf("%.2f", l.ratio().median) })
	m.measured("processor, s per 1,000 requests, Roster and Postgres", func(l *line) string {
		return dash("%.3f", l.b.perThousand(l.b.server+l.b.postgres))
	})
	m.bulk("bulk writes, times the bare SQL")
	m.counted("statements per request", func(c counts) string {
		return fmt.Sprintf("%.1f", float64(c.statements)/float64(c.requests))
	})
	m.counted("rows read per row returned or written", func(c counts) string {
		return fmt.Sprintf("%.1f", float64(c.read)/float64(max(1, c.rows)))
	})
	return m.String()
}

func (m *matrix) head(title string) {
	fmt.Fprintf(m, "\n| %s |", title)
	for _, s := range m.all {
		fmt.Fprintf(m, " %v groups |", s.size)
	}
	m.WriteString("\n| --- |" + strings.Repeat(" --- |", len(m.all)) + "\n")
}

// line is one row, if there is anything in it; value says "" where there is nothing at a size.
func (m *matrix) line(title string, value func(s sizeResults) string) {
	row, any := "", false
	for _, s := range m.all {
		v := value(s)
		any = any || v != ""
		row += " " + cmp.Or(v, "–") + " |"
	}
	if any {
		fmt.Fprintf(m, "| %s |%s\n", title, row)
	}
}

func (m *matrix) measured(title string, value func(l *line) string) {
	m.head(title)
	for _, w := range workloads() {
		m.line(w.title, func(s sizeResults) string {
			for i := range s.lines {
				if s.lines[i].name == w.name {
					return value(&s.lines[i])
				}
			}
			return ""
		})
	}
}

func (m *matrix) bulk(title string) {
	m.head(title)
	for _, b := range bulks() {
		m.line(b.title, func(s sizeResults) string {
			for _, l := range s.bulks {
				if l.name == b.name {
					return fmt.Sprintf("%.2f", spreadOf(ratios(l.roster, l.bare)).median)
				}
			}
			return ""
		})
	}
}

func (m *matrix) counted(title string, value func(c counts) string) {
	m.head(title)
	row := func(name, title string) {
		m.line(title, func(s sizeResults) string {
			if c := s.counts[name]; c.requests > 0 {
				return value(c)
			}
			return ""
		})
	}
	for _, w := range workloads() {
		row(w.name, w.title)
	}
	for _, b := range bulks() {
		row(b.name, b.title)
	}
}
