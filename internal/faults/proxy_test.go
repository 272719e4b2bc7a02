//go:build faults

package faults

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a program and the socket of its Postgres, and is the network that fails. (Toxiproxy would bring an HTTP API,
// a command line and metrics along, speaks TCP alone, and cannot cut at a given byte; this is what is left.)
type proxy struct {
	t        *testing.T
	listener net.Listener
	socket   string

	delay atomic.Int64 // of each piece that passes, either way
	limit atomic.Int64 // how many bytes a new connection may answer before it is reset; 0: any number
	mute  atomic.Bool  // take everything, pass nothing

	mu    sync.Mutex
	conns map[net.Conn]bool
	shut  bool // reset whatever connects
}

// newProxy is a network that works, and the address of the database behind it.
func newProxy(t *testing.T, database string) (p *proxy, through string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{t: t, listener: l, socket: u.Query().Get("host"), conns: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() { l.Close(); p.cut(true) })
	return p, "postgres://" + u.User.String() + "@" + l.Addr().String() + u.Path + "?sslmode=disable"
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.socket)
		if err != nil || !p.keep(client, server) {
			reset(client)
			continue
		}
		left := &atomic.Int64{}
		left.Store(p.limit.Load())
		if left.Load() == 0 {
			left.Store(1 << 40)
		}
		never := &atomic.Int64{}
		never.Store(1 << 40)
		go p.pass(client, server, never)
		go p.pass(server, client, left)
	}
}

func (p *proxy) keep(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		server.Close()
		return false
	}
	p.conns[client], p.conns[server] = true, true
	return true
}

// pass copies one way, until so many bytes have passed. Then both ends are reset.
func (p *proxy) pass(from, to net.Conn, left *atomic.Int64) {
	defer reset(from)
	defer reset(to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n = int(min(int64(n), left.Load())); err != nil && n == 0 {
			return
		}
		if d := p.delay.Load(); d > 0 {
			time.Sleep(time.Duration(d)) // the fault itself: nothing waits for a result by it
		}
		if p.mute.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil || left.Add(-int64(n)) <= 0 {
			return
		}
	}
}

// cut resets all connections that there are, and those to come if it stays so.
func (p *proxy) cut(stays bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = stays
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}

// reset closes a connection so that the other end hears of an error, not of an end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// TestNetworkIsCut: all connections at once, three times; then for as long as 30 requests are refused.
func TestNetworkIsCut(t *testing.T) {
	t.Parallel()
	url := database(t)
	network, through := newProxy(t, url)
	l := newLedger(t, start(t, through).at)
	l.load(8)
	for range 3 {
		l.await(30, 0)
		network.cut(false)
	}
	l.await(30, 0)
	network.cut(true)
	l.await(0, 30)
	network.cut(false)
	l.await(30, 0)
	l.halt()
	l.settle(url)
}

// TestNetworkIsSlow: 20 ms more for each piece, either way. It is slow, and nothing else.
func TestNetworkIsSlow(t *testing.T) {
	t.Parallel()
	url := database(t)
	network, through := newProxy(t, url)
	l := newLedger(t, start(t, through).at)
	network.delay.Store(int64(20 * time.Millisecond))
	l.load(8)
	l.await(60, 0)
	l.halt()
	l.settle(url)
	if l.refused > 0 {
		t.Errorf("%d were refused", l.refused)
	}
}

// TestNetworkIsMute: what is sent is taken and never arrives, and no connection ends. Every client hears so before its deadline.
func TestNetworkIsMute(t *testing.T) {
	t.Parallel()
	url := database(t)
	network, through := newProxy(t, url)
	l := newLedger(t, start(t, through).at)
	l.load(8)
	l.await(30, 0)
	network.mute.Store(true)
	l.await(0, 8)
	network.mute.Store(false)
	network.cut(false) // what was swallowed is missing in every stream
	l.await(30, 0)
	l.halt()
	newBeam(t, url).await("what was begun to end", `SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()
		AND pid <> pg_backend_pid() AND state <> 'idle'`)
	l.settle(url)
}

// TestNetworkIsResetByteByByte: connections are reset after one byte of Postgres's answers, after a few more, and so on through
// everything that a write and the start of a connection say.
func TestNetworkIsResetByteByByte(t *testing.T) {
	t.Parallel()
	url := database(t)
	network, through := newProxy(t, url)
	l := newLedger(t, start(t, through).at)
	for limit, n := int64(1), 0; limit < 12_000; limit, n = limit+1+limit/12, n+1 {
		network.limit.Store(limit)
		network.cut(false)
		l.act(n)
	}
	network.limit.Store(0)
	network.cut(false)
	for n := range 4 {
		if !l.act(n) {
			t.Errorf("when the network is well again: %s", l)
		}
	}
	l.settle(url)
	if l.refused < 30 || l.acked < 5 {
		t.Errorf("the faults have lost their way: %s", l)
	}
}
