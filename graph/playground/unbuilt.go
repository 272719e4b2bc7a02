package playground

import (
	"bytes"
	"net/http"

	"github.com/99designs/gqlgen/graphql/playground"
)

// unbuiltPolicy leaves gqlgen's page its scripts, and lets them talk to this server alone.
const unbuiltPolicy = "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// banner goes above gqlgen's page, which makes room for it.
const banner = `<body>
    <style>#graphiql { height: calc(100vh - 3rem) !important; }</style>
    <div role="alert" style="box-sizing: border-box; height: 3rem; padding: 0 1rem; display: flex; align-items: center;
      background: #fff4ce; color: #4d3800; font: 14px/1.4 system-ui, sans-serif; overflow: hidden;">
      <span>Built without npm; run <code>make playground</code> and build Roster again.
      Until then, this is GraphiQL from cdn.jsdelivr.net and needs the internet.</span>
    </div>`

// unbuilt serves gqlgen's page under the banner.
func unbuilt(endpoint string) http.Handler {
	theirs := recorder{header: http.Header{}}
	playground.Handler("Roster", endpoint)(&theirs, &http.Request{})
	text := bytes.Replace(theirs.body.Bytes(), []byte("<body>"), []byte(banner), 1)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", unbuiltPolicy)
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-cache")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(text) // a client that went away wants no answer
	})
	return route(page, http.NotFoundHandler())
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header             { return r.header }
func (r *recorder) WriteHeader(int)                 {}
func (r *recorder) Write(chunk []byte) (int, error) { return r.body.Write(chunk) }
