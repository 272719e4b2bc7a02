package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Tests that write programs and run them are not parallel: a process forked by another test at the wrong moment has the
// program open for writing still, and then it cannot be run ("text file busy").

// fakeBinaries writes programs that say they are Postgres of the version.
func fakeBinaries(t *testing.T, dir, version string) {
	t.Helper()
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		script(t, filepath.Join(dir, name), fmt.Sprintf("echo '%s (PostgreSQL) %s'", name, version))
	}
}

func script(t *testing.T, file, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, file); err != nil {
		t.Fatal(err)
	}
}

func TestSearch(t *testing.T) {
	debian := func(version string) string { return "usr/lib/postgresql/" + version + "/bin" }
	for _, test := range []struct {
		name string
		have map[string]string               // directory: version
		more func(t *testing.T, root string) // what is not a directory of binaries
		path string                          // one directory
		want []string                        // directory version
	}{
		{name: "None", want: nil},
		{
			name: "PathFirst",
			have: map[string]string{"opt/pg/bin": "14.1", debian("17"): "17.2"},
			path: "opt/pg/bin",
			want: []string{"opt/pg/bin 14", "usr/lib/postgresql/17/bin 17"},
		},
		{
			name: "PathLink",
			have: map[string]string{"opt/pg/bin": "16.4"},
			more: func(t *testing.T, root string) {
				link(t, filepath.Join(root, "opt/pg/bin/pg_ctl"), filepath.Join(root, "local/bin/pg_ctl"))
			},
			path: "local/bin",
			want: []string{"opt/pg/bin 16"},
		},
		{
			name: "PathConfig",
			have: map[string]string{"opt/pg/bin": "16.4"},
			more: func(t *testing.T, root string) {
				script(t, filepath.Join(root, "local/bin/pg_config"), "echo "+root+"/opt/pg/bin")
			},
			path: "local/bin",
			want: []string{"opt/pg/bin 16"},
		},
		{
			name: "PathHalf",
			more: func(t *testing.T, root string) { script(t, filepath.Join(root, "bin/initdb"), "exit 1") },
			path: "bin",
			want: nil,
		},
		{
			name: "NewestFirst",
			have: map[string]string{debian("9.6"): "9.6.24", debian("14"): "14.20", debian("18"): "18.1 (Debian 18.1-1)", debian("15"): "15.2"},
			want: []string{"usr/lib/postgresql/18/bin 18", "usr/lib/postgresql/15/bin 15", "usr/lib/postgresql/14/bin 14"},
		},
		{
			name: "Unsupported",
			have: map[string]string{debian("13"): "13.9", debian("19"): "19beta1", "opt/pg/bin": "12.1"},
			path: "opt/pg/bin",
			want: nil,
		},
		{
			name: "Elsewhere",
			have: map[string]string{
				"Applications/Postgres.app/Contents/Versions/18/bin": "18.1 (Postgres.app)",
				"usr/local/opt/postgresql@15/bin":                    "15.2 (Homebrew)",
				"opt/homebrew/opt/postgresql@16/bin":                 "16.2 (Homebrew)",
				"usr/pgsql-17/bin":                                   "17.2",
				debian("14"):                                         "14.2",
			},
			want: []string{
				"usr/lib/postgresql/14/bin 14", "usr/pgsql-17/bin 17", "opt/homebrew/opt/postgresql@16/bin 16",
				"usr/local/opt/postgresql@15/bin 15", "Applications/Postgres.app/Contents/Versions/18/bin 18",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for dir, version := range test.have {
				fakeBinaries(t, filepath.Join(root, dir), version)
			}
			if test.more != nil {
				test.more(t, root)
			}
			var got []string
			for _, b := range search(root, filepath.Join(root, test.path)+":relative/is/ignored:") {
				dir, _ := filepath.Rel(root, b.dir)
				got = append(got, fmt.Sprint(dir, " ", b.major))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBinaries(t *testing.T) {
	bin := t.TempDir()
	fakeBinaries(t, bin+"/16", "16.2")
	fakeBinaries(t, bin+"/17", "17.1")
	fakeBinaries(t, bin+"/13", "13.2")
	fakeBinaries(t, bin+"/cache/bin", "18.3")
	installed := func(majors ...int) func() []binaries {
		return func() (found []binaries) {
			for _, m := range majors {
				found = append(found, binaries{fmt.Sprint(bin, "/", m), m})
			}
			return found
		}
	}
	for _, test := range []struct {
		name   string
		config Config
		data   string // PG_VERSION
		want   int
		error  []string
	}{
		{name: "First", config: Config{search: installed(17, 16)}, want: 17},
		{name: "Given", config: Config{PGBin: bin + "/16", search: installed(17)}, want: 16},
		{name: "GivenWrong", config: Config{PGBin: bin, search: installed(17)}, error: []string{"PG_BIN=" + bin, "initdb"}},
		{name: "GivenUnsupported", config: Config{PGBin: bin + "/13"}, error: []string{"PG_BIN=", "Postgres 13", "14 to 18"}},
		{name: "GivenOtherData", config: Config{PGBin: bin + "/16"}, data: "15", error: []string{"made by Postgres 15", "Postgres 16"}},
		{name: "Data", config: Config{search: installed(17, 16)}, data: "16", want: 16},
		{name: "OtherData", config: Config{search: installed(17, 16)}, data: "15", error: []string{"made by Postgres 15", "Postgres 17"}},
		{name: "Downloaded", config: Config{search: installed(), Cache: bin + "/cache"}, want: 18},
		{name: "DownloadedData", config: Config{search: installed(16), Cache: bin + "/cache"}, data: "18", want: 18},
		{name: "DownloadedOtherData", config: Config{search: installed(), Cache: bin + "/cache"}, data: "17",
			error: []string{"made by Postgres 17", "Postgres 18"}},
		{name: "None", config: Config{search: installed(), Cache: bin + "/none", DownloadURL: "http://127.0.0.1:1"},
			error: []string{"set PG_BIN", "set DATABASE_URL", "http://127.0.0.1:1/io/zonky", "refused"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.Dir = filepath.Join(t.TempDir(), "pg")
			i, err := open(test.config)
			if err != nil {
				t.Fatal(err)
			}
			if test.data != "" {
				if err := os.Mkdir(i.pgdata(), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(i.pgdata(), "PG_VERSION"), []byte(test.data+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := i.binaries(t.Context())
			if test.error != nil {
				_, err = Start(t.Context(), test.config) // the whole way
				wantError(t, err, test.error...)
				return
			}
			if err != nil || got.major != test.want {
				t.Errorf("got %v, %v; want version %d", got, err, test.want)
			}
		})
	}
}
