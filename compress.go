package main

import (
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minCompressed is the length from which compression pays: what is shorter is a packet or two in any case.
const minCompressed = 2 << 10

// compressed answers those in gzip who ask for it, but for short answers and streams of events, which are to arrive one by one. A
// request for another protocol passes by. docs/decisions/0011 says what that means for secrets.
func compressed(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minCompressed),
		gzhttp.CompressionLevel(gzip.BestSpeed), // measured: a third of the time of level 6 for a thirtieth more bytes
		gzhttp.EnableZstd(false),                // an encoder of it holds megabytes
		gzhttp.ContentTypeFilter(func(contentType string) bool {
			return !strings.HasPrefix(contentType, "text/event-stream") && gzhttp.DefaultContentTypeFilter(contentType)
		}),
	)
	if err != nil {
		return nil, err
	}
	packed := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		packed(w, r)
	}), nil
}
