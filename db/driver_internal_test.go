package db

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// This file is about the way to Postgres: what a URL means, and what happens before a connection stands. Where Postgres
// itself would have to misbehave, a few lines that speak its protocol take its place.

func TestParseURL(t *testing.T) {
	t.Parallel()
	type fields struct{ network, addr, user, password, database, app string }
	for raw, want := range map[string]fields{
		"postgres://u:p@h/d?sslmode=disable":             {"tcp", "h:5432", "u", "p", "d", "roster"},
		"postgresql://u@h:6543?sslmode=disable":          {"tcp", "h:6543", "u", "", "u", "roster"},
		"postgres://u:p%40%2F%3F%23%25@[::1]/d%20e":      {"tcp", "[::1]:5432", "u", "p@/?#%", "d e", "roster"},
		"postgres://u@/d?host=/run/pg/.s.PGSQL.5432":     {"unix", "/run/pg/.s.PGSQL.5432", "u", "", "d", "roster"},
		"postgres://u@/d?host=/run/pg&port=6543":         {"unix", "/run/pg/.s.PGSQL.6543", "u", "", "d", "roster"},
		"postgres:///d?host=/run/pg&user=u&password=p":   {"unix", "/run/pg/.s.PGSQL.5432", "u", "p", "d", "roster"},
		"postgres://u@/d?host=/run/pg&sslmode=require":   {"unix", "/run/pg/.s.PGSQL.5432", "u", "", "d", "roster"},
		"postgres://a@b/c?user=u&host=::1&dbname=d":      {"tcp", "[::1]:5432", "u", "", "d", "roster"},
		"postgres://u@localhost/d?application_name=mine": {"tcp", "localhost:5432", "u", "", "d", "mine"},
	} {
		got, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		c := got.conf
		if diff := cmp.Diff(want, fields{c.Network, c.Addr, c.User, c.Password, c.Database, c.AppName}, cmp.AllowUnexported(fields{})); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
		if c.TLSConfig != nil || c.DialTimeout != connectTimeout || len(got.settings) != 0 {
			t.Errorf("%s: TLS %v, timeout %v, settings %v", raw, c.TLSConfig, c.DialTimeout, got.settings)
		}
	}
	got, err := parseURL("postgres://u@h/d?sslmode=disable&connect_timeout=7&search_path=a,b&roster.x=1")
	if err != nil {
		t.Fatal(err)
	}
	if want := (params{"search_path": "a,b", "roster.x": "1"}); !cmp.Equal(want, params(got.settings)) || got.conf.DialTimeout != 7*time.Second {
		t.Errorf("got %v and %v, want %v", got.settings, got.conf.DialTimeout, want)
	}
}

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"Empty":          "",
		"Words":          "host=h user=u password=s3cret",
		"Scheme":         "mysql://u:s3cret@h/d",
		"Escape":         "postgres://u:s3cret%zz@h/d",
		"Slash":          "postgres://u:s3cret/x@h/d",
		"Hash":           "postgres://u:12#s3cret@h/d",
		"QuestionMark":   "postgres://u:12?s3cret@h/d",
		"QuestionMark2":  "postgres://u:x@h:12?s3cret%zz@h/d",
		"Newline":        "postgres://u:s3cret\n@h/d",
		"NoUser":         "postgres://h/d?password=s3cret",
		"NoHost":         "postgres://u:s3cret@/d",
		"TwoHosts":       "postgres://u:s3cret@/d?host=a,b",
		"Port":           "postgres://u:s3cret@h:65536/d",
		"PortZero":       "postgres://u:s3cret@h:0/d",
		"PortText":       "postgres://u:s3cret@h/d?port=s3cret",
		"NULInName":      "postgres://u:s3cret@h/d%00options%00-cx=y",
		"NULInSetting":   "postgres://u:s3cret@h/d?search_path=%00",
		"NULInUser":      "postgres://u%00:s3cret@h/d",
		"Twice":          "postgres://u:s3cret@h/d?sslmode=verify-full&sslmode=disable",
		"SettingName":    "postgres://u:s3cret@h/d?a'b=c",
		"Mode":           "postgres://u:s3cret@h/d?sslmode=s3cret",
		"Timeout":        "postgres://u:s3cret@h/d?connect_timeout=s3cret",
		"TimeoutZero":    "postgres://u:s3cret@h/d?connect_timeout=0",
		"CAWithoutRoot":  "postgres://u:s3cret@h/d?sslmode=verify-ca",
		"CAOfSystem":     "postgres://u:s3cret@h/d?sslmode=verify-ca&sslrootcert=system",
		"RootMissing":    "postgres://u:s3cret@h/d?sslrootcert=" + filepath.Join(dir, "none.pem"),
		"RootEmpty":      "postgres://u:s3cret@h/d?sslrootcert=" + empty,
		"CertWithoutKey": "postgres://u:s3cret@h/d?sslcert=" + empty,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openPool(poolOptions{URL: raw})
			if err == nil || !strings.HasPrefix(err.Error(), "db: ") {
				t.Errorf("got %v, want an error of ours", err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error has the password in it: %v", err)
			}
		})
	}
}

func TestWhenTLSIsUsed(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{ // "" is none
		"postgres://u@/d?host=/run/pg":                      "",
		"postgres://u@/d?host=/run/pg&sslmode=verify-full":  "",
		"postgres://u@localhost/d":                          "",
		"postgres://u@127.0.0.1/d?sslmode=prefer":           "",
		"postgres://u@[::1]/d?sslmode=allow":                "",
		"postgres://u@localhost/d?sslmode=verify-full":      "localhost",
		"postgres://u@localhost/d?sslrootcert=system":       "localhost",
		"postgres://u@db.example/d":                         "db.example",
		"postgres://u@db.example/d?sslmode=prefer":          "db.example",
		"postgres://u@db.example/d?sslmode=disable":         "",
		"postgres://u@10.0.0.1/d?sslmode=verify-full":       "10.0.0.1",
		"postgres://u@localhost/d?host=2001:db8::1&port=55": "2001:db8::1",
	} {
		got, err := parseURL(raw)
		switch {
		case err != nil:
			t.Errorf("%s: %v", raw, err)
		case want == "" && got.conf.TLSConfig != nil:
			t.Errorf("%s: TLS, want none", raw)
		case want != "" && (got.conf.TLSConfig == nil || got.conf.TLSConfig.ServerName != want || got.conf.TLSConfig.InsecureSkipVerify):
			t.Errorf("%s: want the certificate of %s verified", raw, want)
		}
	}
}

// Every mode meets a server whose certificate is for db.example, while the address dialled is a number.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	named, numbered := ca.issue(t, "db.example"), ca.issue(t, "127.0.0.1")
	for name, c := range map[string]struct {
		query  string
		server *tls.Certificate
		ok     bool
	}{
		"Disable":             {"sslmode=disable", nil, true},
		"Require":             {"sslmode=require", &named, true},
		"RequireButNone":      {"sslmode=require", nil, false},
		"RequireRoot":         {"sslmode=require&sslrootcert=" + ca.file, &named, true},
		"RequireOtherRoot":    {"sslmode=require&sslrootcert=" + other.file, &named, false},
		"VerifyCA":            {"sslmode=verify-ca&sslrootcert=" + ca.file, &named, true},
		"VerifyCAOtherRoot":   {"sslmode=verify-ca&sslrootcert=" + other.file, &named, false},
		"VerifyCAButNone":     {"sslmode=verify-ca&sslrootcert=" + ca.file, nil, false},
		"VerifyFull":          {"sslmode=verify-full&sslrootcert=" + ca.file, &numbered, true},
		"VerifyFullName":      {"sslmode=verify-full&sslrootcert=" + ca.file, &named, false},
		"VerifyFullOtherRoot": {"sslmode=verify-full&sslrootcert=" + other.file, &numbered, false},
		"VerifyFullSystem":    {"sslmode=verify-full", &numbered, false},
		"DefaultRoot":         {"sslrootcert=" + ca.file, &named, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, func(cn net.Conn) {
				if cn, err := fakeStartup(cn, c.server); err == nil {
					fakeAnswers(cn)
				}
			})
			pool, err := openPool(poolOptions{URL: "postgres://u:s3cret@" + addr + "/d?" + c.query})
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			err = pool.PingContext(t.Context())
			if (err == nil) != c.ok {
				t.Errorf("got %v, want it to work: %v", err, c.ok)
			}
			var ne net.Error
			if err != nil && (!errors.As(err, &ne) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("got %v, want a net.Error without the password", err)
			}
			if hinted := err != nil && strings.Contains(err.Error(), "sslmode was taken"); hinted != (name == "DefaultRoot") {
				t.Errorf("hint: %v", err)
			}
		})
	}
}

func TestConnectGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("OnSilence", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		c := connectorTo(t, serve(t, func(cn net.Conn) {
			_, _ = io.Copy(io.Discard, cn) // until the other side closes
			close(closed)
		}))
		c.conf.DialTimeout = 50 * time.Millisecond
		_, err := c.Connect(t.Context())
		var ne net.Error
		if !errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a net.Error that is not the caller's deadline", err)
		}
		await(t, closed)
	})
	t.Run("OnCancel", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		closed := make(chan struct{})
		c := connectorTo(t, serve(t, func(cn net.Conn) {
			_, _ = io.ReadFull(cn, make([]byte, 8))
			cancel()
			_, _ = io.Copy(io.Discard, cn)
			close(closed)
		}))
		if _, err := c.Connect(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		await(t, closed)
	})
	t.Run("OnRefusal", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		c := connectorTo(t, serve(t, func(cn net.Conn) {
			_, _ = readMessage(cn, false)
			_, _ = cn.Write(message('E', "SFATAL\x00VFATAL\x00C53300\x00Mtoo many\x00\x00"))
			_, _ = io.Copy(io.Discard, cn)
			close(closed)
		}))
		if _, err := c.Connect(t.Context()); state(err, 'C') != "53300" {
			t.Errorf("got %v, want 53300", err)
		}
		await(t, closed) // pgdriver would leave this to the garbage collector
	})
	t.Run("OnBadSettings", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		c := connectorTo(t, serve(t, func(cn net.Conn) {
			cn, err := fakeStartup(cn, nil)
			if err != nil {
				return
			}
			_, _ = readMessage(cn, true)
			_, _ = cn.Write(append(message('E', "SERROR\x00VERROR\x00C42704\x00Mno\x00\x00"), message('Z', "I")...))
			_, _ = io.Copy(io.Discard, cn)
			close(closed)
		}))
		if _, err := c.Connect(t.Context()); state(err, 'C') != "42704" {
			t.Errorf("got %v, want 42704", err)
		}
		await(t, closed)
	})
	t.Run("OnNobody", func(t *testing.T) {
		t.Parallel()
		c := connectorTo(t, serve(t, nil))
		_, err := c.Connect(t.Context())
		var ne net.Error
		if !errors.As(err, &ne) {
			t.Errorf("got %v, want a net.Error", err)
		}
	})
}

// Postgres was restarted while a connection lay idle. Over TCP, the first statement can be sent all the same.
func TestIdleConnectionIsPinged(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 9)
	c := connectorTo(t, serve(t, func(cn net.Conn) {
		started, err := fakeStartup(cn, nil)
		if err != nil {
			return
		}
		for range 2 { // the settings and one statement more
			_, _ = readMessage(started, true)
			_, _ = started.Write(append(message('C', "SELECT 1\x00"), message('Z', "I")...))
		}
		_ = cn.Close()
		gone <- struct{}{}
	}))
	c.stale = 0
	pool := sql.OpenDB(c)
	defer pool.Close()
	for range 3 {
		if _, err := pool.ExecContext(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		await(t, gone)
	}
}

// A statement whose answer is lost may have been executed: nobody may run it again without being asked.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, lost string, use func(ctx context.Context, p *sql.DB) error) error {
		t.Helper()
		var seen atomic.Int64
		addr := serve(t, func(cn net.Conn) {
			cn, err := fakeStartup(cn, nil)
			if err != nil {
				return
			}
			for {
				text, err := readMessage(cn, true)
				if err != nil {
					return
				}
				if strings.Contains(text, lost) {
					seen.Add(1)
					return
				}
				_, _ = cn.Write(append(message('C', "SELECT 1\x00"), message('Z', "I")...))
			}
		})
		pool := sql.OpenDB(connectorTo(t, addr))
		defer pool.Close()
		err := use(t.Context(), pool)
		var ne net.Error
		if !errors.As(err, &ne) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) {
			t.Errorf("got %v, want a net.Error", err)
		}
		if n := seen.Load(); n != 1 {
			t.Errorf("sent %d times, want once", n)
		}
		return err
	}
	t.Run("Exec", func(t *testing.T) {
		t.Parallel()
		_ = run(t, "DELETE", func(ctx context.Context, p *sql.DB) error {
			_, err := p.ExecContext(ctx, "DELETE")
			return err
		})
	})
	t.Run("Commit", func(t *testing.T) {
		t.Parallel()
		err := run(t, "COMMIT", func(ctx context.Context, p *sql.DB) error {
			tx, err := p.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return tx.Commit()
		})
		if err != nil && !strings.Contains(err.Error(), "unknown") {
			t.Errorf("got %v, want it to say that the outcome is unknown", err)
		}
	})
}

// A socket that reached its deadline before the context's timer did is still the context's deadline.
func TestContextError(t *testing.T) {
	t.Parallel()
	late := lateContext{t.Context()}
	if err := contextError(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

// lateContext has a deadline that has passed and a timer that has not noticed.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func connectorTo(t *testing.T, addr string) *safeConnector {
	t.Helper()
	c, err := newConnector(poolOptions{URL: "postgres://u@" + addr + "/d?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve handles connections until the test ends; with a nil handle it answers none, for it has gone already.
func serve(t *testing.T, handle func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if handle == nil {
		_ = l.Close()
		return l.Addr().String()
	}
	go func() {
		for {
			cn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer cn.Close()
				handle(cn)
			}()
		}
	}()
	return l.Addr().String()
}

// await waits for the other side.
func await(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatal("the connection was not closed")
	}
}

// fakeStartup does what Postgres does until it is ready for statements.
func fakeStartup(cn net.Conn, cert *tls.Certificate) (net.Conn, error) {
	m, err := readMessage(cn, false)
	if err != nil {
		return nil, err
	}
	if len(m) == 4 { // SSLRequest
		if cert == nil {
			_, err := cn.Write([]byte("N"))
			return nil, errors.Join(err, errors.ErrUnsupported)
		}
		if _, err := cn.Write([]byte("S")); err != nil {
			return nil, err
		}
		cn = tls.Server(cn, &tls.Config{Certificates: []tls.Certificate{*cert}})
		if _, err := readMessage(cn, false); err != nil {
			return nil, err
		}
	}
	_, err = cn.Write(append(message('R', "\x00\x00\x00\x00"), message('Z', "I")...))
	return cn, err
}

// fakeAnswers says yes to every plain statement.
func fakeAnswers(cn net.Conn) {
	for {
		if _, err := readMessage(cn, true); err != nil {
			return
		}
		if _, err := cn.Write(append(message('C', "SELECT 1\x00"), message('Z', "I")...)); err != nil {
			return
		}
	}
}

func readMessage(cn net.Conn, typed bool) (string, error) {
	head := make([]byte, 5)
	if !typed {
		head = head[1:]
	}
	if _, err := io.ReadFull(cn, head); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
	_, err := io.ReadFull(cn, body)
	return string(body), err
}

func message(typ byte, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)), body...)
}

// authority signs certificates; file is where its own is.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{file: filepath.Join(t.TempDir(), "root.pem")}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	a.key, der = sign(t, tpl, tpl, nil)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a certificate for a host.
func (a authority) issue(t *testing.T, host string) tls.Certificate {
	t.Helper()
	tpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		tpl.IPAddresses = []net.IP{ip}
	} else {
		tpl.DNSNames = []string{host}
	}
	key, der := sign(t, tpl, a.cert, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// sign makes a key and the certificate for it; without a signer it signs itself.
func sign(t *testing.T, tpl, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// TestPatientConn: each wait has its limit, the sooner end counts, what was asked once does not stay, and the socket hears of it
// only where it matters.
func TestPatientConn(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	read := func(c *patientConn) error {
		_, err := c.Read(make([]byte, 1))
		return err
	}
	for name, tt := range map[string]struct {
		limit, asked time.Duration
		ends         bool
	}{
		"the limit":             {limit: time.Millisecond, ends: true},
		"the limit, sooner":     {limit: time.Millisecond, asked: time.Hour, ends: true},
		"what was asked":        {asked: time.Millisecond, ends: true},
		"what was asked sooner": {limit: time.Hour, asked: time.Millisecond, ends: true},
		"neither":               {},
		"both far away":         {limit: time.Hour, asked: time.Hour},
	} {
		c := &patientConn{Conn: here, limit: tt.limit}
		if tt.asked > 0 {
			if err := c.SetReadDeadline(time.Now().Add(tt.asked)); err != nil {
				t.Fatal(err)
			}
		}
		if !tt.ends {
			go func() { _, _ = there.Write([]byte{1}) }()
		}
		if err := read(c); errors.Is(err, os.ErrDeadlineExceeded) != tt.ends {
			t.Errorf("%s: %v", name, err)
		}
		if err := here.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	counts := &deadlines{Conn: here}
	c := &patientConn{Conn: counts, limit: time.Minute}
	for range 100 {
		go func() { _, _ = there.Write([]byte{1}) }()
		if err := read(c); err != nil {
			t.Fatal(err)
		}
	}
	if counts.n > 20 {
		t.Errorf("100 reads moved the deadline %d times", counts.n)
	}
	for _, at := range []time.Time{time.Now().Add(time.Millisecond), {}} {
		if err := c.SetReadDeadline(at); err != nil {
			t.Fatal(err)
		}
		if !at.IsZero() {
			if err := read(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a deadline that comes before the socket's: %v", err)
			}
			continue
		}
		go func() { _, _ = there.Write([]byte{1}) }()
		if err := read(c); err != nil {
			t.Errorf("when it is taken back: %v", err)
		}
	}
}

// deadlines counts how often the deadline of reads is moved.
type deadlines struct {
	net.Conn
	n int
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.n++
	return d.Conn.SetReadDeadline(t)
}
