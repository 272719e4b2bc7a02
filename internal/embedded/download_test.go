package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// These tests are not parallel; see binaries_test.go.

// A real Postgres: this machine's, packed as Maven has it, fetched from a file server, unpacked, and run.
func TestDownload(t *testing.T) {
	m := newMaven(t, packInstalled(t))
	var log lines
	c := Config{Dir: newDir(t), Cache: filepath.Join(newDir(t), "cache"), DownloadURL: m.URL + "/maven2/", Log: log.add}
	c.search = func() []binaries { return nil }
	p := start(t, c)
	if got := query(t, p, "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.process.Pid)); err == nil && !strings.HasPrefix(exe, c.Cache) {
		t.Errorf("%s runs, not what was downloaded", exe)
	}
	for _, told := range []string{"downloading 18.3.0", "… 10 %\n", "… 50 %\n", "… 100 %\n"} {
		if !strings.Contains(log.String(), told) {
			t.Errorf("%q is not in the log\n%s", told, &log)
		}
	}
	stop(t, p)

	m.Close()
	start(t, c) // from the cache
	left, _ := filepath.Glob(filepath.Dir(c.Cache) + "/.*")
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDownloadFails(t *testing.T) {
	good := jar(t, map[string][]byte{"bin/initdb": []byte("#!/bin/sh\n"), "bin/postgres": []byte("#!/bin/sh\necho 'postgres (PostgreSQL) 18.3'\n")}, nil)
	for _, test := range []struct {
		name  string
		spoil func(m *maven)
		error string // empty: it succeeds
	}{
		{"OK", func(*maven) {}, ""},
		{"Missing", func(m *maven) { m.jar = nil }, "404 Not Found"},
		{"NoChecksum", func(m *maven) { m.sum = "" }, ".jar.sha256: 404 Not Found"},
		{"WrongChecksum", func(m *maven) { m.sum = strings.Repeat("0", 64) }, "checksums do not match"},
		{"Truncated", func(m *maven) { m.size = len(m.jar) + 1 }, "unexpected EOF"},
		{"Damaged", func(m *maven) { m.setJar(m.jar[:len(m.jar)/2]) }, "unpack Postgres 18.3.0"},
		{"Nothing", func(m *maven) { m.setJar(jar(t, nil, nil)) }, "initdb"},
		{"Cancelled", func(m *maven) { m.cancel() }, "context canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMaven(t, good)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			m.cancel = cancel
			test.spoil(m)
			cache := filepath.Join(t.TempDir(), "cache")
			if err := os.Mkdir(cache, 0o755); err != nil { // an empty one does no harm
				t.Fatal(err)
			}
			i, err := open(Config{Dir: filepath.Join(t.TempDir(), "pg"), Cache: cache, DownloadURL: m.URL + "/maven2"})
			if err != nil {
				t.Fatal(err)
			}
			b, err := i.download(ctx)
			if test.error != "" {
				wantError(t, err, test.error)
			} else if err != nil || b.major != 18 || b.dir != cache+"/bin" {
				t.Errorf("downloaded %v, %v", b, err)
			}
			if left, _ := filepath.Glob(filepath.Dir(cache) + "/.*"); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	for _, test := range []struct {
		name    string
		account account
		given   string
		want    string
	}{
		{"User", account{uid: os.Getuid()}, "", dir},
		{"Root", account{uid: 65534, gid: 65534, drop: true}, "", "/var/cache/roster/postgres/18.3.0"},
		{"Given", account{uid: 65534, gid: 65534, drop: true}, "/srv/pg", "/srv/pg"},
	} {
		got, err := (&instance{Config{Cache: test.given}, test.account}).cache()
		if err != nil || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

// maven is a repository with one jar, for whatever machine asks.
type maven struct {
	*httptest.Server
	jar    []byte
	sum    string
	size   int // what it says the jar has
	cancel func()
}

var mavenPath = regexp.MustCompile(
	`^/maven2/io/zonky/test/postgres/embedded-postgres-binaries-(\w+-\w+)/18\.3\.0/embedded-postgres-binaries-(\w+-\w+)-18\.3\.0\.jar(\.sha256)?$`)

func newMaven(t *testing.T, jar []byte) *maven {
	t.Helper()
	m := &maven{}
	m.setJar(jar)
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *maven) setJar(jar []byte) {
	m.jar, m.size, m.sum = jar, len(jar), fmt.Sprintf("%x", sha256.Sum256(jar))
}

func (m *maven) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	match := mavenPath.FindStringSubmatch(r.URL.Path)
	switch {
	case match == nil || match[1] != match[2]:
		http.Error(w, "no such path", http.StatusBadRequest)
	case match[3] != "" && m.sum != "":
		fmt.Fprint(w, m.sum)
	case match[3] == "" && m.jar != nil:
		w.Header().Set("Content-Length", fmt.Sprint(m.size))
		_, _ = w.Write(m.jar)
	default:
		http.NotFound(w, r)
	}
}

// packInstalled packs this machine's binaries, with links to what they look for beside themselves.
func packInstalled(t *testing.T) []byte {
	t.Helper()
	installed := search("/", os.Getenv("PATH"))
	if len(installed) == 0 {
		t.Fatal("no Postgres is installed")
	}
	bin := installed[0].dir
	files := map[string][]byte{}
	for _, name := range []string{"initdb", "postgres"} {
		b, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		files["bin/"+name] = b
	}
	links := map[string]string{}
	for _, name := range []string{"lib", "lib64", "share"} {
		if dir := filepath.Join(filepath.Dir(bin), name); sameFile(dir, dir) {
			links[name] = dir
		}
	}
	return jar(t, files, links)
}

// jar packs files and links as the repository does: a compressed tar in a zip.
func jar(t *testing.T, files map[string][]byte, links map[string]string) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range links {
		if err := w.WriteHeader(&tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.CreateHeader(&zip.FileHeader{Name: "postgres-any.txz", Method: zip.Store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(xz(archive.Bytes())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
