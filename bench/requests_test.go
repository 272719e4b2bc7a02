package main

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// TestMixed counts the writes: one request in ten, each pair's own.
func TestMixed(t *testing.T) {
	t.Parallel()
	pairs := [][2][]byte{{[]byte("add 0"), []byte("remove 0")}, {[]byte("add 1"), []byte("remove 1")}}
	scripts := mixed([][]byte{[]byte("one")}, [][]byte{[]byte("page")}, pairs)
	for i, s := range scripts {
		var writes [][]byte
		pages := 0
		for _, r := range s.requests {
			switch {
			case slices.ContainsFunc(pairs[i][:], func(w []byte) bool { return bytes.Equal(w, r) }):
				writes = append(writes, r)
			case string(r) == "page":
				pages++
			}
		}
		if len(s.requests) != 20 || s.writes != 2 || pages != 6 || !slices.EqualFunc(writes, pairs[i][:], bytes.Equal) {
			t.Errorf("script %d: %d requests, %d pages, writes %s", i, len(s.requests), pages, writes)
		}
	}
}

// TestWorkersShareNothing follows the workers through the scripts without a server: those that they come by are theirs alone.
func TestWorkersShareNothing(t *testing.T) {
	t.Parallel()
	scripts := make([]script, 4*connections)
	owner := map[*script]int{}
	for i := range connections {
		w := &worker{next: i}
		for range 3 * len(scripts) {
			s := w.take(scripts)
			if by, taken := owner[s]; taken && by != i {
				t.Fatalf("one script is of %d and of %d", by, i)
			}
			owner[s] = i
		}
	}
	if len(owner) != len(scripts) {
		t.Errorf("%d of %d scripts are anybody's", len(owner), len(scripts))
	}
}

func TestBurstsAddUp(t *testing.T) {
	t.Parallel()
	var m measured
	m.add(burst{rate: 10, requests: 500, writes: 2, server: time.Second, postgres: 2 * time.Second})
	m.add(burst{rate: 20, requests: 1500, writes: 3, server: time.Second, postgres: 2 * time.Second})
	if m.requests != 2000 || m.writes != 5 || m.perThousand(m.server) != 1 || m.perThousand(m.postgres) != 2 {
		t.Errorf("%+v", m)
	}
	if (&measured{}).perThousand(time.Second) != 0 {
		t.Error("of no requests")
	}
}
