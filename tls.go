package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateAge is how long a certificate is used before the files are looked at again.
const certificateAge = 5 * time.Second

// certificate is the server's, out of two files. It looks at them when a client connects, so that one renewed in its place is in use
// a moment later, without a restart or a signal.
type certificate struct {
	files [2]string // the certificate's and the key's
	age   time.Duration
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   [2]os.FileInfo
	pair   *tls.Certificate
}

func newCertificate(cert, key string, age time.Duration, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: [2]string{cert, key}, age: age, log: log}
	return c, c.read()
}

// read reads the files. What they looked like before says later whether they have changed.
func (c *certificate) read() error {
	c.looked = time.Now()
	for i, file := range c.files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		c.seen[i] = info
	}
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}

// get is the certificate for a handshake. While the files are gone or do not fit together, it stays the one before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= c.age && c.changed() {
		if err := c.read(); err != nil {
			c.log.Error("the certificate has changed and cannot be read; the one before stays in use", "cause", err)
		} else {
			c.log.Info("the certificate has changed", "until", c.pair.Leaf.NotAfter)
		}
	}
	return c.pair, nil
}

func (c *certificate) changed() bool {
	c.looked = time.Now()
	for i, file := range c.files {
		info, err := os.Stat(file)
		if err != nil || !os.SameFile(info, c.seen[i]) || !info.ModTime().Equal(c.seen[i].ModTime()) || info.Size() != c.seen[i].Size() {
			return true
		}
	}
	return false
}

// config is TLS 1.2 at least, with what Go holds for safe; net/http adds HTTP/2.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
