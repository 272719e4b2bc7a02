package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
)

// connection is one keep-alive connection of the load generator. It sends requests that were made ready beforehand and reads
// of an answer what it must, so that the processors are left to the servers.
type connection struct {
	net.Conn
	responses
}

func dial(addr string) (*connection, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &connection{c, responses{r: bufio.NewReaderSize(c, 64<<10)}}, nil
}

// do sends a request and reads the answer. The body is good until the next call.
func (c *connection) do(request []byte) (status int, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, err
	}
	return c.next()
}

// responses reads HTTP/1.1 answers, one after another: those with a Content-Length and those that come in chunks (RFC 9112).
type responses struct {
	r    *bufio.Reader
	body []byte
}

var errAnswer = errors.New("this is no HTTP answer that the benchmark can read")

var (
	contentLength = []byte("content-length:")
	encoding      = []byte("transfer-encoding:")
)

func (a *responses) next() (status int, body []byte, err error) {
	line, err := a.line()
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length, chunked := -1, false
	for {
		if line, err = a.line(); err != nil {
			return 0, nil, err
		}
		switch {
		case len(line) == 0:
			a.body = a.body[:0]
			if chunked {
				err = a.chunks()
			} else {
				err = a.take(length)
			}
			return status, a.body, err
		case hasPrefixFold(line, contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return 0, nil, errAnswer
			}
		case hasPrefixFold(line, encoding):
			chunked = true
		}
	}
}

// line is the next line without its end.
func (a *responses) line() ([]byte, error) {
	line, err := a.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func hasPrefixFold(line, prefix []byte) bool {
	return len(line) >= len(prefix) && bytes.EqualFold(line[:len(prefix)], prefix)
}

// take reads n bytes more of the body.
func (a *responses) take(n int) error {
	if n < 0 {
		return errAnswer
	}
	at := len(a.body)
	a.body = slices.Grow(a.body, n)[:at+n]
	_, err := io.ReadFull(a.r, a.body[at:])
	return err
}

func (a *responses) chunks() error {
	for {
		line, err := a.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte{';'})
		n, err := strconv.ParseUint(string(size), 16, 31)
		if err != nil {
			return errAnswer
		}
		if err := a.take(int(n)); err != nil {
			return err
		}
		line, err = a.line() // the end of the chunk; after the last, the end of the body
		if err != nil || len(line) != 0 {
			return errors.Join(err, notEmpty(line))
		}
		if n == 0 {
			return nil
		}
	}
}

func notEmpty(line []byte) error {
	if len(line) == 0 {
		return nil
	}
	return fmt.Errorf("%w: a chunk does not end where it says", errAnswer)
}
