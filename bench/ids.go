package main

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// uuid is an id of a row.
type uuid [16]byte

// ScanUUID and UUIDValue are how pgx reads and writes it.
func (u *uuid) ScanUUID(v pgtype.UUID) error { *u = v.Bytes; return nil }

// UUIDValue is the other way.
func (u uuid) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: u, Valid: true}, nil }

// String is the canonical form (RFC 9562).
func (u uuid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// typed spells the id as GraphQL does: a prefix and 26 digits of base32.
func (u uuid) typed(prefix string) string {
	var digits [26]byte
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	for i := 25; i >= 0; i-- {
		digits[i] = "0123456789abcdefghjkmnpqrstvwxyz"[lo&31]
		hi, lo = hi>>5, lo>>5|hi<<59
	}
	return prefix + "_" + string(digits[:])
}
