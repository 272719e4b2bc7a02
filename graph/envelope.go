package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// envelope is the JSON object that an operation comes in, over HTTP or a socket
// (https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters). It is read token by token, in a third of the time that
// encoding/json takes for it by reflection. Names count as they are written, and each once; text is UTF-8.
type envelope struct {
	query, operationName  string
	variables, extensions map[string]any
	documentID            string // of an operation without query: documentId, or id
}

var (
	errEnvelope = errors.New("graph: this is no request of GraphQL")
	errValues   = errors.New("graph: too many values")
)

// maxValues bounds what an envelope holds. A value of two bytes takes fifty in memory: 8 MiB of them would be 400.
const maxValues = 500_000

// decoders are readers of JSON, each with a buffer for what it reads.
var decoders = sync.Pool{New: func() any {
	d := &decoder{}
	d.json = jsontext.NewDecoder(&d.text)
	return d
}}

type decoder struct {
	text bytes.Buffer
	json *jsontext.Decoder
}

// reader counts the values that it reads.
type reader struct {
	*jsontext.Decoder
	values int
}

// decodeEnvelope reads all of r.
func decodeEnvelope(r io.Reader) (envelope, error) {
	var e envelope
	err := decode(r, func(d *reader) error {
		if d.PeekKind() != '{' {
			return errEnvelope
		}
		return eachMember(d, func(name string) error { return e.member(d, name) })
	})
	return e, err
}

// decodeObject reads all of r, which is one object, or null.
func decodeObject(r io.Reader) (object map[string]any, err error) {
	err = decode(r, func(d *reader) error {
		object, err = objectOrNull(d)
		return err
	})
	return object, err
}

// decode has one value read that r holds, and nothing after it.
func decode(r io.Reader, value func(*reader) error) error {
	d := decoders.Get().(*decoder)
	defer d.put()
	if _, err := d.text.ReadFrom(r); err != nil {
		return err
	}
	d.json.Reset(&d.text)
	if err := value(&reader{Decoder: d.json}); err != nil {
		return err
	}
	if _, err := d.json.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext hands it out as it is
		return errEnvelope
	}
	return nil
}

func (d *decoder) put() {
	if d.text.Cap() <= maxPooled {
		d.text.Reset()
		decoders.Put(d)
	}
}

func (e *envelope) member(d *reader, name string) (err error) {
	switch name {
	case "query":
		e.query, err = stringOrNull(d)
	case "operationName":
		e.operationName, err = stringOrNull(d)
	case "variables":
		e.variables, err = objectOrNull(d)
	case "extensions":
		e.extensions, err = objectOrNull(d)
	case "documentId":
		e.documentID, err = stringOrNull(d)
	case "id":
		var id string
		if id, err = stringOrNull(d); e.documentID == "" {
			e.documentID = id
		}
	default:
		err = d.SkipValue()
	}
	return err
}

// eachMember reads an object, whose values are for member to read.
func eachMember(d *reader, member func(name string) error) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func stringOrNull(d *reader) (string, error) {
	v, err := anyValue(d)
	s, ok := v.(string)
	if err == nil && !ok && v != nil {
		err = errEnvelope
	}
	return s, err
}

func objectOrNull(d *reader) (map[string]any, error) {
	v, err := anyValue(d)
	o, ok := v.(map[string]any)
	if err == nil && !ok && v != nil {
		err = errEnvelope
	}
	return o, err
}

// anyValue reads a value as encoding/json would, but that it keeps numbers as they are written: gqlgen makes of them what the schema says.
func anyValue(d *reader) (any, error) {
	if d.values++; d.values > maxValues {
		return nil, errValues
	}
	switch d.PeekKind() {
	case '{':
		object := map[string]any{}
		err := eachMember(d, func(name string) (err error) {
			object[name], err = anyValue(d)
			return err
		})
		return object, err
	case '[':
		return list(d)
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil
}

func list(d *reader) ([]any, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	all := []any{}
	for d.PeekKind() != ']' {
		v, err := anyValue(d)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, err := d.ReadToken()
	return all, err
}
