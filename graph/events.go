package graph

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"roster/internal/directory"
)

// keepAlive is how often a stream says something though nothing happens, so that nothing between the two ends takes it for dead.
const keepAlive = 20 * time.Second

// events is the transport of server-sent events: one operation a request, in the "distinct connections" mode of the GraphQL over
// Server-Sent Events protocol (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).
type events struct{ *streams }

func wantsEvents(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if media, _, err := mime.ParseMediaType(accept); err == nil && media == "text/event-stream" {
			return true
		}
	}
	return false
}

// Supports reports whether the request asks for events.
func (events) Supports(r *http.Request) bool { return wantsEvents(r) }

// Do answers one.
func (t events) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	params := &graphql.RawParams{Headers: r.Header}
	if readParams(r, params) != nil {
		refuseWith(w, r, http.StatusBadRequest, &directory.Error{Code: directory.Invalid, Message: notGraphQL})
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // or nginx keeps events until there are many
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	begin := sync.OnceFunc(out.begin)
	stop := out.keepAlive()
	defer stop() // also if what runs panics
	errs := t.run(ctx, exec, params, r.Method == http.MethodGet, cancel, begin, func(b []byte) error {
		begin()
		return out.next(b)
	})
	stop()
	if ctx.Err() != nil { // nobody reads it, or it is a stream and the server is ending: one that breaks off is taken up again
		return
	}
	begin()
	if errs != nil {
		b, err := json.Marshal(map[string]any{"errors": errs, "data": nil})
		if err == nil {
			_ = out.next(b)
		}
	}
	_ = out.send("event: complete\ndata:\n\n")
}

// eventWriter writes events, one at a time.
type eventWriter struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	begun   atomic.Bool
}

// begin sends the head of the answer. Whoever has it misses nothing that is written from then on.
func (e *eventWriter) begin() {
	e.begun.Store(true)
	_ = e.send(":\n\n")
}

func (e *eventWriter) send(text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *eventWriter) next(response []byte) error {
	return e.send("event: next\ndata: " + string(response) + "\n\n")
}

// keepAlive sends comments until it is stopped; after that nothing is written any more.
func (e *eventWriter) keepAlive() (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(keepAlive)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if e.begun.Load() {
					_ = e.send(": still here\n\n")
				}
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		ended.Wait()
	})
}
