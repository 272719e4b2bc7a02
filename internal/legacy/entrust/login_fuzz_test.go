package entrust_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/internal/legacy"
	"roster/internal/legacy/entrust"
	"roster/internal/rostertest"
)

// FuzzLogIn: whatever is sent to log in with is refused, and leaves no session.
func FuzzLogIn(f *testing.F) {
	dir := rostertest.Directory(f)
	served := legacy.Serve([]*legacy.Mounted{legacy.Mount(entrust.New(dir), legacy.Setting{}, legacy.Deps{Directory: dir, Log: slog.New(slog.DiscardHandler)})},
		http.NotFoundHandler())
	f.Add(`{"applicationId":"tok_01h455vb4pex5vsknk084sn02q","sharedSecret":"rst_Th1sIs0nlyAnExampleOfASecret001yUQo7"}`)
	f.Add(`{"applicationId":"` + strings.Repeat("x", 5000) + `","sharedSecret":"` + rostertest.AdminSecret + `"}`)
	f.Add(`{"applicationId":1,"sharedSecret":[]}`)
	f.Add("null")
	f.Add("{\"applicationId\":\"\x00\"")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/web/v1/adminapi/authenticate", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, r)
		if answer.Code < 400 || answer.Code >= 500 {
			t.Errorf("%d to %q: %s", answer.Code, body, answer.Body)
		}
	})
}
