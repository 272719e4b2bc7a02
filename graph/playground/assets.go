package playground

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// contentTypes knows every kind of file in dist/playground, since what the system knows differs between systems.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// hashed is a file name that changes with the content.
var hashed = regexp.MustCompile(`-[\w-]{8}\.\w+$`)

// assets serves the files of dist/playground, each of which is there gzipped only.
type assets struct{ files fs.FS }

func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	file, err := a.files.Open("playground/" + name + ".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()

	header := w.Header()
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", "no-cache")
	if hashed.MatchString(name) {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if !acceptsGzip(r) {
		unpack(w, file)
		return
	}
	header.Set("Content-Encoding", "gzip")
	if info, err := file.Stat(); err == nil {
		header.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	_, _ = io.Copy(w, file) // a client that went away wants no answer
}

func unpack(w http.ResponseWriter, file io.Reader) {
	plain, err := gzip.NewReader(file)
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "This file is damaged.", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, plain) //nolint:gosec // as above; what is unpacked here was packed into the program
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !refused.MatchString(weight)
		}
	}
	return false
}

// refused is a weight of zero.
var refused = regexp.MustCompile(`^\s*q\s*=\s*0(\.0*)?\s*$`)
