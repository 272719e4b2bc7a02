package directory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"roster/db"
)

// actionImage and workerModelImage tell in a GROUP_UPDATED change what was put or deleted; settings stay out, they may be secret.
type actionImage struct {
	Action string `json:"action"`
	Type   string `json:"type"`
}

type workerModelImage struct {
	WorkerModel string `json:"workerModel"`
	Type        string `json:"type"`
}

// PutAction makes the action of that name in a group, or replaces it. BUILTIN and PLUGIN actions are in no group.
// Codes: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) PutAction(ctx context.Context, by Caller, in PutActionInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in PutActionInput) check(Caller) error {
	_, err := in.action()
	return err
}

// action checks the input and makes the row.
func (in PutActionInput) action() (db.Action, error) {
	a := db.Action{ID: newID(), Name: in.Name, Type: string(in.Type), Description: deref(in.Description), Enabled: or(in.Enabled, true), Deprecated: deref(in.Deprecated)}
	if a.Type == "" {
		a.Type = string(ActionTypeDefault)
	}
	var rerr, perr, gerr error
	a.Requirements, rerr = validRequirements("input.requirements", in.Requirements)
	a.Parameters, perr = validParameters("input.parameters", in.Parameters)
	if (a.Type == string(ActionTypeDefault)) != (in.Group != nil) {
		gerr = invalid("input.group", "A DEFAULT action is in a group; BUILTIN and PLUGIN actions are in none.")
	}
	return a, firstOf(validName("input.name", a.Name), validText("input.description", a.Description, maxDescription), rerr, perr, gerr)
}

func (in PutActionInput) run(w *write) error {
	a, err := in.action()
	if err != nil {
		return err
	}
	g, err := w.actionGroup(in.Group, nil)
	if err != nil {
		return err
	}
	if g != nil {
		a.GroupID = &g.ID
	}
	w.out.Created, err = w.store.PutAction(w.ctx, &a)
	w.out.action = &a.ID
	if err != nil {
		return err
	}
	return w.settingsChanged(g, nil, actionImage{a.Name, a.Type})
}

// actionGroup locks the group of an action, or authorises for the actions of none.
func (w *write) actionGroup(ref *GroupRef, id *uuid.UUID) (*db.Group, error) {
	if id != nil {
		r := GroupByUUID(*id)
		ref = &r
	}
	if ref == nil {
		return nil, may(w.by, OperationActionsEdit)
	}
	g, err := w.lockGroup(*ref, OperationActionsEdit, nil)
	w.out.group = nil
	return g, err
}

// settingsChanged makes a new version of the group whose action or worker model changed, if it is a group's, and logs it.
func (w *write) settingsChanged(g *db.Group, before, after any) error {
	if g != nil {
		w.touch(g.ID, 0, 0)
	}
	return w.change(ChangeKindGroupUpdated, g, nil, before, after)
}

// DeleteAction deletes an action. Codes: NOT_FOUND, FORBIDDEN.
func (s *Service) DeleteAction(ctx context.Context, by Caller, in DeleteActionInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in DeleteActionInput) check(Caller) error { return nil }

func (in DeleteActionInput) run(w *write) error {
	a, err := lookUp[Action](w, actionPrefix, in.ID)
	if err != nil {
		return err
	}
	g, err := w.actionGroup(nil, a.groupID)
	if err != nil {
		return err
	}
	w.out.DeletedID = &in.ID
	if deleted, err := w.store.DeleteAction(w.ctx, a.UUID); err != nil || !deleted {
		return firstOf(err, noSuchID)
	}
	return w.settingsChanged(g, actionImage{a.Name, string(a.Type)}, nil)
}

// PutWorkerModel makes the worker model of that name in a group, or replaces it.
// Codes: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED.
func (s *Service) PutWorkerModel(ctx context.Context, by Caller, in PutWorkerModelInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in PutWorkerModelInput) check(Caller) error {
	_, err := in.workerModel()
	return err
}

// workerModel checks the input and makes the row.
func (in PutWorkerModelInput) workerModel() (db.WorkerModel, error) {
	m := db.WorkerModel{
		ID: newID(), Name: in.Name, Description: deref(in.Description), Type: string(in.Type), Disabled: deref(in.Disabled),
		Restricted: deref(in.Restricted), Deprecated: deref(in.Deprecated), Image: deref(in.Image), Docker: in.Docker,
		VirtualMachine: in.VirtualMachine,
	}
	var err error
	m.RegisteredCapabilities, err = validRequirements("input.registeredCapabilities", in.RegisteredCapabilities)
	return m, firstOf(err, validName("input.name", m.Name), validText("input.description", m.Description, maxDescription),
		validText("input.image", m.Image, maxDescription), validSettings("input.docker", in.Docker),
		validSettings("input.virtualMachine", in.VirtualMachine))
}

func (in PutWorkerModelInput) run(w *write) error {
	m, err := in.workerModel()
	if err != nil {
		return err
	}
	g, err := w.lockGroup(in.Group, OperationActionsEdit, nil)
	if err != nil {
		return err
	}
	m.GroupID, m.CreatedBy = g.ID, w.by.id()
	if err := w.keepPasswords(&m); err != nil {
		return err
	}
	w.out.Created, err = w.store.PutWorkerModel(w.ctx, &m)
	w.out.workerModel, w.out.group = &m.ID, nil
	if err != nil {
		return err
	}
	return w.settingsChanged(g, nil, workerModelImage{m.Name, m.Type})
}

// maxSettings bounds the JSON of a worker model, in bytes.
const maxSettings = 64 << 10

// validSettings checks that settings are one JSON object, or none.
func validSettings(field string, settings json.RawMessage) error {
	if settings == nil {
		return nil
	}
	var m map[string]any
	if len(settings) > maxSettings {
		return exceeded(field, "At most %d bytes.", maxSettings)
	}
	if err := json.Unmarshal(settings, &m); err != nil || m == nil {
		return invalid(field, "It is a JSON object.")
	}
	if holdsNUL(m) {
		return invalid(field, "Text may not hold NUL.")
	}
	return nil
}

// holdsNUL reports whether a JSON value has text that Postgres cannot hold.
func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for k, of := range v {
			if holdsNUL(k) || holdsNUL(of) {
				return true
			}
		}
	}
	return false
}

// DeleteWorkerModel deletes a worker model. Codes: NOT_FOUND, FORBIDDEN.
func (s *Service) DeleteWorkerModel(ctx context.Context, by Caller, in DeleteWorkerModelInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in DeleteWorkerModelInput) check(Caller) error { return nil }

func (in DeleteWorkerModelInput) run(w *write) error {
	m, err := lookUp[WorkerModel](w, workerModelPrefix, in.ID)
	if err != nil {
		return err
	}
	g, err := w.actionGroup(nil, &m.groupID)
	if err != nil {
		return err
	}
	w.out.DeletedID = &in.ID
	if deleted, err := w.store.DeleteWorkerModel(w.ctx, m.UUID); err != nil || !deleted {
		return firstOf(err, noSuchID)
	}
	return w.settingsChanged(g, workerModelImage{m.Name, string(m.Type)}, nil)
}

var noSuchID = notFound("input.id", "There is none of this id, or none that you may see.")

// lookUp finds the action or worker model that an id names, if the caller sees it, with its name, type and group.
func lookUp[O any](w *write, prefix, id string) (*O, error) {
	parsed, err := parseIDOf(prefix, "input.id", id)
	if err != nil {
		return nil, err
	}
	sel := Selection{Fields: []string{"name", "type"}, Links: []Link{{Key: "group", Field: "group"}}}
	found, err := finders[prefix](w.ctx, w.reader, []uuid.UUID{parsed}, map[string]Selection{"Action": sel, "WorkerModel": sel})
	if err != nil {
		return nil, err
	}
	o, ok := any(found[parsed]).(*O)
	if !ok {
		return nil, noSuchID
	}
	return o, nil
}
