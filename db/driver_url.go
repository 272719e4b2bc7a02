package db

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// This file reads the database URL: where Postgres is, and whether and how TLS is spoken to it.

// target is what a database URL says.
type target struct {
	conf     *pgdriver.Config
	settings map[string]string // parameters of the session
	hint     string
}

// errURL never quotes the URL, as url.Parse's errors do: it holds the password.
var errURL = errors.New("db: the database URL is not of the form postgres://user:password@host:port/database?sslmode=…, " +
	"with what is special in the password percent-encoded")

// settingName is the form of a parameter's name. What has another form may be a piece of a password with a ? in it.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parseURL reads a URL as libpq does, in so far as pgdriver can keep what it says. pgdriver's own parser knows neither
// socket directories nor IPv6 addresses and does not verify certificates unless asked. Names without a meaning here
// become parameters of the session, which Postgres refuses if they have none there. The environment is not consulted.
func parseURL(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" || u.Fragment != "" {
		return target{}, errURL
	}
	p, err := urlParams(u)
	if err != nil {
		return target{}, err
	}
	t := target{settings: p, conf: &pgdriver.Config{
		User: p.take("user"), Password: p.take("password"), Database: p.take("dbname"),
		AppName: p.take("application_name"), DialTimeout: connectTimeout, BufferSize: bufferSize,
		Dialer: new(net.Dialer).DialContext,
	}}
	host, port := p.take("host"), p.take("port")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || t.conf.User == "" || host == "" || strings.Contains(host, ",") {
		return target{}, errors.New("db: the database URL must name one user, one host or socket, and at most one port from 1 to 65535")
	}
	if t.conf.Database == "" {
		t.conf.Database = t.conf.User
	}
	t.conf.Network, t.conf.Addr = "tcp", net.JoinHostPort(host, port)
	if host[0] == '/' {
		t.conf.Network, t.conf.Addr = "unix", host
		if !strings.HasPrefix(path.Base(host), ".s.PGSQL.") {
			t.conf.Addr = path.Join(host, ".s.PGSQL."+port)
		}
	}
	if s := p.take("connect_timeout"); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return target{}, errors.New("db: connect_timeout in the database URL is not a number of seconds")
		}
		t.conf.DialTimeout = time.Duration(n) * time.Second
	}
	t.conf.TLSConfig, t.hint, err = tlsConfig(p, host)
	return t, err
}

// params are the parts of a URL by their libpq names.
type params map[string]string

func (p params) take(name string) string {
	v := p[name]
	delete(p, name)
	return v
}

// urlOptions collects them; what is after the ? wins, as in libpq.
func urlParams(u *url.URL) (params, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errURL
	}
	password, _ := u.User.Password()
	p := params{
		"user": u.User.Username(), "password": password, "host": u.Hostname(), "port": cmp.Or(u.Port(), "5432"),
		"dbname": strings.TrimPrefix(u.Path, "/"), "application_name": "roster",
	}
	for name, values := range q {
		if !settingName.MatchString(name) || len(values) != 1 {
			return nil, errURL
		}
		p[name] = values[0]
	}
	for _, v := range p {
		if strings.ContainsRune(v, 0) { // pgdriver would send what follows as further startup parameters
			return nil, errURL
		}
	}
	return p, nil
}

// tlsConfig is what sslmode asks for.
//
//   - disable: no TLS. Nor on a Unix socket, whatever the mode, as in libpq.
//   - require: encrypted, but with whoever answers. With sslrootcert it means verify-ca, as in libpq.
//   - verify-ca: the certificate is signed by sslrootcert. Without a file any public authority would do, which
//     proves nothing when the name is not checked, so that it is refused.
//   - verify-full: and it is for this host. Without sslrootcert, or with "system", by an authority of this machine.
//   - prefer, allow or nothing: libpq would fall back to plain text if the server, or anyone in between, says so.
//     pgdriver cannot, and we would not want to. On this machine that is no loss, so no TLS is used; elsewhere they
//     mean verify-full, because the strict guess fails loudly and the weak one silently.
func tlsConfig(p params, host string) (c *tls.Config, hint string, err error) {
	mode, root, cert, key := p.take("sslmode"), p.take("sslrootcert"), p.take("sslcert"), p.take("sslkey")
	switch mode {
	case "", "prefer", "allow":
		if root == "" && cert == "" && isLoopback(host) {
			return nil, "", nil
		}
		mode, hint = "verify-full", " (sslmode was taken to be verify-full: set it in the database URL)"
	case "require":
		if root != "" {
			mode = "verify-ca"
		}
	case "disable", "verify-ca", "verify-full":
	default:
		return nil, "", errors.New("db: sslmode in the database URL is none of disable, require, verify-ca, verify-full")
	}
	if mode == "disable" || host[0] == '/' {
		return nil, "", nil
	}
	c = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if root != "" && root != "system" {
		pem, err := os.ReadFile(root) //nolint:gosec // the operator names it
		if err != nil {
			return nil, "", fmt.Errorf("db: sslrootcert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, "", fmt.Errorf("db: sslrootcert: no certificate in %s", root)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, "", fmt.Errorf("db: sslcert and sslkey: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch {
	case mode == "verify-ca" && c.RootCAs == nil:
		return nil, "", errors.New("db: this sslmode needs a file as sslrootcert; verify-full can do without")
	case mode == "verify-ca":
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, c.RootCAs) }
		c.InsecureSkipVerify = true
	case mode == "require":
		c.InsecureSkipVerify = true
	}
	return c, hint, nil
}

// verifyChain is what crypto/tls does by itself, except for the name.
func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// isLoopback reports whether the host is this machine, by socket or by network.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host[0] == '/' || host == "localhost" || ip != nil && ip.IsLoopback()
}
