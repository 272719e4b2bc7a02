package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestResponsesOfServer reads what net/http writes, with a length and in chunks, on one connection.
func TestResponsesOfServer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 20_000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			fmt.Fprint(w, "short")
		case "/empty":
			w.WriteHeader(http.StatusTeapot)
		case "/chunks":
			for range 3 {
				io.WriteString(w, long)
				w.(http.Flusher).Flush()
			}
		}
	}))
	defer srv.Close()
	c, err := dial(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		for path, want := range map[string]struct {
			status int
			body   string
		}{"/short": {200, "short"}, "/empty": {418, ""}, "/chunks": {200, long + long + long}} {
			status, body, err := c.do([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
			if err != nil || status != want.status || string(body) != want.body {
				t.Errorf("%s: %d, %d bytes, %v", path, status, len(body), err)
			}
		}
	}
}

func TestResponsesRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
	} {
		a := responses{r: bufio.NewReader(strings.NewReader(text))}
		if _, _, err := a.next(); err == nil {
			t.Errorf("%q was read", text)
		} else if text == "" && !errors.Is(err, io.EOF) {
			t.Errorf("nothing: %v", err)
		}
	}
}
