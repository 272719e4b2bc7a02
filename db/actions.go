package db

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Action is a row of actions: what CDS lists for a group. Requirements and Parameters are JSON lists.
type Action struct {
	ID           uuid.UUID
	Number       int
	GroupID      *uuid.UUID
	Name         string
	NameKey      string
	Type         string
	Description  string
	Enabled      bool
	Deprecated   bool
	Requirements []byte
	Parameters   []byte
}

// Actions is the table of actions.
var Actions = &Table[Action]{
	from: "actions a",
	columns: map[string]column[Action]{
		"id":           {"a.id", func(r *Action) any { return &r.ID }},
		"number":       {"a.number", func(r *Action) any { return &r.Number }},
		"group_id":     {"a.group_id", func(r *Action) any { return &r.GroupID }},
		"name":         {"a.name", func(r *Action) any { return &r.Name }},
		"name_key":     {"a.name_key", func(r *Action) any { return &r.NameKey }},
		"type":         {"a.type", func(r *Action) any { return &r.Type }},
		"description":  {"a.description", func(r *Action) any { return &r.Description }},
		"enabled":      {"a.enabled", func(r *Action) any { return &r.Enabled }},
		"deprecated":   {"a.deprecated", func(r *Action) any { return &r.Deprecated }},
		"requirements": {"a.requirements", func(r *Action) any { return &r.Requirements }},
		"parameters":   {"a.parameters", func(r *Action) any { return &r.Parameters }},
	},
	keys: map[string]key[Action]{
		idKey:  {"a.id", "?::uuid", "id", func(b []byte, r *Action) []byte { return appendUUID(b, r.ID) }},
		"NAME": {"a.name_key", "?::text", "name_key", func(b []byte, r *Action) []byte { return append(b, r.NameKey...) }},
	},
}

// ActionsOfGroup are the actions of a group and those of none, which are everybody's.
var ActionsOfGroup = Relation{where: "(a.group_id = p.id OR a.group_id IS NULL)"}

// What actions can be found by.
var (
	ActionID = Column{"a.id", "uuid"}
	// ActionOfNoGroup holds for built-in and plugin actions.
	ActionOfNoGroup = Cond{text: "a.group_id IS NULL"}
)

// ActionOfGroupWhere holds for actions whose group is one for which the condition on groups holds.
func ActionOfGroupWhere(group Cond) Cond {
	return cond("EXISTS (SELECT 1 FROM groups g WHERE g.id = a.group_id AND "+group.text+")", group.args...)
}

// PutAction makes the action of that name and group, or replaces it and keeps its id and number. It says whether it made it.
func (s *Store) PutAction(ctx context.Context, a *Action) (created bool, err error) {
	_, err = s.queryRow(ctx, `INSERT INTO actions (id, group_id, name, type, description, enabled, deprecated, requirements, parameters)
		VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb)
		ON CONFLICT (coalesce(group_id, '00000000-0000-0000-0000-000000000000'), name_key) DO UPDATE SET
			name = EXCLUDED.name, type = EXCLUDED.type, description = EXCLUDED.description, enabled = EXCLUDED.enabled,
			deprecated = EXCLUDED.deprecated, requirements = EXCLUDED.requirements, parameters = EXCLUDED.parameters
		RETURNING id, number, name_key, xmax = 0`,
		[]any{a.ID.String(), uuidArg(a.GroupID), a.Name, a.Type, a.Description, a.Enabled, a.Deprecated, string(a.Requirements), string(a.Parameters)},
		&a.ID, &a.Number, &a.NameKey, &created)
	return created, err
}

// DeleteAction removes an action; false if somebody else has.
func (s *Store) DeleteAction(ctx context.Context, id uuid.UUID) (bool, error) {
	return s.queryRow(ctx, "DELETE FROM actions WHERE id = $1::uuid RETURNING id", []any{id.String()}, new(uuid.UUID))
}

// WorkerModel is a row of worker_models: what CDS lists for a group. Docker, VirtualMachine and RegisteredCapabilities are JSON.
type WorkerModel struct {
	ID                     uuid.UUID
	Number                 int
	GroupID                uuid.UUID
	Name                   string
	NameKey                string
	Description            string
	Type                   string
	Disabled               bool
	Restricted             bool
	Deprecated             bool
	Image                  string
	Docker                 []byte
	VirtualMachine         []byte
	RegisteredCapabilities []byte
	CreatedBy              *uuid.UUID
	UpdatedAt              time.Time
}

// WorkerModels is the table of worker models.
var WorkerModels = &Table[WorkerModel]{
	from: "worker_models w",
	columns: map[string]column[WorkerModel]{
		"id":                      {"w.id", func(r *WorkerModel) any { return &r.ID }},
		"number":                  {"w.number", func(r *WorkerModel) any { return &r.Number }},
		"group_id":                {"w.group_id", func(r *WorkerModel) any { return &r.GroupID }},
		"name":                    {"w.name", func(r *WorkerModel) any { return &r.Name }},
		"name_key":                {"w.name_key", func(r *WorkerModel) any { return &r.NameKey }},
		"description":             {"w.description", func(r *WorkerModel) any { return &r.Description }},
		"type":                    {"w.type", func(r *WorkerModel) any { return &r.Type }},
		"disabled":                {"w.disabled", func(r *WorkerModel) any { return &r.Disabled }},
		"restricted":              {"w.restricted", func(r *WorkerModel) any { return &r.Restricted }},
		"deprecated":              {"w.deprecated", func(r *WorkerModel) any { return &r.Deprecated }},
		"image":                   {"w.image", func(r *WorkerModel) any { return &r.Image }},
		"docker":                  {"w.docker", func(r *WorkerModel) any { return &r.Docker }},
		"virtual_machine":         {"w.virtual_machine", func(r *WorkerModel) any { return &r.VirtualMachine }},
		"registered_capabilities": {"w.registered_capabilities", func(r *WorkerModel) any { return &r.RegisteredCapabilities }},
		"created_by":              {"w.created_by", func(r *WorkerModel) any { return &r.CreatedBy }},
		"updated_at":              {"w.updated_at", func(r *WorkerModel) any { return &r.UpdatedAt }},
	},
	keys: map[string]key[WorkerModel]{
		idKey:  {"w.id", "?::uuid", "id", func(b []byte, r *WorkerModel) []byte { return appendUUID(b, r.ID) }},
		"NAME": {"w.name_key", "?::text", "name_key", func(b []byte, r *WorkerModel) []byte { return append(b, r.NameKey...) }},
	},
}

// WorkerModelsOfGroup are the worker models of a group.
var WorkerModelsOfGroup = Relation{where: "w.group_id = p.id"}

// What worker models can be found by.
var (
	WorkerModelID    = Column{"w.id", "uuid"}
	WorkerModelGroup = Column{"w.group_id", "uuid"}
	WorkerModelName  = Text("w.name_key")
	// WorkerModelUsable holds for worker models that are neither disabled nor deprecated.
	WorkerModelUsable = Cond{text: "(NOT w.disabled AND NOT w.deprecated)"}
)

// WorkerModelOfGroupWhere holds for worker models whose group is one for which the condition on groups holds.
func WorkerModelOfGroupWhere(group Cond) Cond {
	if group.IsZero() {
		return Cond{}
	}
	return cond("EXISTS (SELECT 1 FROM groups g WHERE g.id = w.group_id AND "+group.text+")", group.args...)
}

// PutWorkerModel makes the worker model of that name and group, or replaces it and keeps its id and number. It says whether it made it.
func (s *Store) PutWorkerModel(ctx context.Context, m *WorkerModel) (created bool, err error) {
	_, err = s.queryRow(ctx, `INSERT INTO worker_models
			(id, group_id, name, description, type, disabled, restricted, deprecated, image, docker, virtual_machine, registered_capabilities, created_by)
		VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12::jsonb, $13::uuid)
		ON CONFLICT (group_id, name_key) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description, type = EXCLUDED.type,
			disabled = EXCLUDED.disabled, restricted = EXCLUDED.restricted, deprecated = EXCLUDED.deprecated, image = EXCLUDED.image,
			docker = EXCLUDED.docker, virtual_machine = EXCLUDED.virtual_machine,
			registered_capabilities = EXCLUDED.registered_capabilities, updated_at = now()
		RETURNING id, number, name_key, created_by, updated_at, xmax = 0`,
		[]any{m.ID.String(), m.GroupID.String(), m.Name, m.Description, m.Type, m.Disabled, m.Restricted, m.Deprecated, m.Image,
			jsonOrNull(m.Docker), jsonOrNull(m.VirtualMachine), string(m.RegisteredCapabilities), uuidArg(m.CreatedBy)},
		&m.ID, &m.Number, &m.NameKey, &m.CreatedBy, &m.UpdatedAt, &created)
	return created, err
}

// DeleteWorkerModel removes a worker model; false if somebody else has.
func (s *Store) DeleteWorkerModel(ctx context.Context, id uuid.UUID) (bool, error) {
	return s.queryRow(ctx, "DELETE FROM worker_models WHERE id = $1::uuid RETURNING id", []any{id.String()}, new(uuid.UUID))
}

func jsonOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}
