package graph

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/99designs/gqlgen/graphql"
)

// holding is a writer that has failed and is not done with what it was given, as HTTP/2's is of a stream that its client gave up.
type holding struct {
	http.ResponseWriter
	held []byte
}

func (h *holding) Write(b []byte) (int, error) {
	h.held = b
	return 0, errors.New("the stream is closed")
}

// TestFailedAnswersKeepTheirBytes: what a writer may still be at is no place for another caller's answer.
func TestFailedAnswersKeepTheirBytes(t *testing.T) {
	t.Parallel()
	for range 100 { // a pool forgets now and then what it was given
		h := &holding{ResponseWriter: httptest.NewRecorder()}
		send(h, http.StatusOK, mediaJSON, &graphql.Response{Data: []byte(`"one"`)})
		send(httptest.NewRecorder(), http.StatusOK, mediaJSON, &graphql.Response{Data: []byte(`"another"`)})
		if !bytes.Equal(h.held, []byte(`{"data":"one"}`)) {
			t.Fatalf("it holds %s", h.held)
		}
	}
}
