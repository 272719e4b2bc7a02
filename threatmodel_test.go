package main

import (
	"os"
	"strings"
	"testing"

	"roster/internal/rostertest"
)

// TestThreatModel holds docs/threat-model.md to the tests: each line of its table names some, and all of them exist.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := rostertest.Sources(t, ".")
	lines := 0
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], " ---") || strings.HasPrefix(cells[1], " threat") {
			continue
		}
		lines++
		for name := range strings.SplitSeq(strings.Trim(cells[3], " `"), "`, `") {
			test, golden, ok := strings.Cut(name, "/")
			if !strings.Contains(sources, "\nfunc "+test+"(") {
				t.Errorf("there is no test %q", name)
			}
			if _, err := os.Stat("graph/testdata/" + golden + ".json"); ok && err != nil {
				t.Error(err)
			}
		}
	}
	if lines < 10 {
		t.Errorf("the table has %d lines", lines)
	}
}
