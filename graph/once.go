package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"roster/internal/directory"
)

// written runs a method of the directory that writes, as planned does, and once if the request came with an Idempotency-Key. Each root
// field is a write of its own and is known by its place in the answer. What is kept of it is the answer as the renderer writes it.
func written[In any](ctx context.Context, ps *plans, call func(context.Context, directory.Caller, In, directory.Selection) (*directory.Payload, error), in In) (*directory.Payload, error) {
	once, err := ps.once(ctx)
	if err != nil {
		return nil, err
	}
	return planned(ctx, ps, func(ctx context.Context, by directory.Caller, in In, sel directory.Selection) (*directory.Payload, error) {
		by.Once = once
		return call(ctx, by, in, sel)
	}, in)
}

// once says of the root field being resolved that it is to be done once; nil without a key. The request is the document and its
// variables, however they were sent: the document may have been left away, and its hash sent instead.
func (ps *plans) once(ctx context.Context) (*directory.Once, error) {
	key := requestOf(ctx).key
	if key == "" {
		return nil, nil
	}
	op, f := graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field
	variables, err := json.Marshal(op.Variables)
	if err != nil {
		return nil, err
	}
	return &directory.Once{
		Key: key, Of: [][]byte{[]byte(op.RawQuery), []byte(op.Operation.Name), variables}, Place: f.Alias,
		Answer: func(p *directory.Payload) ([]byte, error) { return ps.bytes(ctx, f, p) },
	}, nil
}

// bytes are a root field's answer. There are none where what it speaks of went away while it was read.
func (ps *plans) bytes(ctx context.Context, f graphql.CollectedField, p *directory.Payload) ([]byte, error) {
	if part, ok := ps.writer(ctx, f); ok {
		if b, ok := part.write(nil, p); ok {
			return b, nil
		}
	}
	return nil, &directory.Error{Code: directory.Unavailable, Message: "Something that the answer would speak of went away meanwhile. Nothing was done: try again."}
}
