package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What an answer is does not depend on how it goes out: of every size, in one piece or several, with and without TLS.
func TestGatheredAnswers(t *testing.T) {
	t.Parallel()
	sizes := [][]int{{}, {0}, {1}, {2047}, {2048}, {4000}, {4096}, {5000}, {70_000}, {1 << 20}, {10, 5000, 10}, {5000, 5000}, {3000, 3000, 3000, 1}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if gathers := gathererOf(r) != nil; gathers != (r.TLS == nil) {
			t.Errorf("TLS %t, gathers %t", r.TLS != nil, gathers)
		}
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), conn: gathererOf(r)} // over TLS it must not: its reader writes too
		for i, size := range sizes[len(r.URL.Path)-1] {
			if n, err := a.Write(pieceOf(i, size)); n != size || err != nil {
				t.Error(n, err)
			}
		}
	})
	for _, start := range []func(*httptest.Server){(*httptest.Server).Start, (*httptest.Server).StartTLS} {
		srv := httptest.NewUnstartedServer(handler)
		srv.Listener, srv.Config.ConnContext = gathered(srv.Listener), withGatherer
		start(srv)
		t.Cleanup(srv.Close)
		for i, pieces := range sizes {
			var want []byte
			for j, size := range pieces {
				want = append(want, pieceOf(j, size)...)
			}
			res, err := srv.Client().Get(srv.URL + "/" + strings.Repeat("x", i))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: pieces of %d: %d bytes arrive, %v", srv.URL, pieces, len(got), err)
			}
		}
	}
}

// Requests that come before the answer to the one before, of HTTP/1.0, or for the head alone, get their answers whole and in order; and so
// does who comes after a handler that broke off.
func TestGatheredInOrder(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), conn: gathererOf(r)}
		if r.URL.Path == "/broken" {
			_, _ = a.Write(pieceOf(0, 5000))
			panic(http.ErrAbortHandler)
		}
		for i := range 3 {
			_, _ = a.Write(pieceOf(i, 3000)) // without a length: in chunks
			a.Flush()
		}
	}))
	srv.Listener, srv.Config.ConnContext = gathered(srv.Listener), withGatherer
	srv.Start()
	t.Cleanup(srv.Close)
	want := slices.Concat(pieceOf(0, 3000), pieceOf(1, 3000), pieceOf(2, 3000))
	answers := func(requests string, methods ...string) (got [][]byte, err error) {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, requests); err != nil {
			t.Fatal(err)
		}
		from := bufio.NewReader(conn)
		for _, method := range methods {
			res, err := http.ReadResponse(from, &http.Request{Method: method})
			if err != nil {
				return got, err
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return got, err
			}
			got = append(got, body)
		}
		return got, nil
	}
	const get, head, old = "GET / HTTP/1.1\r\nHost: t\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: t\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"
	for name, c := range map[string]struct {
		requests string
		methods  []string
		want     [][]byte
	}{
		"together": {get + get + head + get, []string{"GET", "GET", "HEAD", "GET"}, [][]byte{want, want, {}, want}},
		"1.0":      {old, []string{"GET"}, [][]byte{want}},
	} {
		if got, err := answers(c.requests, c.methods...); err != nil || !slices.EqualFunc(got, c.want, bytes.Equal) {
			t.Errorf("%s: %d answers, %v", name, len(got), err)
		}
	}
	if _, err := answers("GET /broken HTTP/1.1\r\nHost: t\r\n\r\n", "GET"); err == nil {
		t.Error("an answer that was broken off looks whole")
	}
	if got, err := answers(get, "GET"); err != nil || !bytes.Equal(got[0], want) {
		t.Error("after a broken one:", err)
	}
}

// pieceOf is a piece that is like no other.
func pieceOf(n, size int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%c", 'a'+n)), size)
}

// What is kept goes before what comes later, and counts as written.
func TestGather(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := gathered(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	g := c.(*gatherer)
	write := func(n, size, kept int) {
		t.Helper()
		if got, err := g.Write(pieceOf(n, size)); got != size || err != nil {
			t.Error(got, err)
		}
		if g.kept != nil && len(*g.kept) != kept {
			t.Errorf("%d bytes are kept, not %d", len(*g.kept), kept)
		}
	}
	write(0, 10, 0)
	g.gather()
	write(1, 100, 100)
	write(2, 200, 300)
	write(3, keptRoom, 0) // does not fit
	write(4, keptRoom+1, 0)
	write(5, 50, 50)
	if err := g.release(); err != nil || g.kept != nil {
		t.Error(err, g.kept)
	}
	write(6, 5, 0)
	if err := g.release(); err != nil {
		t.Error(err)
	}
	g.Close()
	var want []byte
	for n, size := range []int{10, 100, 200, keptRoom, keptRoom + 1, 50, 5} {
		want = append(want, pieceOf(n, size)...)
	}
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrive, not %d: %v", len(got), len(want), err)
	}
	g.gather()
	_, _ = g.Write([]byte("lost"))
	if err := g.release(); err == nil {
		t.Error("what cannot be sent is no error")
	}
}
