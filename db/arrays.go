package db

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/driver/pgdriver"
)

// This file reads the children of a parent, which come as one text[] for each column.

var errArray = errors.New("db: an array that Postgres does not write")

// appendArrays appends the rows whose columns the values are; a parent without children has NULLs.
func appendArrays[T any](rows []T, columns []column[T], values []driver.Value) ([]T, error) {
	from := len(rows)
	for i, c := range columns {
		b, ok := values[i].([]byte)
		if !ok {
			if values[i] == nil && i == 0 {
				return rows, nil
			}
			return rows, fmt.Errorf("db: an array is a %T", values[i])
		}
		n := from
		err := eachElement(string(b), func(text string, null bool) error {
			if n == len(rows) {
				if i > 0 {
					return errArray
				}
				rows = append(rows, *new(T))
			}
			n++
			return assignText(c.dest(&rows[n-1]), text, null)
		})
		if err != nil {
			return rows, err
		}
		if n != len(rows) {
			return rows, errArray
		}
	}
	return rows, nil
}

// elements is how many elements an array has at most.
func elements(v driver.Value) int {
	b, _ := v.([]byte)
	if len(b) <= len("{}") {
		return 0
	}
	return bytes.Count(b, []byte{','}) + 1
}

// eachElement hands on the elements of an array of one dimension, as array_out writes it: bare, or in quotes with \ before what would
// end them. An element without such shares the array's memory.
func eachElement(array string, each func(text string, null bool) error) error {
	if len(array) < 2 || array[0] != '{' || array[len(array)-1] != '}' {
		return errArray
	}
	rest := array[1 : len(array)-1]
	for more := rest != ""; more; {
		var text string
		var err error
		quoted := strings.HasPrefix(rest, `"`)
		if quoted {
			if text, rest, err = unquoted(rest[1:]); err != nil {
				return err
			}
			if more = rest != ""; more {
				if rest[0] != ',' {
					return errArray
				}
				rest = rest[1:]
			}
		} else {
			text, rest, more = strings.Cut(rest, ",")
		}
		if err := each(text, !quoted && text == "NULL"); err != nil {
			return err
		}
	}
	return nil
}

// unquoted reads up to the quote that ends an element, and gives what follows it.
func unquoted(text string) (element, rest string, err error) {
	end := strings.IndexAny(text, `"\\`)
	if end < 0 {
		return "", "", errArray
	}
	if text[end] == '"' {
		return text[:end], text[end+1:], nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			if i++; i == len(text) {
				return "", "", errArray
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", errArray
}

// assignText puts a value that was cast to text where a column belongs.
func assignText(dest any, text string, null bool) error {
	if null {
		return assignNull(dest)
	}
	switch d := dest.(type) {
	case *string:
		*d = text
		return nil
	case *int:
		return parseInto(d, strconv.Atoi, text)
	case *uuid.UUID:
		return parseInto(d, uuid.Parse, text)
	case *time.Time:
		return parseInto(d, parseTime, text)
	case *bool:
		return parseInto(d, strconv.ParseBool, text)
	case *int64:
		return parseInto(d, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, text)
	case *[]byte:
		*d = []byte(text)
		return nil
	case **string:
		own := text // not the argument itself, which would be moved to the heap for every element
		*d = &own
		return nil
	case **uuid.UUID:
		*d = new(uuid.UUID)
		return assignText(*d, text, false)
	case **time.Time:
		*d = new(time.Time)
		return assignText(*d, text, false)
	case sql.Scanner:
		return d.Scan([]byte(text))
	}
	return fmt.Errorf("db: a field is a %T", dest)
}

// assignNull puts NULL where a column belongs.
func assignNull(dest any) error {
	switch d := dest.(type) {
	case **string:
		*d = nil
	case **uuid.UUID:
		*d = nil
	case **time.Time:
		*d = nil
	case *[]byte:
		*d = nil
	case sql.Scanner:
		return d.Scan(nil)
	default:
		return fmt.Errorf("db: NULL for a %T", dest)
	}
	return nil
}

func parseInto[T any](dest *T, parse func(string) (T, error), text string) error {
	v, err := parse(text)
	*dest = v
	return err
}

// parseTime reads a timestamptz of a session in UTC, digit by digit where it can: a list has hundreds.
func parseTime(text string) (time.Time, error) {
	const least = len("2006-01-02 15:04:05")
	clock, utc := strings.CutSuffix(text, "+00")
	if !utc || len(clock) < least || clock[4] != '-' || clock[7] != '-' || clock[10] != ' ' || clock[13] != ':' || clock[16] != ':' {
		return pgdriver.ParseTime(text)
	}
	nanos := 0
	if fraction := clock[least:]; fraction != "" {
		if fraction[0] != '.' || len(fraction) > 7 {
			return pgdriver.ParseTime(text)
		}
		nanos = digits((fraction[1:] + "000000")[:6]) * 1000
	}
	year, month, day := digits(clock[:4]), digits(clock[5:7]), digits(clock[8:10])
	hour, minute, second := digits(clock[11:13]), digits(clock[14:16]), digits(clock[17:19])
	if min(year, month, day, hour, minute, second, nanos) < 0 {
		return pgdriver.ParseTime(text)
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC), nil
}

// digits is the number that a text of digits spells, and far below 0 for any other text.
func digits(text string) int {
	n := 0
	for i := range len(text) {
		c := text[i] - '0'
		if c > 9 {
			return -1 << 40
		}
		n = n*10 + int(c)
	}
	return n
}
