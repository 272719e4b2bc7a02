package directory

import (
	"encoding/binary"
	"slices"

	"github.com/google/uuid"
	"go.jetify.com/typeid"
)

// Prefixes of the identifiers: a TypeID is a prefix and 26 characters of base32, which spell the 128 bits of a UUIDv7.
const (
	groupPrefix       = "grp"
	userPrefix        = "usr"
	tokenPrefix       = "tok"
	memberPrefix      = "mem"
	adminPrefix       = "adm"
	changePrefix      = "chg"
	actionPrefix      = "act"
	workerModelPrefix = "wkm"
	webhookPrefix     = "wbh"
	deliveryPrefix    = "wbd"
)

// newID makes a UUIDv7: ids made later sort later.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) } // fails only if the system has no randomness

// typeID spells id as a TypeID.
func typeID(prefix string, id uuid.UUID) string {
	return string(appendTypeID(make([]byte, 0, 32), prefix, id)) // room for all of ours
}

// appendTypeID spells id as a TypeID: five bits a letter, the last ones last (https://github.com/jetify-com/typeid/tree/main/spec). Lists spell
// a hundred thousand a second, so that the prefix, which is ours, is not checked again for each; id_test.go holds them to the library's
// whole way.
func appendTypeID(b []byte, prefix string, id uuid.UUID) []byte {
	const alphabet, letters = "0123456789abcdefghjkmnpqrstvwxyz", 26
	if b = append(b, prefix...); prefix != "" {
		b = append(b, '_')
	}
	from := len(b)
	b = slices.Grow(b, letters)[:from+letters]
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	for i := len(b) - 1; i >= from; i-- {
		b[i] = alphabet[low&31]
		low, high = low>>5|high<<59, high>>5
	}
	return b
}

// parseID reads a TypeID. Anything else is Invalid: an id is copied, never composed.
func parseID(field, text string) (prefix string, id uuid.UUID, err error) {
	t, perr := typeid.FromString(text)
	if perr != nil {
		return "", uuid.Nil, invalid(field, "This is not an id of this directory.")
	}
	return t.Prefix(), uuid.UUID(t.UUIDBytes()), nil
}

// parseIDOf reads a TypeID of one kind.
func parseIDOf(prefix, field, text string) (uuid.UUID, error) {
	got, id, err := parseID(field, text)
	if err != nil {
		return uuid.Nil, err
	}
	if got != prefix {
		return uuid.Nil, invalid(field, "This id does not begin with %s_.", prefix)
	}
	return id, nil
}

// changeID spells a place of the change log as an id: the transaction and the sequence number are its 128 bits.
func changeID(tx uint64, seq int64) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], tx)
	binary.BigEndian.PutUint64(id[8:], uint64(seq)) //nolint:gosec // and back again below
	return id
}

func changePlace(id uuid.UUID) (tx uint64, seq int64) {
	return binary.BigEndian.Uint64(id[:8]), int64(binary.BigEndian.Uint64(id[8:])) //nolint:gosec // any bits are a place; one that is none finds nothing
}
