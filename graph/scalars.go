package graph

import (
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
)

// timeLayout is how times leave: UTC, to the microsecond that Postgres keeps.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// MarshalDateTime writes a DateTime.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, `"`+t.UTC().Format(timeLayout)+`"`)
	})
}

// UnmarshalDateTime reads a DateTime with any offset (RFC 3339).
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, &badInput{"A DateTime is a string, such as 2026-11-23T09:30:00Z."}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, &badInput{"This is not a DateTime: it looks like 2026-11-23T09:30:00Z."}
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, &badInput{"A DateTime is in the years 0001 to 9999 of UTC."}
	}
	return t.Truncate(time.Microsecond), nil
}

// MarshalUUID writes a UUID in lower case (RFC 9562).
func MarshalUUID(id uuid.UUID) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(id.String())) })
}

// UnmarshalUUID reads a UUID in any case, in its canonical form of 36 characters alone.
func UnmarshalUUID(v any) (uuid.UUID, error) {
	s, ok := v.(string)
	if ok && len(s) == 36 {
		if id, err := uuid.Parse(s); err == nil {
			return id, nil
		}
	}
	return uuid.Nil, &badInput{"This is not a UUID: it looks like 01890a5d-ac96-774b-bcce-b302099a8057."}
}

// MarshalJSON writes a JSON value as it is.
func MarshalJSON(v json.RawMessage) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(appendRaw(nil, v)) })
}

// UnmarshalJSON reads a JSON value.
func UnmarshalJSON(v any) (json.RawMessage, error) { return json.Marshal(v) }
