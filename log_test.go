package main

import (
	"log/slog"
	"strings"
	"testing"

	"roster/internal/config"
)

// TestLog: lines are written some at a time and in their order, what somebody should see at once, and the rest in the end.
func TestLog(t *testing.T) {
	t.Parallel()
	out := &output{}
	log, flush := newLog(out, config.Config{LogFormat: "json"})
	log.Info("one")
	if got := out.String(); got != "" {
		t.Errorf("a line was written by itself: %s", got)
	}
	log.With("a", 1).WithGroup("g").Warn("two", "b", 2)
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"two","a":1,"g":{"b":2}`) || strings.Index(got, "one") > strings.Index(got, "two") {
		t.Errorf("after a warning: %s", got)
	}
	log.Info("three")
	flush()
	if got := out.String(); !strings.HasSuffix(got, `"three"}`+"\n") {
		t.Errorf("in the end: %s", got)
	}
	log.Info("four")
	out.find(t, `"four"`) // in a moment, though nothing follows
	for range 2 * waitingLog / len("12345") {
		log.Info("12345")
	}
	if got := strings.Count(out.String(), "12345"); got == 0 {
		t.Error("nothing is written of a great many lines")
	}
	log.Debug("five")
	flush()
	if strings.Contains(out.String(), "five") || !log.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level is another")
	}
}
