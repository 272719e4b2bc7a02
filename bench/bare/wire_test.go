package main

import "testing"

func TestID(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := newID()
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%x is no UUIDv7", id)
		}
		if got, err := parseID("grp", id.typed("grp")); err != nil || got != id {
			t.Fatalf("%x: %s, %x, %v", id, id.typed("grp"), got, err)
		}
	}
	for _, text := range []string{"", "grp_", "usr_01h455vb4pex5vsknk084sn02q", "grp_81h455vb4pex5vsknk084sn02q", "grp_01h455vb4pex5vsknk084sn02u", "grp_01h455vb4pex5vsknk084sn02"} {
		if id, err := parseID("grp", text); err == nil {
			t.Errorf("%q is %x", text, id)
		}
	}
	if got := (id{0x01, 0x10, 0xc8, 0x53, 0x1d, 0x09, 0x52, 0xd8, 0xd7, 0x3e, 0x11, 0x94, 0xe9, 0x5b, 0x5f, 0x19}).typed("grp"); got != "grp_0123456789abcdefghjkmnpqrs" {
		t.Errorf("spelt %s", got)
	}
}
