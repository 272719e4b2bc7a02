package legacy_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"roster/internal/legacy"
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
	for name, write := range map[string]func(w http.ResponseWriter){
		"one piece": func(w http.ResponseWriter) {
			if err := legacy.WriteJSON(w, http.StatusOK, "application/json", []string{"one"}); err != nil {
				t.Error(err)
			}
		},
		"a stream": func(w http.ResponseWriter) {
			s := legacy.NewStream(w, "application/json")
			if err := errors.Join(s.Add("one"), s.Close()); err == nil {
				t.Error("nobody says that the client has gone")
			}
		},
	} {
		for range 100 { // a pool forgets now and then what it was given
			h := &holding{ResponseWriter: httptest.NewRecorder()}
			write(h)
			if err := legacy.WriteJSON(httptest.NewRecorder(), http.StatusOK, "application/json", []string{"another"}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(h.held, []byte(`["one"]`)) {
				t.Errorf("%s: it holds %s", name, h.held)
				break
			}
		}
	}
}
