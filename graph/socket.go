package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"roster/internal/auth"
	"roster/internal/directory"
)

// sockets is the transport of the graphql-transport-ws protocol
// (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md): many operations over one connection.
type sockets struct{ *streams }

// The bounds of a socket.
const (
	subprotocol    = "graphql-transport-ws"
	silence        = 2*keepAlive + 10*time.Second
	socketWrite    = 30 * time.Second // for one message to be taken
	maxMessage     = 1 << 20
	maxOnOneSocket = 100 // operations at once
)

// The codes that the protocol closes with.
const (
	closeInvalid     websocket.StatusCode = 4400
	closeUnknown     websocket.StatusCode = 4401 // Unauthorized
	closeSubprotocol websocket.StatusCode = 4406
	closeInitTimeout websocket.StatusCode = 4408
	closeDuplicate   websocket.StatusCode = 4409
	closeInitTwice   websocket.StatusCode = 4429
)

func wantsSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Supports reports whether the request is for a WebSocket.
func (sockets) Supports(r *http.Request) bool { return wantsSocket(r) }

// Do serves a connection until it ends, and all that runs on it has.
func (t sockets) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, OriginPatterns: t.origins})
	if err != nil {
		return // it has answered
	}
	conn.SetReadLimit(maxMessage)
	secret, _ := auth.Bearer(r) // authenticated has seen to it that it is none, or good
	ctx, cancel := context.WithCancel(auth.OnDatabase(r.Context()))
	s := &socket{streams: t.streams, conn: conn, exec: exec, header: r.Header, secret: secret, whole: r.Context(), cancel: cancel, active: map[string]*underway{}}
	s.running.Go(func() { s.watch(ctx) })
	err = s.serve(ctx)
	cancel()
	s.running.Wait()
	var c closure
	if errors.As(err, &c) {
		_ = conn.Close(c.code, c.reason)
		return
	}
	_ = conn.CloseNow()
}

// closure is the end of a connection that we bring about.
type closure struct {
	code   websocket.StatusCode
	reason string
}

func (c closure) Error() string { return c.reason }

// socket is one connection.
type socket struct {
	*streams
	conn    *websocket.Conn
	exec    graphql.GraphExecutor
	header  http.Header
	secret  string // of the caller
	running sync.WaitGroup
	whole   context.Context // for reads and writes: the library cuts the connection when that of one of them ends
	cancel  func()          // ends all operations

	mu     sync.Mutex
	active map[string]*underway // by the client's id
	open   int                  // operations that have not ended, those that the client has completed among them
}

// underway is an operation.
type underway struct {
	id     string
	cancel context.CancelFunc
}

// message is one message of the protocol.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// serve reads messages until the connection ends.
func (s *socket) serve(ctx context.Context) error {
	if s.conn.Subprotocol() != subprotocol {
		return closure{closeSubprotocol, "Subprotocol not acceptable"}
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	quiet := time.AfterFunc(silence, func() { _ = s.conn.CloseNow() })
	defer quiet.Stop()
	for {
		m, err := s.read()
		if err == nil {
			quiet.Reset(silence)
			err = s.handle(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// shut ends the connection from beside the reading of it.
func (s *socket) shut(code websocket.StatusCode, reason string) {
	s.cancel()
	_ = s.conn.Close(code, reason)
}

// watch pings, since clients that live answer, and ends the connection with the server.
func (s *socket) watch(ctx context.Context) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.closing:
			s.shut(websocket.StatusGoingAway, "The server is ending")
			return
		case <-tick.C:
			_ = s.write([]byte(`{"type":"ping"}`)) //nolint:contextcheck // a frame has a time limit of its own
		}
	}
}

// begin waits for connection_init and finds the caller: by the header of the request, or by the payload, since browsers send none.
func (s *socket) begin(ctx context.Context) error {
	late := time.AfterFunc(s.initTime, func() { s.shut(closeInitTimeout, "Connection initialisation timeout") })
	m, err := s.read()
	late.Stop()
	switch {
	case err != nil:
		return err
	case m.Type == "subscribe":
		return closure{closeUnknown, "Unauthorized"}
	case m.Type != "connection_init":
		return closure{closeInvalid, "connection_init comes first"}
	}
	secret, ok := secretOf(m.Payload)
	if !ok {
		return closure{closeInvalid, `The payload of connection_init is {"Authorization": "Bearer …"}`}
	}
	if secret != "" {
		s.secret = secret
	}
	if _, err := s.identify(ctx); err != nil {
		if directory.CodeOf(err) == directory.Unauthenticated {
			return closure{closeUnknown, "Unauthorized"}
		}
		return closure{websocket.StatusTryAgainLater, "Try again later"}
	}
	return s.write([]byte(`{"type":"connection_ack"}`)) //nolint:contextcheck // a frame has a time limit of its own
}

// identify finds the caller, for each operation anew: a connection may be older than what has become of its token.
func (s *socket) identify(ctx context.Context) (context.Context, error) {
	by, err := auth.Identify(ctx, s.dir, s.issuers, s.secret, directory.DoorGraphQL)
	if err == nil && !by.Known() {
		err = &directory.Error{Code: directory.Unauthenticated, Message: "Send a token with connection_init."}
	}
	return auth.WithCaller(ctx, s.dir, s.issuers, s.secret, by), err
}

// secretOf is the token in the payload of connection_init: authorization, as in HTTP, or else token; "" if there is neither.
func secretOf(payload json.RawMessage) (string, bool) {
	if len(payload) == 0 {
		return "", true
	}
	var p map[string]any
	if json.Unmarshal(payload, &p) != nil {
		return "", false
	}
	given := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p)) { // of two spellings the last, always
		given[strings.ToLower(name)], _ = p[name].(string)
	}
	if text, ok := given["authorization"]; ok {
		return auth.BearerOf(text)
	}
	text, ok := given["token"]
	return text, !ok || text != ""
}

func (s *socket) read() (message, error) {
	var m message
	typ, b, err := s.conn.Read(s.whole)
	if err != nil {
		return m, err
	}
	if typ != websocket.MessageText || json.Unmarshal(b, &m) != nil || m.Type == "" {
		return m, closure{closeInvalid, "Invalid message"}
	}
	return m, nil
}

// write writes a message. A client that does not take it for long loses the connection.
func (s *socket) write(b []byte) error {
	ctx, cancel := context.WithTimeout(s.whole, socketWrite)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, b)
}

func (s *socket) handle(ctx context.Context, m message) error {
	switch m.Type {
	case "ping":
		return s.write([]byte(`{"type":"pong"}`)) //nolint:contextcheck // a frame has a time limit of its own
	case "pong":
		return nil
	case "subscribe":
		return s.subscribe(ctx, m)
	case "complete":
		s.mu.Lock()
		defer s.mu.Unlock()
		if op := s.active[m.ID]; op != nil {
			op.cancel()
			delete(s.active, m.ID) // the client may use the id again
		}
		return nil
	case "connection_init":
		return closure{closeInitTwice, "Too many initialisation requests"}
	}
	return closure{closeInvalid, "Invalid message type"}
}

// subscribe begins an operation.
func (s *socket) subscribe(ctx context.Context, m message) error {
	e, err := decodeEnvelope(bytes.NewReader(m.Payload))
	if m.ID == "" || err != nil {
		return closure{closeInvalid, "Invalid message"}
	}
	params := &graphql.RawParams{Query: e.query, OperationName: e.operationName, Variables: e.variables, Extensions: e.extensions, Headers: s.header}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active[m.ID] != nil {
		return closure{closeDuplicate, "Subscriber for " + shortened(m.ID) + " already exists"}
	}
	if s.open >= maxOnOneSocket {
		return s.fail(m.ID, gqlerror.List{s.present(ctx, &directory.Error{Code: directory.TooManyRequests, Limit: "socket", Message: "Too many operations at once on one connection."})}) //nolint:contextcheck // a frame has a time limit of its own
	}
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(ctx))
	op := &underway{m.ID, cancel}
	s.active[m.ID] = op
	s.open++
	s.running.Go(func() {
		defer cancel()
		err := caught(func() error {
			s.part(ctx, func(ctx context.Context) { s.operate(ctx, op, params) })
			return nil
		})
		if err != nil {
			_ = s.present(ctx, err) // which logs it
			s.shut(websocket.StatusInternalError, "Something went wrong on our side")
		}
	})
	return nil
}

// shortened keeps to what a close frame can hold.
func shortened(id string) string {
	if len(id) > 64 {
		return id[:64]
	}
	return id
}

// operate runs an operation and says how it ended.
func (s *socket) operate(ctx context.Context, op *underway, params *graphql.RawParams) {
	key, _ := json.Marshal(op.id) // a string can always be
	head := `{"id":` + string(key) + `,"type":`
	errs := s.identified(ctx, params, func(response []byte) error {
		if err := ctx.Err(); err != nil { // the id may be another operation's by now
			return err
		}
		b := make([]byte, 0, len(head)+len(response)+24)
		b = append(append(append(append(b, head...), `"next","payload":`...), response...), '}')
		return s.write(b) //nolint:contextcheck // a frame has a time limit of its own
	})
	switch {
	case !s.ended(ctx, op): // the client has completed it, and hears no more of it
	case errs != nil:
		_ = s.fail(op.id, errs) //nolint:contextcheck // a frame has a time limit of its own
		if unauthenticated(errs) {
			s.shut(closeUnknown, "Unauthorized")
		}
	default:
		_ = s.write([]byte(head + `"complete"}`)) //nolint:contextcheck // a frame has a time limit of its own
	}
}

// ended takes an operation that has run from those that do, and says whether the client still waits for its end.
func (s *socket) ended(ctx context.Context, op *underway) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	own := s.active[op.id] == op
	if own {
		delete(s.active, op.id)
	}
	return own && ctx.Err() == nil
}

// identified runs an operation for the caller. A point is for its message, whatever becomes of it, as it is for a request's.
func (s *socket) identified(ctx context.Context, params *graphql.RawParams, send func([]byte) error) gqlerror.List {
	ctx, err := s.identify(ctx)
	if err != nil {
		return gqlerror.List{s.present(ctx, err)}
	}
	if state, paid := s.budget.Spend(auth.CallerOf(ctx), 1); !paid {
		return gqlerror.List{s.present(ctx, state.Refusal())}
	}
	return s.run(ctx, s.exec, params, false, nil, func() {}, send) // watch ends it
}

func (s *socket) fail(id string, errs gqlerror.List) error {
	payload, err := json.Marshal(errs)
	if err != nil {
		return err
	}
	b, err := json.Marshal(message{ID: id, Type: "error", Payload: payload})
	if err != nil {
		return err
	}
	return s.write(b)
}

// unauthenticated reports whether it was the caller's token that ended.
func unauthenticated(errs gqlerror.List) bool {
	for _, e := range errs {
		if e.Extensions["code"] == directory.Unauthenticated {
			return true
		}
	}
	return false
}
