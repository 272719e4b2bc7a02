package db

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// timeKey is a time as a cursor carries it: Postgres's own precision.
func timeKey(t time.Time) string { return string(appendTime(nil, t)) }

func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
}

// appendTimeOrNever sorts what has no time after everything that has one.
func appendTimeOrNever(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "infinity"...)
	}
	return appendTime(b, *t)
}

// appendUUID is uuid.UUID.String without a string.
func appendUUID(b []byte, id uuid.UUID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
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
