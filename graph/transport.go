package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"roster/internal/auth"
	"roster/internal/directory"
)

// overHTTP is GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/): a POST with a JSON body, or a GET for queries. It
// is gqlgen's two transports in one, but that it writes an answer once, in one piece of known length, where gqlgen passes the
// finished data through encoding/json again; and that it never quotes a body that it cannot read.
type overHTTP struct{}

var _ graphql.Transport = overHTTP{}

// Media types of answers: the one that is named in the draft has other statuses for documents that cannot be executed.
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
)

// Supports is gqlgen's question; misfit has asked more of the request before.
func (overHTTP) Supports(r *http.Request) bool {
	return r.Header.Get("Upgrade") == "" && (r.Method == http.MethodPost || r.Method == http.MethodGet)
}

// Do answers a request.
func (overHTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	ctx, media := r.Context(), answerMedia(r)
	params := graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	switch err := readParams(r, &params); {
	case errors.Is(err, errValues):
		refuseWith(w, r, http.StatusRequestEntityTooLarge, tooManyValues)
		return
	case err != nil:
		send(w, http.StatusBadRequest, media, exec.DispatchError(ctx, gqlerror.List{gqlerror.Errorf("unreadable")}))
		return
	}
	params.ReadTime.End = graphql.Now()
	op, errs := exec.CreateOperationContext(ctx, &params)
	if errs != nil {
		status := http.StatusOK
		if errcode.GetErrorKind(errs) == errcode.KindProtocol {
			status = map[string]int{mediaJSON: http.StatusUnprocessableEntity, mediaResponse: http.StatusBadRequest}[media]
		}
		send(w, status, media, exec.DispatchError(graphql.WithOperationContext(ctx, op), errs))
		return
	}
	if r.Method == http.MethodGet && op.Operation.Operation != ast.Query {
		status, e := refused(http.StatusMethodNotAllowed, "", noMutation)
		refuseWith(w, r, status, e)
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	response := responses(ctx)
	if response == nil { // gqlgen's answer to a context that is done
		refuse(w, r, &directory.Error{Code: directory.Unavailable, Message: "The request ran out of time."})
		return
	}
	if err := auth.Refusal(ctx); err != nil { // the credential ended between authentication and the first statement
		refuse(w, r, err)
		return
	}
	busy(w.Header(), response.Errors)
	is := requestOf(ctx)
	send(w, cmp.Or(is.status, http.StatusOK), media, response)
	is.sent()
}

var tooManyValues = &directory.Error{Code: directory.LimitExceeded, Message: fmt.Sprintf("A request has at most %d values.", maxValues)}

// noMutation is what a GET hears that asks for one.
const noMutation = "Send mutations by POST: a GET changes nothing."

// bodies are buffers for what is written.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer that is kept for another request.
const maxPooled = 1 << 20

func putBody(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		bodies.Put(b)
	}
}

func readParams(r *http.Request, p *graphql.RawParams) error {
	e, err := envelopeOf(r)
	p.Query, p.OperationName, p.Variables, p.Extensions = e.query, e.operationName, e.variables, e.extensions
	requestOf(r.Context()).documentID = e.documentID
	return err
}

func envelopeOf(r *http.Request) (envelope, error) {
	if r.Method != http.MethodGet {
		return decodeEnvelope(r.Body)
	}
	q := r.URL.Query()
	e := envelope{query: q.Get("query"), operationName: q.Get("operationName"), documentID: cmp.Or(q.Get("documentId"), q.Get("id"))}
	for name, to := range map[string]*map[string]any{"variables": &e.variables, "extensions": &e.extensions} {
		if text := q.Get(name); text != "" {
			var err error
			if *to, err = decodeObject(strings.NewReader(text)); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// answerMedia is the media type that the client asked for.
func answerMedia(r *http.Request) string {
	if r.Header["Accept"] == nil {
		return mediaJSON
	}
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(accept))
		switch {
		case err != nil:
		case media == mediaResponse:
			return mediaResponse
		case media == mediaJSON:
			return mediaJSON
		}
	}
	return mediaJSON
}

// send writes an answer in one piece. Data is JSON already. What was written without success is not used again: of a stream of HTTP/2 that its
// client gives up, net/http may write on when it has said so.
func send(w http.ResponseWriter, status int, media string, response *graphql.Response) {
	b := bodies.Get().(*bytes.Buffer)
	if len(response.Errors) == 0 && len(response.Extensions) == 0 && response.HasNext == nil && len(response.Data) > 0 {
		b.WriteString(`{"data":`)
		b.Write(response.Data)
		b.WriteByte('}')
	} else if err := json.NewEncoder(b).Encode(response); err != nil {
		panic(fmt.Errorf("graph: an answer is no JSON: %w", err))
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err == nil {
		putBody(b)
	}
}
