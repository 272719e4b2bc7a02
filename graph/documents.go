package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"roster/internal/auth"
	"roster/internal/directory"
)

// Documents are the documents that the operator has named, by their ids and by their SHA-256 in hexadecimal. Nil are none.
type Documents map[string]string

// ReadDocuments reads a JSON object of documents by id, the manifest that Relay, gql.tada and others write. It checks each document
// against the schema and the limits, and says everything that is wrong.
func ReadDocuments(r io.Reader, l Limits) (Documents, []string) {
	var texts map[string]string
	if err := json.NewDecoder(r).Decode(&texts); err != nil {
		return nil, []string{"it is not a JSON object of documents by id"}
	}
	all, problems := Documents{}, []string(nil)
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		text := texts[id]
		for _, problem := range flaws(text, l) {
			problems = append(problems, fmt.Sprintf("document %q: %s", id, problem))
		}
		all[id], all[hashOf(text)] = text, text
	}
	if len(all) == 0 {
		problems = append(problems, "it names no document")
	}
	return all, problems
}

// flaws is what is wrong with a document, whatever its variables will be.
func flaws(text string, l Limits) []string {
	if len(text) > l.Document {
		return []string{fmt.Sprintf("it has %d bytes; a document has at most %d", len(text), l.Document)}
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		return []string{err.Error()}
	}
	if selectionsOf(doc) > l.Fields {
		return []string{tooManyFields(l)}
	}
	var out []string
	for _, err := range validator.ValidateWithRules(parsedSchema, doc, rules.NewDefaultRules()) {
		out = append(out, err.Error())
	}
	if out != nil {
		return out
	}
	for _, op := range doc.Operations {
		m := measure{Limits: l}
		if m.operation(op); m.refused != nil {
			out = append(out, m.refused.Message)
		}
	}
	return out
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// find is the document of an id; the ids of the GraphQL-over-HTTP draft say sha256: before a hash.
func (d Documents) find(id string) (text string, ok bool) {
	text, ok = d[strings.TrimPrefix(id, "sha256:")]
	return text, ok
}

// documents find the text of an operation that does not bring it: one of the operator's, or one that a client has sent before under its
// hash (https://github.com/apollographql/apollo-link-persisted-queries).
type documents struct {
	named Documents
	adHoc Audience // who may send documents that the operator has not named
	sent  graphql.Cache[string]

	kept   *plans // documents that were found valid
	limits Limits
}

func (*documents) ExtensionName() string                   { return "Documents" }
func (*documents) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters puts the text in its place, or refuses: LIMIT_EXCEEDED, INVALID, FORBIDDEN, NOT_FOUND for an id and
// PERSISTED_QUERY_NOT_FOUND for a hash.
func (d *documents) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	id, by := requestOf(ctx).documentID, auth.CallerOf(ctx)
	if id == "" {
		id = hashIn(p.Extensions)
	}
	text, named := d.named.find(id)
	switch {
	case len(p.Query) > d.limits.Document:
		return beyond("document", fmt.Sprintf("A document has at most %d bytes.", d.limits.Document))
	case named && p.Query != "" && p.Query != text:
		return coded(directory.Invalid, "The document of this id is another one.")
	case named:
		p.Query = text
		return nil
	case !d.adHoc.has(ctx):
		return coded(directory.Forbidden, "Only documents that the operator has named are taken here: send one's id as documentId.")
	case requestOf(ctx).documentID != "":
		return coded(directory.NotFound, "There is no document of this id.")
	case p.Query != "" && !by.Known():
		return d.crowded(ctx, p.Query) // nobody may fill the cache
	}
	err := (extension.AutomaticPersistedQuery{Cache: d.sent}).MutateOperationParameters(ctx, p)
	if err != nil && err.Extensions == nil {
		return coded(directory.Invalid, "The extension persistedQuery has version 1 and the SHA-256 of the query in hexadecimal.")
	}
	if err != nil {
		return err
	}
	return d.crowded(ctx, p.Query)
}

// crowded refuses a document that selects more, as it is written, than an operation may, before it is validated: that compares all
// fields of one name with each other, and is paid by nobody.
func (d *documents) crowded(ctx context.Context, text string) *gqlerror.Error {
	if len(text) <= 2*d.limits.Fields { // each takes two bytes
		return nil
	}
	if _, valid := d.kept.Get(ctx, text); valid {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil || selectionsOf(doc) <= d.limits.Fields {
		return nil //nolint:nilerr // gqlgen says what is wrong
	}
	return beyond("fields", tooManyFields(d.limits))
}

func tooManyFields(l Limits) string {
	return fmt.Sprintf("At most %d fields, fragments spread.", l.Fields)
}

// hashIn is the hash of the persistedQuery extension; "" if there is none of its form.
func hashIn(extensions map[string]any) string {
	q, _ := extensions["persistedQuery"].(map[string]any)
	hash, _ := q["sha256Hash"].(string)
	return hash
}

func coded(code directory.Code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// beyond is the error of a document that a limit refuses.
func beyond(limit, message string) *gqlerror.Error {
	e := coded(directory.LimitExceeded, message)
	e.Err = &directory.Error{Code: directory.LimitExceeded, Limit: limit, Message: message}
	return e
}
