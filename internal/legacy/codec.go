package legacy

import (
	"bytes"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/google/uuid"

	"roster/internal/auth"
	"roster/internal/directory"
)

// DecodeJSON reads the request's body into v. A body that is empty, broken, of another shape or not UTF-8 is INVALID on the
// field body; the cause is encoding/json's, which CDS clients get to see.
func DecodeJSON(r *Request, v any) error {
	if !utf8.Valid(r.body) {
		return &directory.Error{Code: directory.Invalid, Field: "body", Message: "The body is not UTF-8."}
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return &directory.Error{Code: directory.Invalid, Field: "body", Message: "The body is not the JSON that is expected.", Cause: err}
	}
	return nil
}

// DecodeRequired is DecodeJSON for systems that take null for no body at all, and answer it as such.
func DecodeRequired(r *Request, v any) error {
	if string(bytes.TrimSpace(r.body)) == "null" {
		return &directory.Error{Code: directory.Invalid, Field: "body", Message: "The body is null where something is expected."}
	}
	return DecodeJSON(r, v)
}

// UUID reads a UUID as these systems write them: 36 characters, in capitals or not. The other spellings that RFC 4122's readers
// let through, in braces or without hyphens, are none.
func UUID(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// WriteJSON answers with a status, a content type and a JSON body without a newline at its end.
func WriteJSON(w http.ResponseWriter, status int, contentType string, v any) error {
	b, err := Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone; there is nobody to tell
	return nil
}

// Marshal is json.Marshal without the HTML escapes: the old systems wrote < > & as they are.
func Marshal(v any) ([]byte, error) {
	var b bytesBuffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil
}

type bytesBuffer []byte

func (b *bytesBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// RequestID is the id of the request, for envelopes that carry one.
func (r *Request) RequestID() string { return auth.RequestIDOf(r.Context()) }

// Stream writes a JSON array element by element: the status and the opening bracket go out with the first, so that an error
// before it is still answered as an error.
type Stream struct {
	w           http.ResponseWriter
	contentType string
	head, tail  string
	open        bool
}

// NewStream begins an array that is written as it is read.
func NewStream(w http.ResponseWriter, contentType string) *Stream {
	return &Stream{w: w, contentType: contentType}
}

// Within puts the array into an object: head ends with the array's key and a colon, tail with the object's brace.
func (s *Stream) Within(head, tail string) *Stream {
	s.head, s.tail = head, tail
	return s
}

// Add writes an element.
func (s *Stream) Add(v any) error {
	b, err := Marshal(v)
	if err != nil {
		return err
	}
	lead := ","
	if !s.open {
		lead = s.start()
	}
	_, err = s.w.Write(append([]byte(lead), b...))
	return err
}

// Close ends the array; one without elements is [].
func (s *Stream) Close() error {
	end := "]" + s.tail
	if !s.open {
		end = s.start() + end
	}
	_, err := s.w.Write([]byte(end))
	return err
}

func (s *Stream) start() string {
	s.open = true
	s.w.Header().Set("Content-Type", s.contentType)
	s.w.WriteHeader(http.StatusOK)
	return s.head + "["
}
