package directory_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"roster/internal/directory"
)

// FuzzCursor: what was encoded is decoded, for its own list alone; nothing else panics, or is taken for one.
func FuzzCursor(f *testing.F) {
	f.Add(uint64(0), "", "", []byte{})
	f.Add(uint64(1), "name", "01890a5d-ac96-774b-bcce-b302099a8057", []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(^uint64(0), "\x00", strings.Repeat("x", 300), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, list uint64, a, b string, raw []byte) {
		for _, at := range [][]string{{}, {a}, {a, b}, {a, b, a}} {
			text := directory.EncodeCursor(list, at)
			got, err := directory.DecodeCursor("after", text, list, len(at))
			if d := cmp.Diff(at, got, cmpopts.EquateEmpty()); err != nil || d != "" {
				t.Errorf("%q came back as %q, %v", at, got, err)
			}
			if _, err := directory.DecodeCursor("after", text, list, len(at)+1); err == nil {
				t.Error("a value too few is accepted")
			}
			if _, err := directory.DecodeCursor("after", text, list+1, len(at)); err == nil {
				t.Error("a cursor of another list is accepted")
			}
			for i := range text {
				damaged := []byte(text)
				damaged[i] ^= 1 + raw01(raw, i)
				if got, err := directory.DecodeCursor("after", string(damaged), list, len(at)); err == nil {
					t.Errorf("%q is accepted as %q", damaged, got)
				}
			}
		}
		_, _ = directory.DecodeCursor("after", a, list, 1)
		// Damage that a checksum does not find: somebody who knows how cursors are made.
		body := append(binary.BigEndian.AppendUint64([]byte{1}, list), raw...)
		text := base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body)))
		for n := range 4 {
			if got, err := directory.DecodeCursor("after", text, list, n); err == nil && len(got) != n {
				t.Errorf("%x was decoded as %q", raw, got)
			}
		}
	})
}

// raw01 is a bit of raw, shifted, so that damage differs.
func raw01(raw []byte, i int) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[i%len(raw)] & 1 << 1
}

// FuzzSecret: secrets are known by their form, and no longer so when a character of theirs is another one.
func FuzzSecret(f *testing.F) {
	f.Add("rst_", 0, byte('x'))
	f.Add("rst_0123456789abcdefghijABCDEFGHIJ012345", 39, byte(0))
	f.Add(strings.Repeat("x", 20), 20, byte('0'))
	f.Fuzz(func(t *testing.T, text string, at int, c byte) {
		if directory.Ours(text) && (len(text) != 40 || !strings.HasPrefix(text, "rst_")) {
			t.Errorf("%q is taken for one of ours", text)
		}
		secret := directory.NewSecret()
		if !directory.Ours(secret) || len(secret) != 40 {
			t.Fatalf("%q is no secret", secret)
		}
		mistyped := []byte(secret)
		if mistyped[uint(at)%40] = c; string(mistyped) != secret && directory.Ours(string(mistyped)) {
			t.Errorf("%q is taken for one of ours, made of %q", mistyped, secret)
		}
	})
}

// FuzzFilter: any filter whatever is refused with a reason, or answered.
func FuzzFilter(f *testing.F) {
	w := newWorld(f)
	w.users("ann", "bob")
	w.group("one", "ann", "bob", true)
	w.group("two", "", "ann", false)
	insider := w.as("ann")
	for seed := range uint64(64) {
		f.Add(seed, "a%_\\\"'{}$1?\x00é")
	}
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		g := filterMaker{rand.New(rand.NewPCG(seed, 1)), text}
		page := directory.Page{Rows: true, Total: true, Filter: g.groups(1)}
		for _, by := range []directory.Caller{directory.System(), insider} {
			c, err := w.Groups(t.Context(), by, page, nothing)
			switch code := failure(err); {
			case err == nil && c.TotalCount != len(c.Edges):
				t.Errorf("%d rows, %d in all", len(c.Edges), c.TotalCount)
			case err != nil && code != directory.Invalid && code != directory.LimitExceeded, err != nil && directory.AsError(err).Field == "":
				t.Errorf("%+v: %v", page.Filter, err)
			}
		}
	})
}

// filterMaker makes filters at random, of the text and its parts.
type filterMaker struct {
	*rand.Rand
	text string
}

func (g filterMaker) word() string {
	if len(g.text) == 0 || g.IntN(4) == 0 {
		return []string{"", "one", "T", "ann", "%", "_", `\`, "ß", strings.Repeat("x", 5000)}[g.IntN(9)]
	}
	from := g.IntN(len(g.text))
	return g.text[from : from+g.IntN(len(g.text)-from+1)]
}

func maybe[T any](g filterMaker, v func() T) *T {
	if g.IntN(3) > 0 {
		return nil
	}
	x := v()
	return &x
}

func (g filterMaker) words() []string {
	if g.IntN(3) > 0 {
		return nil
	}
	ws := make([]string, g.IntN(4))
	for i := range ws {
		ws[i] = g.word()
	}
	return ws
}

func (g filterMaker) strings() directory.StringFilter {
	return directory.StringFilter{
		Eq: maybe(g, g.word), Ne: maybe(g, g.word), In: g.words(), NotIn: g.words(), Contains: maybe(g, g.word), NotContains: maybe(g, g.word),
		StartsWith: maybe(g, g.word), EndsWith: maybe(g, g.word), IsNull: maybe(g, g.yes),
	}
}

func (g filterMaker) yes() bool { return g.IntN(2) == 0 }

func (g filterMaker) user() directory.UserRef {
	return directory.UserRef{Username: maybe(g, g.word), ExternalID: maybe(g, g.word), Number: maybe(g, g.Int), ID: maybe(g, g.word), UUID: maybe(g, uuid.New)}
}

func (g filterMaker) groups(depth int) *directory.GroupFilter {
	f := &directory.GroupFilter{
		Name: maybe(g, g.strings), Description: maybe(g, g.strings), ExternalID: maybe(g, g.strings), Public: maybe(g, g.yes), Search: maybe(g, g.word),
		Tag:    maybe(g, func() directory.TagFilter { return directory.TagFilter{Key: g.word(), Value: maybe(g, g.word)} }),
		ID:     maybe(g, func() directory.IDFilter { return directory.IDFilter{In: g.words()} }),
		Member: maybe(g, g.user), Admin: maybe(g, g.user),
		Type: maybe(g, func() directory.GroupTypeFilter {
			return directory.GroupTypeFilter{NotIn: []directory.GroupType{directory.GroupTypeDirectory}}
		}),
	}
	if depth <= directory.MaxFilterDepth {
		for range g.IntN(3) {
			f.And = append(f.And, g.groups(depth+1))
		}
		for range g.IntN(3) {
			f.Or = append(f.Or, g.groups(depth+1))
		}
		if g.IntN(4) == 0 {
			f.Not = g.groups(depth + 1)
		}
	}
	return f
}
