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
	p := newPiece()
	if err := p.add(v); err != nil {
		p.free()
		return err
	}
	w.Header().Set("Content-Type", contentType)
	p.measure(w.Header())
	w.WriteHeader(status)
	if _, err := w.Write(p.Bytes()); err == nil { // else the client is gone, and there is nobody to tell
		p.free()
	}
	return nil
}

// Marshal is json.Marshal without the HTML escapes: the old systems wrote < > & as they are.
func Marshal(v any) ([]byte, error) {
	p := newPiece()
	defer p.free()
	if err := p.add(v); err != nil {
		return nil, err
	}
	return bytes.Clone(p.Bytes()), nil
}

// RequestID is the id of the request, for envelopes that carry one.
func (r *Request) RequestID() string { return auth.RequestIDOf(r.Context()) }
