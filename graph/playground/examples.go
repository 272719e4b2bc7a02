package playground

import (
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
)

//go:embed src/examples
var examples embed.FS

// Example is an operation that the page offers. It runs as it stands against the demo organisation, over and over,
// since it changes nothing.
type Example struct {
	Name      string
	Query     string
	Variables json.RawMessage // nil where the operation has none
}

// Examples returns the page's examples in its order.
func Examples() []Example {
	paths, err := fs.Glob(examples, "src/examples/*.graphql")
	if err != nil {
		panic(err) // the pattern is a good one
	}
	list := make([]Example, 0, len(paths))
	for _, path := range paths {
		list = append(list, example(path))
	}
	return list
}

// example reads one operation, which begins with its title as a comment, and its variables beside it.
func example(path string) Example {
	query, err := examples.ReadFile(path)
	if err != nil {
		panic(err) // it was found a moment ago
	}
	variables, err := examples.ReadFile(strings.TrimSuffix(path, ".graphql") + ".json")
	if err != nil {
		variables = nil
	}
	title, _, _ := strings.Cut(string(query), "\n")
	return Example{
		Name:      strings.TrimPrefix(title, "# "),
		Query:     string(query),
		Variables: variables,
	}
}
