package graph

import (
	"context"
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"roster/internal/auth"
	"roster/internal/directory"
)

// The planner turns what a request selects below a root field into a directory.Selection, through edges, nodes, fragments,
// aliases, @skip and @include. The directory reads the whole tree at once; the resolvers below the root hand out what it
// found (linked), by the alias that the plan carries as the link's key.

// planned runs a method of the directory with the caller and with what is selected of its answer.
func planned[In, Out any](ctx context.Context, ps *plans, call func(context.Context, directory.Caller, In, directory.Selection) (Out, error), in In) (Out, error) {
	sel, err := kept(ctx, ps, func(p *planner, f graphql.CollectedField) (directory.Selection, error) {
		return p.object(f.Definition.Type.Name(), f.Selections)
	})
	if err != nil {
		var none Out
		return none, err
	}
	return auth.Do(ctx, func(by directory.Caller) (Out, error) { return call(ctx, by, in, sel) })
}

// listed runs a method of the directory that answers a page of a list.
func listed[Out any](ctx context.Context, ps *plans, call func(context.Context, directory.Caller, directory.Page, directory.Selection) (Out, error),
	args directory.PageArgs, filter, order any) (Out, error) {
	plan, err := kept(ctx, ps, func(p *planner, f graphql.CollectedField) (listPlan, error) {
		var page directory.Page
		sel, err := p.connection(&page, f.Definition.Type.Name(), f.Selections)
		return listPlan{page.Rows, page.Total, page.Cursors, page.NoEnds, sel}, err
	})
	if err != nil {
		var none Out
		return none, err
	}
	page := directory.Page{PageArgs: args, Filter: filter, Order: order, Rows: plan.rows, Total: plan.total, Cursors: plan.cursors, NoEnds: plan.noEnds}
	return auth.Do(ctx, func(by directory.Caller) (Out, error) { return call(ctx, by, page, plan.nodes) })
}

// found runs a method of the directory that finds objects of any type, with what is selected of each type.
func found[In, Out any](ctx context.Context, ps *plans, call func(context.Context, directory.Caller, In, map[string]directory.Selection) (Out, error), in In) (Out, error) {
	sels, err := kept(ctx, ps, func(p *planner, f graphql.CollectedField) (map[string]directory.Selection, error) {
		return p.possible(f.Definition.Type.Name(), f.Selections)
	})
	if err != nil {
		var none Out
		return none, err
	}
	return auth.Do(ctx, func(by directory.Caller) (Out, error) { return call(ctx, by, in, sels) })
}

// linked hands out what the plan read for the field being resolved.
func linked[T any](ctx context.Context, o directory.Object) (T, error) {
	return directory.Linked[T](o, graphql.GetFieldContext(ctx).Field.Alias)
}

type planner struct {
	ctx context.Context
	op  *graphql.OperationContext
	ec  *executionContext
}

func newPlanner(ctx context.Context) *planner {
	op := graphql.GetOperationContext(ctx)
	return &planner{ctx: ctx, op: op, ec: newExecutionContext(op, &executableSchema{}, nil)}
}

// values are the object types that are part of their parent's own fields: there is nothing to read for them.
var values = map[string]bool{"Tag": true, "Requirement": true, "Parameter": true, "GroupAbilities": true}

// object plans the fields selected of an object type.
func (p *planner) object(typ string, set ast.SelectionSet) (directory.Selection, error) {
	var sel directory.Selection
	for _, f := range graphql.CollectFields(p.op, set, satisfied(typ)) {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		name := f.Definition.Type.Name()
		def := parsedSchema.Types[name]
		if def.IsLeafType() || values[name] {
			sel.Fields = append(sel.Fields, f.Name)
			continue
		}
		l, err := p.link(typ, f, def)
		if err != nil {
			return sel, err
		}
		sel.Links = append(sel.Links, l)
	}
	return sel, nil
}

// link plans a field that leads to other objects.
func (p *planner) link(typ string, f graphql.CollectedField, def *ast.Definition) (directory.Link, error) {
	l := directory.Link{Key: f.Alias, Field: f.Name}
	var err error
	switch {
	case strings.HasSuffix(def.Name, "Connection"):
		if l.Page, err = p.page(typ, f); err == nil {
			l.Select, err = p.connection(l.Page, def.Name, f.Selections)
		}
	case def.IsAbstractType():
		l.ByType, err = p.possible(def.Name, f.Selections)
	default:
		l.Select, err = p.object(def.Name, f.Selections)
	}
	return l, err
}

// arguments are gqlgen's decoders for the arguments of the lists below a root.
var arguments = map[string]func(*executionContext, context.Context, map[string]any) (map[string]any, error){
	"Group.members":      (*executionContext).field_Group_members_args,
	"Group.admins":       (*executionContext).field_Group_admins_args,
	"Group.tokens":       (*executionContext).field_Group_tokens_args,
	"Group.actions":      (*executionContext).field_Group_actions_args,
	"Group.workerModels": (*executionContext).field_Group_workerModels_args,
	"Group.changes":      (*executionContext).field_Group_changes_args,
	"User.groups":        (*executionContext).field_User_groups_args,
	"Viewer.groups":      (*executionContext).field_Viewer_groups_args,
	"Webhook.deliveries": (*executionContext).field_Webhook_deliveries_args,
}

func (p *planner) page(typ string, f graphql.CollectedField) (*directory.Page, error) {
	args, err := arguments[typ+"."+f.Name](p.ec, p.ctx, f.ArgumentMap(p.op.Variables))
	if err != nil {
		return nil, err
	}
	page := &directory.Page{Filter: args["filter"], Order: args["orderBy"]}
	page.First, _ = args["first"].(*int)
	page.Last, _ = args["last"].(*int)
	page.After, _ = args["after"].(*string)
	page.Before, _ = args["before"].(*string)
	return page, nil
}

// connection plans a page: what of it is wanted, and of each of its nodes.
func (p *planner) connection(page *directory.Page, typ string, set ast.SelectionSet) (directory.Selection, error) {
	var sel directory.Selection
	node := func(f graphql.CollectedField) error {
		of, err := p.object(f.Definition.Type.Name(), f.Selections)
		if err == nil {
			err = merge(&sel, of)
		}
		return err
	}
	page.NoEnds = true
	for _, f := range graphql.CollectFields(p.op, set, satisfied(typ)) {
		switch f.Name {
		case "totalCount":
			page.Total = true
		case "pageInfo":
			page.Rows, page.NoEnds = true, false
		case "nodes":
			page.Rows = true
			if err := node(f); err != nil {
				return sel, err
			}
		case "edges":
			page.Rows = true
			for _, e := range graphql.CollectFields(p.op, f.Selections, satisfied(f.Definition.Type.Name())) {
				if e.Name == "cursor" {
					page.Cursors = true
				}
				if e.Name != "node" {
					continue
				}
				if err := node(e); err != nil {
					return sel, err
				}
			}
		}
	}
	return sel, nil
}

// possible plans a field of an interface or union for each type that it may lead to.
func (p *planner) possible(typ string, set ast.SelectionSet) (map[string]directory.Selection, error) {
	sels := map[string]directory.Selection{}
	for _, def := range parsedSchema.PossibleTypes[typ] {
		sel, err := p.object(def.Name, set)
		if err != nil {
			return nil, err
		}
		sels[def.Name] = sel
	}
	return sels, nil
}

// merge adds what is wanted of the same nodes under another field of the page (edges beside nodes, or either under an alias).
func merge(into *directory.Selection, more directory.Selection) error {
	into.Fields = append(into.Fields, more.Fields...)
next:
	for _, l := range more.Links {
		for i := range into.Links {
			if have := &into.Links[i]; have.Key == l.Key {
				if err := mergeLink(have, l); err != nil {
					return err
				}
				continue next
			}
		}
		into.Links = append(into.Links, l)
	}
	return nil
}

func mergeLink(have *directory.Link, l directory.Link) error {
	if have.Field != l.Field || (have.Page == nil) != (l.Page == nil) || have.Page != nil && !sameList(*have.Page, *l.Page) {
		return &directory.Error{Code: directory.Invalid, Field: l.Key,
			Message: "The same nodes are selected twice (edges, nodes or an alias of them), with " + l.Key + " standing for two different things: give one of them another alias."}
	}
	if have.Page != nil {
		have.Page.Rows = have.Page.Rows || l.Page.Rows
		have.Page.Total = have.Page.Total || l.Page.Total
		have.Page.Cursors = have.Page.Cursors || l.Page.Cursors
		have.Page.NoEnds = have.Page.NoEnds && l.Page.NoEnds
	}
	for typ, sel := range l.ByType {
		of := have.ByType[typ]
		if err := merge(&of, sel); err != nil {
			return err
		}
		have.ByType[typ] = of
	}
	return merge(&have.Select, l.Select)
}

func sameList(a, b directory.Page) bool {
	for _, p := range []*directory.Page{&a, &b} {
		p.Rows, p.Total, p.Cursors, p.NoEnds = false, false, false, false
	}
	return reflect.DeepEqual(a, b)
}

// satisfied are the type conditions that hold for an object type: its own name, its interfaces and its unions.
func satisfied(typ string) []string {
	names := []string{typ}
	for _, def := range parsedSchema.Implements[typ] {
		names = append(names, def.Name)
	}
	return names
}
