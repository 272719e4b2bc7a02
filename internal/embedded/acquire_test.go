package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var words = Template{Key: "words", Build: func(ctx context.Context, url string) error {
	db := connect(url) // and left open, as a careless Build might: clones must not mind
	_, err := db.ExecContext(ctx, "CREATE TABLE word (w text PRIMARY KEY)")
	return err
}}

func TestAcquire(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			db := connect(Acquire(t, words)) // open at the end: the database is dropped all the same
			if _, err := db.ExecContext(t.Context(), "INSERT INTO word VALUES ('mine alone')"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAcquireDrops(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("Inner", func(t *testing.T) { url = Acquire(t, words) })
	if err := ping(t.Context(), url); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database after its test: %v", err)
	}
}

func TestAcquireBuildsOnce(t *testing.T) {
	t.Parallel()
	built := 0
	broken := Template{Key: "broken", Build: func(context.Context, string) error {
		built++
		return errors.New("no such migration")
	}}
	for range 3 {
		_, err := shared.clone(t.Context(), t.Logf, broken)
		wantError(t, err, "broken", "no such migration")
	}
	if built != 1 {
		t.Errorf("built %d times", built)
	}
}

// TestHelperAcquire is what the other process of TestAcquireEndsWithProcess runs; here it is one more Acquire.
func TestHelperAcquire(t *testing.T) {
	t.Parallel()
	Acquire(t, Template{Key: "empty"})
	if os.Getenv(helperMode) != "" {
		fmt.Println(shared.postgres.process.Pid)
		select {}
	}
}

func TestAcquireEndsWithProcess(t *testing.T) {
	t.Parallel()
	other := startHelper(t, "acquire", "-test.run=^TestHelperAcquire$", "-test.v=false")
	pid, err := strconv.Atoi(other.said)
	if err != nil {
		t.Fatal(err)
	}
	dirs, _ := filepath.Glob("/tmp/" + testDirs)
	var dir string
	for _, d := range dirs {
		if isPostmaster(pid, filepath.Join(d, dataName)) {
			dir = d
		}
	}
	if dir == "" {
		t.Fatalf("process %d serves none of %v", pid, dirs)
	}
	account, err := accountFor(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := removeDead(account, dir); err != nil || !isPostmaster(pid, filepath.Join(dir, dataName)) {
		t.Fatalf("the directory of a live process was removed: %v", err)
	}
	other.kill(t)
	// Where there is no death signal, this removal ends the server.
	if err := removeDead(account, dir); err != nil {
		t.Error(err)
	}
	eventually(t, "the end of the server", func() bool { return !isPostmaster(pid, filepath.Join(dir, dataName)) })
}

func TestSweep(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for name, age := range map[string]time.Time{
		"roster-test-dead":   old,
		"roster-test-locked": old,
		"roster-test-young":  time.Now(),
		"somebody-elses":     old,
	} {
		dir := filepath.Join(base, name)
		i, err := open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := i.tryLock()
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		if name != "roster-test-locked" {
			_ = lock.Close()
		}
		if err := os.Chtimes(dir, age, age); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base, t.Logf)
	left, _ := filepath.Glob(filepath.Join(base, "*"))
	got := strings.ReplaceAll(strings.Join(left, " "), base+"/", "")
	if want := "roster-test-locked roster-test-young somebody-elses"; got != want {
		t.Errorf("left %s; want %s", got, want)
	}
}
