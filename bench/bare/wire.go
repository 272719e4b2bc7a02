package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"sort"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// data is the outermost object of every answer.
type data[T any] struct {
	Data T `json:"data"`
}

type groupAnswer struct {
	Group group `json:"group"`
}

type group struct {
	ID                string    `json:"id"`
	Number            int       `json:"number"`
	Handle            string    `json:"handle"`
	Name              string    `json:"name"`
	Description       string    `json:"description"`
	Type              string    `json:"type"`
	ExternalID        *string   `json:"externalId"`
	AccessType        string    `json:"accessType"`
	UseDefaultStorage bool      `json:"useDefaultStorage"`
	Public            bool      `json:"public"`
	Tags              []tag     `json:"tags"`
	Version           int       `json:"version"`
	CreatedAt         timeOfDay `json:"createdAt"`
	UpdatedAt         timeOfDay `json:"updatedAt"`
	MemberCount       int       `json:"memberCount"`
	AdminCount        int       `json:"adminCount"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type pageInfo struct {
	HasNextPage     bool    `json:"hasNextPage"`
	HasPreviousPage bool    `json:"hasPreviousPage"`
	StartCursor     *string `json:"startCursor"`
	EndCursor       *string `json:"endCursor"`
}

type pageAnswer struct {
	Groups page `json:"groups"`
}

type page struct {
	Edges    []edge   `json:"edges"`
	PageInfo pageInfo `json:"pageInfo"`
}

type edge struct {
	Cursor string `json:"cursor"`
	Node   listed `json:"node"`
}

type listed struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	MemberCount int       `json:"memberCount"`
	CreatedAt   timeOfDay `json:"createdAt"`
}

type nextInfo struct {
	HasNextPage bool    `json:"hasNextPage"`
	EndCursor   *string `json:"endCursor"`
}

type teamsAnswer struct {
	Groups teams `json:"groups"`
}

type teams struct {
	Nodes    []team   `json:"nodes"`
	PageInfo nextInfo `json:"pageInfo"`
}

type team struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	MemberCount int             `json:"memberCount"`
	Members     nodes[member]   `json:"members"`
	Admins      nodes[userOnly] `json:"admins"`
}

type nodes[T any] struct {
	Nodes []T `json:"nodes"`
}

type member struct {
	ID      string    `json:"id"`
	AddedAt timeOfDay `json:"addedAt"`
	User    person    `json:"user"`
}

type userOnly struct {
	User person `json:"user"`
}

type person struct {
	Username string `json:"username"`
}

type userAnswer struct {
	User userGroups `json:"user"`
}

type userGroups struct {
	Username string `json:"username"`
	Groups   briefs `json:"groups"`
}

type briefs struct {
	Nodes    []brief  `json:"nodes"`
	PageInfo nextInfo `json:"pageInfo"`
}

type brief struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	MemberCount int    `json:"memberCount"`
}

type addAnswer struct {
	AddMembers change `json:"addMembers"`
}

type removeAnswer struct {
	RemoveMembers change `json:"removeMembers"`
}

type change struct {
	Group    counted   `json:"group"`
	Outcomes []outcome `json:"outcomes"`
}

type counted struct {
	MemberCount int `json:"memberCount"`
	Version     int `json:"version"`
}

type outcome struct {
	Username string `json:"username"`
	Result   string `json:"result"`
}

// timeOfDay is a time in UTC, to the microsecond.
type timeOfDay struct{ time.Time }

func (t timeOfDay) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.000000Z"`), nil
}

// tagsOf are the tags of a JSON object of strings, by key.
func tagsOf(object []byte) ([]tag, error) {
	var m map[string]string
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, err
	}
	tags := make([]tag, 0, len(m))
	for k, v := range m {
		tags = append(tags, tag{k, v})
	}
	sort.Slice(tags, func(i, j int) bool { return tags[i].Key < tags[j].Key })
	return tags, nil
}

// cursorOf is the place after a name; names are unique.
func cursorOf(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func nameAt(cursor string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", errBad
	}
	return string(name), nil
}

// id is a UUID, spelt as a TypeID.
type id [16]byte

// ScanUUID and UUIDValue are how pgx reads and writes it.
func (u *id) ScanUUID(v pgtype.UUID) error { *u = v.Bytes; return nil }

// UUIDValue is the other way.
func (u id) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: u, Valid: true}, nil }

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// typed spells the id: a prefix, and 26 digits of 5 bits, of which the first has 3.
func (u id) typed(prefix string) string {
	b := make([]byte, 0, 32)
	b = append(append(b, prefix...), '_')
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	for shift := 125; shift >= 0; shift -= 5 {
		var v uint64
		switch {
		case shift >= 64:
			v = hi >> (shift - 64)
		case shift > 59:
			v = hi<<(64-shift) | lo>>shift
		default:
			v = lo >> shift
		}
		b = append(b, alphabet[v&31])
	}
	return string(b)
}

var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = 0xff
	}
	for i, c := range []byte(alphabet) {
		d[c] = byte(i)
	}
	return d
}()

// parseID reads a TypeID.
func parseID(prefix, text string) (u id, err error) {
	if len(text) != len(prefix)+27 || text[:len(prefix)] != prefix || text[len(prefix)] != '_' {
		return u, errBad
	}
	var hi, lo uint64
	for _, c := range []byte(text[len(prefix)+1:]) {
		d := digits[c]
		if d > 31 || hi>>59 != 0 {
			return u, errBad
		}
		hi, lo = hi<<5|lo>>59, lo<<5|uint64(d)
	}
	binary.BigEndian.PutUint64(u[:8], hi)
	binary.BigEndian.PutUint64(u[8:], lo)
	return u, nil
}

// newID makes a UUIDv7 (RFC 9562).
func newID() (u id) {
	_, _ = rand.Read(u[6:]) // never fails, as of Go 1.24
	ms := time.Now().UnixMilli()
	binary.BigEndian.PutUint32(u[:4], uint32(ms>>16))
	binary.BigEndian.PutUint16(u[4:6], uint16(ms))
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return u
}
