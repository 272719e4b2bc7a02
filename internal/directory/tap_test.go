package directory_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// tap stands between a store and its Postgres and takes down what is asked: the texts of statements, and their arguments.
type tap struct {
	t        testing.TB
	upstream string // a socket's path

	mu    sync.Mutex
	asked []asked
}

// asked is one execution of a statement. An argument that is nil is NULL.
type asked struct {
	text string
	args []*string
}

// newTap taps the database at the URL, and gives the URL to use instead.
func newTap(t testing.TB, at string) (*tap, string) {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{t: t, upstream: u.Query().Get("host")}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { tp.serve(c) })
		}
	})
	u.Host, u.RawQuery = l.Addr().String(), "sslmode=disable"
	return tp, u.String()
}

// take gives what was asked since the last time.
func (tp *tap) take() []asked {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	all := tp.asked
	tp.asked = nil
	return all
}

func (tp *tap) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", tp.upstream)
	if err != nil {
		tp.t.Error(err)
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	err = tp.pass(client, server)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		tp.t.Logf("the tap closes: %v", err)
	}
}

// pass hands on messages. The first has no letter, every other one has; then comes its length, which counts itself.
func (tp *tap) pass(client io.Reader, server io.Writer) error {
	statements := map[string]string{}
	for head := 4; ; head = 5 {
		message := make([]byte, head)
		if _, err := io.ReadFull(client, message); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(message[head-4:])) - 4
		message = append(message, make([]byte, size)...)
		if _, err := io.ReadFull(client, message[head:]); err != nil {
			return err
		}
		if head == 5 {
			tp.hear(statements, message[0], message[5:])
		}
		if _, err := server.Write(message); err != nil {
			return err
		}
	}
}

// hear takes down a Query, a Parse or a Bind, as the documentation of Postgres's protocol lays them out.
func (tp *tap) hear(statements map[string]string, letter byte, body []byte) {
	name, rest, _ := strings.Cut(string(body), "\x00")
	switch letter {
	case 'Q':
		if strings.HasPrefix(name, "SELECT ") { // it has no arguments
			tp.mu.Lock()
			tp.asked = append(tp.asked, asked{text: name})
			tp.mu.Unlock()
		}
	case 'P':
		statements[name], _, _ = strings.Cut(rest, "\x00")
	case 'B':
		name, rest, _ = strings.Cut(rest, "\x00")
		number := func(size int) int {
			n := 0
			for _, b := range []byte(rest[:size]) {
				n = n<<8 | int(b)
			}
			rest = rest[size:]
			return n
		}
		formats := number(2)
		rest = rest[2*formats:]
		a := asked{text: statements[name], args: make([]*string, number(2))}
		for i := range a.args {
			if n := number(4); n != 1<<32-1 {
				v := rest[:n]
				a.args[i], rest = &v, rest[n:]
			}
		}
		tp.mu.Lock()
		tp.asked = append(tp.asked, a)
		tp.mu.Unlock()
	}
}
