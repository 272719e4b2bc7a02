package legacy

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"

	"roster/internal/auth"
	"roster/internal/directory"
)

// Write runs a call of the directory that writes, and answers what encode makes of it. If the request came with an Idempotency-Key,
// encode runs before the commit: its answer, to the byte, is kept with what was written, and sent again to whoever repeats the request.
func Write[In any](w http.ResponseWriter, r *Request, call func(context.Context, directory.Caller, In, directory.Selection) (*directory.Payload, error),
	in In, sel directory.Selection, encode func(http.ResponseWriter, *Request, *directory.Payload) error) error {
	if r.key == "" {
		p, err := call(r.Context(), r.By, in, sel)
		if err != nil {
			return err
		}
		return encode(w, r, p)
	}
	by := r.By
	by.Once = &directory.Once{Key: r.key, Of: r.identity(), Answer: func(p *directory.Payload) ([]byte, error) {
		h := &held{header: w.Header().Clone()}
		if err := encode(h, r, p); err != nil {
			return nil, err
		}
		return json.Marshal(h.answer(w.Header()))
	}}
	p, err := call(r.Context(), by, in, sel)
	if err != nil {
		return err
	}
	return resend(w, p.Answer)
}

// keyed reads the request's Idempotency-Key. What only reads has no use for one.
func (r *Request) keyed() (err error) {
	if r.Method != http.MethodGet {
		r.key, err = auth.IdempotencyKey(r.Header)
	}
	return err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// identity is what makes a request this one and no other. The boundary of a form's parts is left out, since clients make a new one
// for every try.
func (r *Request) identity() [][]byte {
	media, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body := r.body
	if boundary := params["boundary"]; boundary != "" {
		body = bytes.ReplaceAll(body, []byte(boundary), nil)
	}
	return [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), []byte(media), body}
}

// held is an answer that is not sent yet.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *held) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// Flush is for those who write as they read: it all goes out at once.
func (h *held) Flush() {}

// answer is an answer as it is kept.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"` // but for what every answer of the door has
	Body   []byte      `json:"body"`
}

func (h *held) answer(before http.Header) answer {
	set := maps.Clone(h.header)
	maps.DeleteFunc(set, func(k string, v []string) bool { return slices.Equal(v, before[k]) })
	return answer{max(h.status, http.StatusOK), set, h.body.Bytes()}
}

// resend sends an answer that was kept.
func resend(w http.ResponseWriter, kept []byte) error {
	var a answer
	if err := json.Unmarshal(kept, &a); err != nil {
		return err
	}
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 {
		_, _ = w.Write(a.Body) // the client is gone; there is nobody to tell
	}
	return nil
}
