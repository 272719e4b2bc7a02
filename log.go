package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"roster/internal/config"
)

// How much of the log may wait to be written, and for how long. A line for each request, each written by itself, is one system call in six
// that a server makes.
const (
	waitingLog = 32 << 10
	logDelay   = 100 * time.Millisecond
)

// newLog is the program's log, in the format and from the level on that settings say. Lines are written some at a time, those that somebody
// should see at once; flush writes what is left.
func newLog(w io.Writer, c config.Config) (log *slog.Logger, flush func()) {
	lines := &lines{to: w}
	lines.timer = time.AfterFunc(logDelay, lines.flush)
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var h slog.Handler = slog.NewTextHandler(lines, options)
	if c.LogFormat == "json" {
		h = slog.NewJSONHandler(lines, options)
	}
	return slog.New(urgent{h, lines}), lines.flush
}

// lines are those of a log that wait to be written.
type lines struct {
	to    io.Writer
	timer *time.Timer

	mu   sync.Mutex
	wait []byte
	err  error // of the last write
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wait) == 0 {
		l.timer.Reset(logDelay)
	}
	l.wait = append(l.wait, p...)
	if len(l.wait) >= waitingLog {
		l.write()
	}
	return len(p), l.err
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *lines) write() {
	if len(l.wait) > 0 {
		_, l.err = l.to.Write(l.wait)
		l.wait = l.wait[:0]
	}
}

// urgent has warnings and errors be written at once, behind what came before them.
type urgent struct {
	slog.Handler
	lines *lines
}

// Handle writes a line.
func (u urgent) Handle(ctx context.Context, r slog.Record) error {
	err := u.Handler.Handle(ctx, r)
	if r.Level > slog.LevelInfo {
		u.lines.flush()
	}
	return err
}

// WithAttrs is for loggers with attributes of their own.
func (u urgent) WithAttrs(as []slog.Attr) slog.Handler {
	return urgent{u.Handler.WithAttrs(as), u.lines}
}

// WithGroup is for loggers with a group of their own.
func (u urgent) WithGroup(name string) slog.Handler {
	return urgent{u.Handler.WithGroup(name), u.lines}
}
