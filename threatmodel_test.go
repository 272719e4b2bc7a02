package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThreatModel holds docs/threat-model.md to the tests: each line of its table names some, and all of them exist.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := testSources(t)
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

func testSources(t *testing.T) string {
	t.Helper()
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "internal/*/*_test.go", "internal/legacy/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	return sources.String()
}
