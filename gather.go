package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// This file has an answer leave in one packet, or as few as can be. net/http sends the header with as much of the body as its buffer of
// 4 kB has room for, and the rest by itself: of each page of a list that is two system calls, and two wake-ups of the client.

// gathered are the connections of a listener, which gather what they are asked to.
func gathered(l net.Listener) net.Listener { return gathering{l} }

type gathering struct{ net.Listener }

func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &gatherer{TCPConn: tcp}, nil
	}
	return c, err
}

// gatherer is a connection that keeps what is written while it gathers, until more is there to go along. It is one goroutine's at a time
// that writes, as it is net/http's with plain HTTP/1. Over TLS it is not: who reads may have to answer, with an alert or a new key.
type gatherer struct {
	*net.TCPConn
	kept  *[]byte   // nil: it does not gather
	until time.Time // the last bound of writing
}

// deadlineStep is by how much earlier than asked writing may be given up: the socket is not told of a limit that moves on with each answer.
const deadlineStep = time.Second

// bound has writing be given up at t, or a little earlier.
func (c *gatherer) bound(t time.Time) error {
	if early := t.Sub(c.until); early >= 0 && early < deadlineStep {
		return nil
	}
	c.until = t
	return c.SetWriteDeadline(t)
}

// keptRoom is for what net/http writes first: its buffer.
const keptRoom = 4 << 10

var keptBuffers = sync.Pool{New: func() any { b := make([]byte, 0, keptRoom); return &b }}

// gather keeps the next piece back, if it is a small one.
func (c *gatherer) gather() {
	if c.kept == nil {
		c.kept = keptBuffers.Get().(*[]byte)
	}
}

// release sends what is still kept.
func (c *gatherer) release() error {
	b := c.kept
	if b == nil {
		return nil
	}
	c.kept = nil
	var err error
	if len(*b) > 0 {
		_, err = c.TCPConn.Write(*b)
	}
	*b = (*b)[:0]
	keptBuffers.Put(b)
	return err
}

func (c *gatherer) Write(p []byte) (int, error) {
	switch {
	case c.kept == nil:
		return c.TCPConn.Write(p)
	case len(*c.kept)+len(p) <= keptRoom:
		*c.kept = append(*c.kept, p...)
		return len(p), nil
	case len(*c.kept) == 0:
		return c.TCPConn.Write(p)
	}
	first := len(*c.kept)
	n, err := (&net.Buffers{*c.kept, p}).WriteTo(c.TCPConn)
	*c.kept = (*c.kept)[:0]
	return max(0, int(n)-first), err
}

type gathererKey struct{}

// withGatherer lets the handlers of a connection's requests find it.
func withGatherer(ctx context.Context, c net.Conn) context.Context {
	if g, ok := c.(*gatherer); ok {
		return context.WithValue(ctx, gathererKey{}, g)
	}
	return ctx
}

// gathererOf is the connection that the answer to a request goes out on, if it can gather.
func gathererOf(r *http.Request) *gatherer {
	g, _ := r.Context().Value(gathererKey{}).(*gatherer)
	return g
}
