// Package playground serves the page at which people try the API: GraphiQL with an explorer, examples and a place to
// sign in. Every file of it comes from this server; no request goes elsewhere.
//
// The page is built by npm into dist, which Git does not keep. A program that was built without it serves gqlgen's page
// instead, which loads GraphiQL from a public network, under a banner that says so.
package playground

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var dist embed.FS

// Built reports whether the page was built into this program.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}

// Handler serves the page at / and its assets under /playground/; everything else is not found. The page sends its
// queries to endpoint: a path on this server, such as /graphql.
func Handler(endpoint string) http.Handler {
	if !Built() {
		return unbuilt(endpoint)
	}
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // dist is a valid path
	}
	return built(files, endpoint)
}

func route(page, assets http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /playground/{name}", assets)
	return mux
}
