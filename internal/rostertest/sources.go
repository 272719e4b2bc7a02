package rostertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sources is the text of all of the repository's tests, for those that hold a document to the tests it names. root leads to the
// repository.
func Sources(t testing.TB, root string) string {
	t.Helper()
	var sources strings.Builder
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "internal/*/*_test.go", "internal/legacy/*/*_test.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file) //nolint:gosec // a file of the repository
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	return sources.String()
}
