package playground

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"io/fs"
	"net/http"
	"strconv"
	"time"
)

// policy lets the page use this server alone. The editor needs styles that scripts write, and pictures in its own
// stylesheet as data URLs.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; worker-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; " +
	"frame-ancestors 'none'"

// built serves the page out of files, which is what `npm run build` leaves in dist.
func built(files fs.FS, endpoint string) http.Handler {
	mux := route(page(files, endpoint), assets{files})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// page is small and names its assets, so a browser asks for it every time and is told when it has not changed.
func page(files fs.FS, endpoint string) http.Handler {
	text, err := fs.ReadFile(files, "index.html")
	if err != nil {
		panic(err) // the caller saw it there
	}
	const meta = `<meta name="roster-endpoint" content="`
	text = bytes.Replace(text, []byte(meta+"/graphql"), []byte(meta+html.EscapeString(endpoint)), 1)
	sum := sha256.Sum256(text)
	etag := strconv.Quote(hex.EncodeToString(sum[:8]))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	})
}
