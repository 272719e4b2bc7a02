package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/limit"
)

// The transports of subscriptions are our own (socket.go, events.go). gqlgen's leave a connection that says nothing open for ever, close
// with other codes than graphql-transport-ws asks for, and write to an answer that is over (events); here every goroutine has ended
// when a transport returns.

// streams is what the two transports share.
type streams struct {
	dir     *directory.Service
	issuers *auth.Verifier
	log     *slog.Logger
	timeout time.Duration // of a query or mutation
	present graphql.ErrorPresenterFunc
	budget  *limit.Budget
	admit   func(directory.Caller) (release func(), err error)
	closing <-chan struct{} // the server is ending
	origins []string

	initTime time.Duration // until a socket's connection_init
}

// streamed opens a stream of the directory for a subscription and hands out what comes. Why it ended is left in the context, because
// gqlgen has no place for it.
func streamed(ctx context.Context, open func(context.Context, directory.Caller, directory.StreamArgs, directory.Selection) (*directory.Stream, error),
	args directory.StreamArgs) (<-chan *directory.ChangeEdge, error) {
	sel, err := newPlanner(ctx).edge(ctx)
	if err != nil {
		return nil, err
	}
	end, ok := ctx.Value(endKey{}).(*ending)
	if !ok {
		return nil, &directory.Error{Code: directory.Invalid, Message: onlyStreamed}
	}
	st, err := auth.Do(ctx, func(by directory.Caller) (*directory.Stream, error) { return open(ctx, by, args, sel) })
	if err != nil {
		return nil, err
	}
	out := make(chan *directory.ChangeEdge)
	end.wait = make(chan struct{})
	go func() {
		defer close(end.wait)
		defer close(out)
		defer st.Close()
		end.err = caught(func() error { return pump(ctx, st, out) })
	}()
	return out, nil
}

const onlyStreamed = "A subscription is a stream: ask for it with Accept: text/event-stream, or over a WebSocket (graphql-transport-ws)."

// pump hands on what a stream gives until it ends.
func pump(ctx context.Context, st *directory.Stream, out chan<- *directory.ChangeEdge) error {
	for {
		edges, err := st.Next(ctx)
		for _, e := range edges {
			select {
			case out <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err != nil {
			return err
		}
	}
}

// ending is why a stream ended.
type ending struct {
	wait chan struct{} // closed when the stream is over; nil if none was opened
	err  error
}

type endKey struct{}

// edge plans what is selected of the edges of a subscription.
func (p *planner) edge(ctx context.Context) (directory.Selection, error) {
	var sel directory.Selection
	f := graphql.GetFieldContext(ctx).Field
	for _, e := range graphql.CollectFields(p.op, f.Selections, satisfied(f.Definition.Type.Name())) {
		if e.Name != "node" {
			continue
		}
		of, err := p.object(e.Definition.Type.Name(), e.Selections)
		if err == nil {
			err = merge(&sel, of)
		}
		if err != nil {
			return sel, err
		}
	}
	return sel, nil
}

// run runs one operation for a caller and hands each response to send. What it returns are the errors for want of which there is no
// response, or no more. A GET, which changes nothing, runs no mutations. It calls end, if there is one, when the server
// is ending before a subscription, which has no end of its own, and opened once a subscription has its place in the log: what is written after that comes.
func (s *streams) run(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams, get bool, end, opened func(), send func([]byte) error) gqlerror.List {
	op, errs := exec.CreateOperationContext(ctx, params)
	if errs != nil {
		return exec.DispatchError(graphql.WithOperationContext(ctx, op), errs).Errors
	}
	ctx, cancel := context.WithCancel(graphql.WithOperationContext(ctx, op))
	defer cancel()
	if get && op.Operation.Operation == ast.Mutation {
		return gqlerror.List{s.present(ctx, &directory.Error{Code: directory.Invalid, Message: noMutation})}
	}
	if op.Operation.Operation != ast.Subscription {
		return s.once(ctx, exec, op, send)
	}
	ctx = operating(ctx, op) // which also those hear of who count what is refused
	release, err := s.admit(auth.CallerOf(ctx))
	if err != nil {
		return gqlerror.List{s.present(ctx, err)}
	}
	defer release()
	if end != nil {
		defer s.withServer(end)()
	}
	over := &ending{}
	responses, ctx := exec.DispatchOperation(context.WithValue(ctx, endKey{}, over), op)
	if over.wait != nil {
		opened()
	}
	for {
		r := responses(ctx)
		if r == nil {
			break
		}
		if over.wait == nil { // it was not opened: there is this one response, with the reason
			return r.Errors
		}
		if send(encoded(r)) != nil {
			cancel()
		}
	}
	if over.wait != nil {
		<-over.wait
		s.closed(ctx, over.err)
	}
	if ctx.Err() != nil || over.err == nil { // who reads it went away
		return nil
	}
	return gqlerror.List{s.present(ctx, over.err)}
}

// withServer calls end when the server is ending, until it is stopped.
func (s *streams) withServer(end func()) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-s.closing:
			end()
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// once runs a query or a mutation.
func (s *streams) once(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext, send func([]byte) error) gqlerror.List {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	responses, ctx := exec.DispatchOperation(ctx, op)
	r := responses(ctx)
	switch {
	case r != nil:
		_ = send(encoded(r))
	case errors.Is(ctx.Err(), context.DeadlineExceeded): // gqlgen has no response to what ran out of time, nor to what was cancelled
		return gqlerror.List{s.present(ctx, ctx.Err())}
	}
	return nil
}

// caught has f's panic, if there is one, be an error: what runs beside the handler of a request is caught by nobody else.
func caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// encoded is a response as JSON. That of a stream is nearly always data alone, which is JSON already.
func encoded(r *graphql.Response) []byte {
	if len(r.Errors) == 0 && len(r.Extensions) == 0 && r.Data != nil {
		return append(append(append(make([]byte, 0, len(r.Data)+9), `{"data":`...), r.Data...), '}')
	}
	b, err := json.Marshal(r)
	if err != nil { // no response of ours holds what JSON cannot
		panic(err)
	}
	return b
}

// streaming reports whether a request is for one of the two transports, which have no deadline as a whole.
func streaming(r *http.Request) bool { return wantsSocket(r) || wantsEvents(r) }

// noStreams refuses a subscription that came by a transport of single answers, where it would hang until something happens.
func noStreams(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription && ctx.Value(endKey{}) == nil {
		return refusal(ctx, &directory.Error{Code: directory.Invalid, Message: onlyStreamed})
	}
	return next(ctx)
}
