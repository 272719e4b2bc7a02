package cds

import (
	"encoding/json"
	"net/http"
	"strings"

	"roster/internal/directory"
	"roster/internal/legacy"
)

var (
	inGroup  = directory.Link{Key: "group", Field: "group", Select: groupRef}
	asAction = directory.Selection{Links: []directory.Link{inGroup}, Fields: []string{
		"number", "name", "type", "description", "enabled", "deprecated", "requirements", "parameters"}}
	asModel = directory.Selection{Links: []directory.Link{inGroup, {Key: "createdBy", Field: "createdBy", Select: asUser}}, Fields: []string{
		"number", "name", "type", "description", "disabled", "restricted", "deprecated", "image", "docker", "virtualMachine",
		"registeredCapabilities", "updatedAt"}}
)

// getActionsForGroup lists the actions that a group can use (§4.14).
func (d *door) getActionsForGroup(w http.ResponseWriter, r *legacy.Request) error {
	n, err := integer(r, "groupID")
	if err != nil {
		return err
	}
	found, err := d.dir.UsableActions(r.Context(), r.By, directory.GroupByNumber(n), sharedGroup, asAction)
	if err != nil {
		return err
	}
	return encode(w, found, actionOf)
}

// getWorkerModelsForGroup lists the worker models that a group can use (§4.15).
func (d *door) getWorkerModelsForGroup(w http.ResponseWriter, r *legacy.Request) error {
	n, err := integer(r, "groupID")
	if err != nil {
		return err
	}
	found, err := d.dir.UsableWorkerModels(r.Context(), r.By, directory.GroupByNumber(n), sharedGroup, asModel)
	if err != nil {
		return err
	}
	return encode(w, found, modelOf)
}

// encode answers a list; an empty one is [].
func encode[O, W any](w http.ResponseWriter, found []O, of func(O) (W, error)) error {
	out := make([]W, len(found))
	for i, o := range found {
		var err error
		if out[i], err = of(o); err != nil {
			return err
		}
	}
	return write(w, http.StatusOK, out)
}

// actionTypes are CDS's words.
var actionTypes = map[directory.ActionType]string{
	directory.ActionTypeDefault: "Default", directory.ActionTypeBuiltin: "Builtin", directory.ActionTypePlugin: "Plugin",
}

func actionOf(a *directory.Action) (Action, error) {
	out := Action{ID: int64(a.Number), Name: a.Name, Type: actionTypes[a.Type], Description: a.Description, Enabled: a.Enabled, Deprecated: a.Deprecated}
	for i, r := range a.Requirements {
		out.Requirements = append(out.Requirements, Requirement{ID: int64(i + 1), Name: r.Name, Type: r.Type, Value: r.Value})
	}
	for i, p := range a.Parameters {
		out.Parameters = append(out.Parameters, Parameter{ID: int64(i + 1), Name: p.Name, Type: p.Type, Value: p.Value, Description: p.Description, Advanced: p.Advanced})
	}
	g, err := directory.Linked[*directory.Group](a, "group")
	if g != nil {
		ref := refOf(g)
		out.Group, out.GroupID = &ref, ref.ID
	}
	return out, err
}

func modelOf(m *directory.WorkerModel) (Model, error) {
	g, err := directory.Linked[*directory.Group](m, "group")
	if err != nil {
		return Model{}, err
	}
	creator, err := directory.Linked[*directory.User](m, "createdBy")
	if err != nil {
		return Model{}, err
	}
	group, at := refOf(g), m.UpdatedAt.UTC()
	out := Model{ID: int64(m.Number), Name: m.Name, Description: m.Description, Type: strings.ToLower(string(m.Type)), Image: m.Image,
		Disabled: m.Disabled, Restricted: m.Restricted, RegisteredCapabilities: []Requirement{}, LastRegistration: at, UserLastModified: at,
		CreatedBy: userOf(creator), GroupID: group.ID, IsDeprecated: m.Deprecated, IsOfficial: strings.EqualFold(group.Name, sharedGroup), Group: &group}
	for _, r := range m.RegisteredCapabilities {
		out.RegisteredCapabilities = append(out.RegisteredCapabilities, Requirement{Name: r.Name, Type: r.Type, Value: r.Value})
	}
	settings(m.Docker, &out.Docker)
	settings(m.VirtualMachine, &out.VirtualMachine)
	return out, nil
}

// settings reads what GraphQL took as any JSON object: a key of another type than CDS's is left out, for its clients would fail.
func settings(object json.RawMessage, to any) {
	if len(object) > 0 {
		_ = json.Unmarshal(object, to) // goes on after a value of the wrong type
	}
}
