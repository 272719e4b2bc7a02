package d4science

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// Content types of forms.
const (
	urlencoded = "application/x-www-form-urlencoded"
	multiparts = "multipart/form-data"
)

// contentType is the field of the error that is 415.
const contentType = "contentType"

// decodeForm reads a form of one of the given types; any other type, or none, is 415. Where a field is there twice, the first
// counts; fields that nobody asks for are let through.
func decodeForm(r *legacy.Request, types ...string) (url.Values, error) {
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	for _, t := range types {
		if t != mediaType {
			continue
		}
		if t == multiparts {
			return parseMultipart(r.Body(), params["boundary"])
		}
		return parseForm(r.Body())
	}
	return nil, &directory.Error{Code: directory.Invalid, Field: contentType, Message: "The body must be " + strings.Join(types, " or ") + "."}
}

func malformed(cause error) error {
	return &directory.Error{Code: directory.Invalid, Field: "body", Message: "The form is malformed.", Cause: cause}
}

// parseForm reads an urlencoded form. The old clients send userId=first.last without encoding anything, which is the same.
func parseForm(body []byte) (url.Values, error) {
	v, err := url.ParseQuery(strings.TrimRight(string(body), "\r\n"))
	if err != nil {
		return nil, malformed(err)
	}
	return v, nil
}

var errBoundary = errors.New("no boundary")

// parseMultipart reads a multipart form. The example of the API's own page names no boundary in its header: then it is what the
// first line says.
func parseMultipart(body []byte, boundary string) (url.Values, error) {
	if boundary == "" {
		first, _, _ := bytes.Cut(body, []byte("\n"))
		named, ok := bytes.CutPrefix(bytes.TrimRight(first, "\r"), []byte("--"))
		if !ok || len(named) == 0 {
			return nil, malformed(errBoundary)
		}
		boundary = string(named)
	}
	form := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a truncated form is an EOF that is wrapped
			return form, nil
		}
		if err != nil {
			return nil, malformed(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			return nil, malformed(err)
		}
		form.Add(p.FormName(), string(value))
	}
}
