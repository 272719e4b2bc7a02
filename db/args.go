package db

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// timeKey is a time as a cursor carries it: Postgres's own precision.
func timeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// timeOrNeverKey sorts what has no time after everything that has one.
func timeOrNeverKey(t *time.Time) string {
	if t == nil {
		return "infinity"
	}
	return timeKey(*t)
}

func intKey(n int) string { return strconv.Itoa(n) }

// uuidArg is a nullable uuid argument.
func uuidArg(id *uuid.UUID) any {
	if id == nil {
		return nil
	}
	return id.String()
}

// timeArg is a nullable timestamptz argument.
func timeArg(t *time.Time) any {
	if t == nil {
		return nil
	}
	return timeKey(*t)
}

// ints is an integer[] argument.
func ints(ns []int) any {
	var b strings.Builder
	b.WriteByte('{')
	for i, n := range ns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(n))
	}
	b.WriteByte('}')
	return b.String()
}

// byteas is a bytea[] argument.
func byteas(vs [][]byte) any {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"\\x` + hex.EncodeToString(v) + `"`)
	}
	b.WriteByte('}')
	return b.String()
}

// nullable is a text[] argument whose empty strings are NULL.
func nullable(vs []string) any {
	var b strings.Builder
	size := 2
	for _, v := range vs {
		size += len(v) + 5
	}
	b.Grow(size)
	b.WriteByte('{')
	for i, v := range vs {
		if i > 0 {
			b.WriteByte(',')
		}
		if v == "" {
			b.WriteString("NULL")
			continue
		}
		b.WriteByte('"')
		b.WriteString(arrayEscapes.Replace(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
