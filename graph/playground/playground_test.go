package playground

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

const script = "console.log('Roster')"

// build is what npm leaves in dist, in small.
func build(t *testing.T) fs.FS {
	t.Helper()
	page := `<meta name="roster-endpoint" content="/graphql" /><script src="./playground/index-Ab1_-9xY.js"></script>`
	packed := &bytes.Buffer{}
	writer := gzip.NewWriter(packed)
	if _, err := io.WriteString(writer, script); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"index.html":                         {Data: []byte(page)},
		"playground/index-Ab1_-9xY.js.gz":    {Data: packed.Bytes()},
		"playground/licenses.txt.gz":         {Data: packed.Bytes()},
		"playground/font-Ab1_-9xY.woff2.gz":  {Data: packed.Bytes()},
		"playground/damaged-Ab1_-9xY.css.gz": {Data: []byte("no gzip")},
	}
}

func get(handler http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestPage(t *testing.T) {
	handler := built(build(t), `/api/"graphql"`)
	page := get(handler, "/")
	if page.Code != http.StatusOK {
		t.Fatalf("the status is %d", page.Code)
	}
	if want := `content="/api/&#34;graphql&#34;"`; !strings.Contains(page.Body.String(), want) {
		t.Errorf("the page lacks %s:\n%s", want, page.Body)
	}
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Cache-Control":           "no-cache",
		"Content-Security-Policy": policy,
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "no-referrer",
	} {
		if got := page.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if again := get(handler, "/", "If-None-Match", page.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("asked again, the status is %d", again.Code)
	}
	other := get(built(build(t), "/other"), "/", "If-None-Match", page.Header().Get("ETag"))
	if other.Code != http.StatusOK {
		t.Errorf("asked for another endpoint, the status is %d", other.Code)
	}
}

func TestPolicyKeepsToThisServer(t *testing.T) {
	if strings.Contains(policy, "unsafe-eval") || regexp.MustCompile(`https?:|\*`).MatchString(policy) {
		t.Errorf("the policy is %s", policy)
	}
}

func TestAssets(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	tests := []struct {
		name, path, accept           string
		encoding, kind, cacheability string
	}{
		{"packed", "index-Ab1_-9xY.js", "br, gzip;q=0.8", "gzip", "text/javascript; charset=utf-8", forever},
		{"not packed", "index-Ab1_-9xY.js", "", "", "text/javascript; charset=utf-8", forever},
		{"packing refused", "index-Ab1_-9xY.js", "gzip;q=0, br", "", "text/javascript; charset=utf-8", forever},
		{"a font", "font-Ab1_-9xY.woff2", "gzip", "gzip", "font/woff2", forever},
		{"a name without a hash", "licenses.txt", "GZIP", "gzip", "text/plain; charset=utf-8", "no-cache"},
	}
	handler := built(build(t), "/graphql")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asset := get(handler, "/playground/"+test.path, "Accept-Encoding", test.accept)
			for name, want := range map[string]string{
				"Content-Encoding":        test.encoding,
				"Content-Type":            test.kind,
				"Cache-Control":           test.cacheability,
				"Vary":                    "Accept-Encoding",
				"Content-Security-Policy": policy, // the workers go by their own file's
			} {
				if got := asset.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got := content(t, asset); got != script {
				t.Errorf("the content is %q", got)
			}
		})
	}
}

func content(t *testing.T, asset *httptest.ResponseRecorder) string {
	t.Helper()
	var body io.Reader = asset.Body
	if asset.Header().Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = unpacked
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingElseIsServed(t *testing.T) {
	handlers := map[string]http.Handler{
		"built":    built(build(t), "/graphql"),
		"unbuilt":  unbuilt("/graphql"),
		"whatever": Handler("/graphql"),
	}
	paths := []string{
		"/index.html", "/graphql", "/playground/", "/playground/index.html", "/playground/none-12345678.js",
		"/playground/..%2findex.html", "/playground/a/b", "/playground/index-Ab1_-9xY.js.gz",
	}
	for name, handler := range handlers {
		for _, path := range paths {
			if answer := get(handler, path); answer.Code != http.StatusNotFound {
				t.Errorf("%s: GET %s: the status is %d", name, path, answer.Code)
			}
		}
		request := httptest.NewRequest(http.MethodPost, "/", nil)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: POST /: the status is %d", name, recorder.Code)
		}
	}
}

func TestDamagedAsset(t *testing.T) {
	asset := get(built(build(t), "/graphql"), "/playground/damaged-Ab1_-9xY.css")
	if asset.Code != http.StatusInternalServerError {
		t.Errorf("the status is %d", asset.Code)
	}
	if cache := asset.Header().Get("Cache-Control"); strings.Contains(cache, "immutable") {
		t.Errorf("the error may be kept: %s", cache)
	}
}

// gqlgen's page stands in, under the banner, until the page is built.
func TestUnbuilt(t *testing.T) {
	page := get(unbuilt("/graphql"), "/").Body.String()
	for _, want := range []string{"<title>Roster</title>", "make playground", `<div id="graphiql">`, "graphql"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// What npm built is complete, and the Go side reads it as it was meant.
func TestBuilt(t *testing.T) {
	if !Built() {
		t.Log("the page was not built")
		return
	}
	page := get(Handler("/elsewhere"), "/").Body.String()
	if !strings.Contains(page, `content="/elsewhere"`) {
		t.Errorf("the page does not take its endpoint:\n%s", page)
	}
	err := fs.WalkDir(dist, "dist/playground", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := strings.TrimSuffix(entry.Name(), ".gz")
		asset := get(Handler("/graphql"), "/playground/"+name, "Accept-Encoding", "gzip")
		if asset.Code != http.StatusOK || asset.Header().Get("Content-Type") == "" {
			t.Errorf("%s: the status is %d, the type %q", name, asset.Code, asset.Header().Get("Content-Type"))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
