package db

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun/driver/pgdriver"
)

// TestElements reads back what Postgres itself writes, of texts that need all there is of quoting.
func TestElements(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	texts := []string{"", "a", "NULL", "null", `a,b`, `{x}`, `"`, `\`, `\"`, ` a `, "é,\n", `a"b\c,{}`}
	var array string
	if _, err := s.queryRow(t.Context(), "SELECT (array_agg(v) || ARRAY[NULL])::text FROM unnest($1::text[]) v", []any{Strings(texts)}, &array); err != nil {
		t.Fatal(err)
	}
	var got []string
	nulls := 0
	err := eachElement(array, func(text string, null bool) error {
		if null {
			nulls++
			return nil
		}
		got = append(got, text)
		return nil
	})
	if err != nil || nulls != 1 {
		t.Fatalf("%d nulls, %v", nulls, err)
	}
	if d := cmp.Diff(texts, got); d != "" {
		t.Error(d)
	}
}

func FuzzElements(f *testing.F) {
	for _, seed := range []string{"{}", "{a,b}", `{"a","b\"c",NULL}`, `{"`, `{"\`, "{,}", `{"a"b}`, "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, array string) {
		total := 0
		_ = eachElement(array, func(text string, _ bool) error {
			total += len(text)
			return nil
		})
		if total > len(array) {
			t.Errorf("%q has elements of %d bytes", array, total)
		}
	})
}

// TestParseTime: the quick way reads what pgdriver's does, and leaves to it what it cannot read.
func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-11-25 22:30:53.123456+00", "2026-11-25 22:30:53+00", "0001-01-01 00:00:00.1+00", "9999-12-31 23:59:59.999999+00",
		"2026-11-25 22:30:53.123456+02", "2026-1x-25 22:30:53+00", "infinity", ""} {
		got, err := parseTime(text)
		want, werr := pgdriver.ParseTime(text)
		if !got.Equal(want) || (err == nil) != (werr == nil) || (err == nil && got.Location() != time.UTC && want.Location() == time.UTC) {
			t.Errorf("%q is %v, %v; want %v, %v", text, got, err, want, werr)
		}
	}
}
