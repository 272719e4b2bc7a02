package legacytest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Send sends a request as it is written in a scenario and answers what came back: the status line, the headers in their order
// on the wire, an empty line, the body.
func (w *World) Send(request string) string {
	w.T.Helper()
	return w.Raw(w.wire(w.Expand(request)))
}

// wire puts what a scenario leaves out into a request: CRLF, Host, Content-Length.
func (w *World) wire(request string) string {
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	has := func(name string) bool {
		return slices.ContainsFunc(lines[1:], func(l string) bool {
			return len(l) > len(name) && strings.EqualFold(l[:len(name)+1], name+":")
		})
	}
	if !has("Host") {
		lines = slices.Insert(lines, 1, "Host: roster.example")
	}
	if body != "" && !has("Content-Length") && !has("Transfer-Encoding") {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// Raw sends bytes and answers what came back, as Send does. If there is no answer, the test fails.
func (w *World) Raw(request string) string {
	w.T.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.T.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	raw := &strings.Builder{}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, raw)), &http.Request{Method: method})
	if err != nil {
		w.T.Fatalf("no answer: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.T.Fatalf("the answer breaks off: %v", err)
	}
	head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
	return w.shown(head) + "\n\n" + printable(body)
}

// shown is the head of an answer without the headers that scenarios do not show.
func (w *World) shown(head string) string {
	lines := strings.Split(head, "\r\n")
	hidden := append([]string{"Date", "X-Request-Id"}, w.kit.Hide...)
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		name, _, ok := strings.Cut(l, ":")
		return ok && slices.ContainsFunc(hidden, func(h string) bool { return strings.EqualFold(h, name) })
	}), "\n")
}

func printable(body []byte) string {
	if utf8.Valid(body) {
		return string(body)
	}
	return strconv.QuoteToASCII(string(body))
}

// Answer takes apart what Send answered.
func Answer(text string) (status int, header http.Header, body string) {
	head, body, _ := strings.Cut(text, "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	header = http.Header{}
	for line := range strings.SplitSeq(rest, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header.Add(name, strings.TrimSpace(value))
		}
	}
	if words := strings.Fields(first); len(words) > 1 {
		status, _ = strconv.Atoi(words[1])
	}
	return status, header, body
}
