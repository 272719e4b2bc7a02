package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"roster/internal/directory"
)

// maxLine bounds a line of a file, in bytes: no group that the directory takes needs more.
const maxLine = 8 << 20

// errTooLong is a line that is longer, and was skipped.
var errTooLong = fmt.Errorf("the line is longer than %d MiB", maxLine>>20)

// lines reads a file by lines of bounded length.
type lines struct {
	r   *bufio.Reader
	n   int // of the line last read
	buf []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next is the next line without its end, good until the next call; io.EOF after the last. After errTooLong one goes on.
func (l *lines) next() ([]byte, error) {
	l.n++
	l.buf = l.buf[:0]
	for length := 0; ; {
		part, err := l.r.ReadSlice('\n')
		length += len(part)
		if length <= maxLine {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || length == 0):
			return nil, err
		case length > maxLine:
			return nil, errTooLong
		}
		line := bytes.TrimRight(l.buf, "\r\n")
		if l.n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // the mark that some editors put first
		}
		return line, nil
	}
}

// fieldError is what is wrong with a record, and where in it.
type fieldError struct{ field, message string }

func (e *fieldError) Error() string { return e.message }

func wrong(field, format string, args ...any) error {
	return &fieldError{field, fmt.Sprintf(format, args...)}
}

// record is a line of a file, read.
type record struct {
	directory.PutGroupInput
	tags []string // the keys of Tags, in their order
}

const knownKeys = "name, handle, description, externalId, accessType, folderOwner, public, useDefaultStorage, tags, members and admins"

// parse reads a line strictly: what it does not understand is an error, not left out.
func parse(line []byte) (*record, error) {
	if !utf8.Valid(line) {
		return nil, wrong("", "this is not UTF-8")
	}
	rec := &record{PutGroupInput: directory.PutGroupInput{OnUnknownUser: directory.OnUnknownUserCreate}}
	named := false
	dec := json.NewDecoder(bytes.NewReader(line))
	err := object(dec, "", func(key string, raw json.RawMessage) error {
		named = named || key == "name"
		return rec.set(key, raw)
	})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong("", "there is more on the line after the object")
	}
	if !named {
		return nil, wrong("name", "it is missing")
	}
	return rec, nil
}

// object hands out the keys of the next object with their values. A key that is there twice is an error: which one was meant?
func object(dec *json.Decoder, field string, each func(key string, raw json.RawMessage) error) error {
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return wrong(field, "this is not a JSON object%s", detail(err))
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return wrong(field, "this is not JSON%s", detail(err))
		}
		key, _ := token.(string) // the decoder lets nothing else through
		path := label(key)
		if field != "" {
			path = field + "." + path
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return wrong(path, "this is not JSON%s", detail(err))
		}
		if seen[key] {
			return wrong(path, "this key is there twice")
		}
		seen[key] = true
		if err := each(key, raw); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return wrong(field, "this is not JSON%s", detail(err))
	}
	return nil
}

// detail says why JSON could not be read. Nothing of the value is repeated but the character at fault.
func detail(err error) string {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &syntax):
		return fmt.Sprintf(": %v, at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ": it ends too early"
	}
	return ": " + err.Error()
}

// set puts the value of a key into the record.
func (r *record) set(key string, raw json.RawMessage) (err error) {
	switch key {
	case "name":
		r.Name, err = text(key, raw)
	case "handle":
		r.Handle, err = required(key, raw, text)
	case "description":
		r.Description, err = optional(key, raw, text)
	case "externalId":
		r.ExternalID, err = optional(key, raw, text)
	case "accessType":
		r.AccessType, err = required(key, raw, accessType)
	case "folderOwner":
		r.FolderOwner, err = optional(key, raw, user)
	case "public":
		r.Public, err = required(key, raw, boolean)
	case "useDefaultStorage":
		r.UseDefaultStorage, err = required(key, raw, boolean)
	case "tags":
		r.Tags, err = optional(key, raw, r.readTags)
	case "members":
		r.Members, err = users(key, raw)
	case "admins":
		r.Admins, err = users(key, raw)
	default:
		return wrong(label(key), "there is no such key; the keys are %s", knownKeys)
	}
	return err
}

// required reads a value that cannot be cleared.
func required[T any](field string, raw json.RawMessage, read func(string, json.RawMessage) (T, error)) (*T, error) {
	v, err := read(field, raw)
	return &v, err
}

// optional reads a value that null clears.
func optional[T any](field string, raw json.RawMessage, read func(string, json.RawMessage) (T, error)) (directory.Optional[T], error) {
	if kindOf(raw) == "null" {
		return directory.Optional[T]{Set: true}, nil
	}
	v, err := read(field, raw)
	return directory.Some(v), err
}

func text(field string, raw json.RawMessage) (string, error) {
	if k := kindOf(raw); k != "a string" {
		return "", wrong(field, "it is %s, not a string", k)
	}
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", wrong(field, "this is not JSON%s", detail(err))
	}
	// The decoder puts U+FFFD for half a surrogate pair: another text than the file's.
	if strings.ContainsRune(v, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) && !bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return "", wrong(field, `it holds half of a character: a lone surrogate such as \ud800`)
	}
	return v, nil
}

func boolean(field string, raw json.RawMessage) (bool, error) {
	if k := kindOf(raw); k != "a boolean" {
		return false, wrong(field, "it is %s, not true or false", k)
	}
	return string(raw) == "true", nil
}

func accessType(field string, raw json.RawMessage) (directory.AccessType, error) {
	v, err := text(field, raw)
	return directory.AccessType(v), err
}

func user(field string, raw json.RawMessage) (directory.UserRef, error) {
	v, err := text(field, raw)
	return directory.UserByName(v), err
}

// users reads a list of user names. It is never nil: an empty list is one too.
func users(field string, raw json.RawMessage) ([]*directory.UserRef, error) {
	if k := kindOf(raw); k != "an array" {
		return nil, wrong(field, "it is %s, not an array of user names; leave the key out to leave the list alone", k)
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(raw, &raws); err != nil {
		return nil, wrong(field, "this is not JSON%s", detail(err))
	}
	refs := make([]*directory.UserRef, len(raws))
	for i, raw := range raws {
		ref, err := user(fmt.Sprintf("%s[%d]", field, i), raw)
		if err != nil {
			return nil, err
		}
		refs[i] = &ref
	}
	return refs, nil
}

func (r *record) readTags(field string, raw json.RawMessage) ([]*directory.TagInput, error) {
	if k := kindOf(raw); k != "an object" {
		return nil, wrong(field, "it is %s, not an object of strings", k)
	}
	tags := []*directory.TagInput{}
	err := object(json.NewDecoder(bytes.NewReader(raw)), field, func(key string, raw json.RawMessage) error {
		v, err := text(field+"."+label(key), raw)
		tags, r.tags = append(tags, &directory.TagInput{Key: key, Value: v}), append(r.tags, key)
		return err
	})
	return tags, err
}

// kindOf says what a JSON value is.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// label is a key of the file as a message shows it: a terminal must not be at the mercy of a file, nor filled by it.
func label(key string) string {
	if len(key) > 64 {
		key = strings.ToValidUTF8(key[:64], "") + "…"
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` || strings.ContainsAny(key, " :.[]") || key == "" {
		return quoted
	}
	return key
}
