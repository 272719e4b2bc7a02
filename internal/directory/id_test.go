package directory_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"roster/internal/directory"
)

// FuzzTypeID: an id is read as it was spelt, and spelt one way alone.
func FuzzTypeID(f *testing.F) {
	f.Add("grp_01h455vb4pex5vsknk084sn02q", []byte("0123456789abcdef"))
	f.Add("01h455vb4pex5vsknk084sn02q", make([]byte, 16))
	f.Add("chg_7zzzzzzzzzzzzzzzzzzzzzzzzz", []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Add("grp_8zzzzzzzzzzzzzzzzzzzzzzzzz", []byte{})
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		if prefix, id, err := directory.ParseID(text); err == nil && directory.TypeID(prefix, id) != text {
			t.Errorf("%q is spelt %q", text, directory.TypeID(prefix, id))
		}
		var id uuid.UUID
		copy(id[:], raw)
		for _, prefix := range directory.Prefixes {
			spelt := directory.TypeID(prefix, id)
			p, got, err := directory.ParseID(spelt)
			if p != prefix || got != id || err != nil {
				t.Errorf("%s of %s is spelt %q and read as %s of %s, %v", prefix, id, spelt, p, got, err)
			}
			for _, other := range []string{strings.ToUpper(spelt), spelt + "0", spelt[:len(spelt)-1], " " + spelt, prefix + id.String()} {
				if _, _, err := directory.ParseID(other); err == nil {
					t.Errorf("%q is read as well as %q", other, spelt)
				}
			}
		}
		if tx, seq := directory.ChangePlace(id); directory.ChangeID(tx, seq) != id {
			t.Errorf("%s is the place %d %d", id, tx, seq)
		}
	})
}
