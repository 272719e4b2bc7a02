package directory

import (
	"encoding/json"
	"strings"

	"roster/db"
)

// mask stands for a password in the settings of a worker model: they are read back without it, as CDS's are, and written back
// with the mask a password stays what it is.
const mask = "**********"

func secretKey(key string) bool { return strings.EqualFold(key, "password") }

// masked hides the passwords in settings, however deep they are.
func masked(settings []byte) json.RawMessage {
	return rewritten(settings, maskedValue)
}

// unmasked puts stored passwords where settings that are written back have the mask.
func unmasked(settings, stored []byte) json.RawMessage {
	var old any
	if json.Unmarshal(stored, &old) != nil {
		return settings
	}
	return rewritten(settings, func(v any) any { return unmaskedValue(v, old) })
}

// rewritten is settings with a change; what is no JSON stays what it is.
func rewritten(settings []byte, change func(any) any) json.RawMessage {
	var v any
	if settings == nil || json.Unmarshal(settings, &v) != nil {
		return settings
	}
	b, err := json.Marshal(change(v))
	if err != nil {
		return nil
	}
	return b
}

func maskedValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if text, ok := inner.(string); ok && secretKey(key) {
				if text != "" {
					v[key] = mask
				}
				continue
			}
			v[key] = maskedValue(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = maskedValue(inner)
		}
	}
	return v
}

func unmaskedValue(v, old any) any {
	switch v := v.(type) {
	case map[string]any:
		was, _ := old.(map[string]any)
		for key, inner := range v {
			if inner == mask && secretKey(key) {
				if kept, ok := was[key].(string); ok {
					v[key] = kept
				}
				continue
			}
			v[key] = unmaskedValue(inner, was[key])
		}
	case []any:
		was, _ := old.([]any)
		for i, inner := range v {
			if i < len(was) {
				v[i] = unmaskedValue(inner, was[i])
			}
		}
	}
	return v
}

// keepPasswords puts the stored passwords of the worker model of that group and name where the new settings have the mask.
func (w *write) keepPasswords(m *db.WorkerModel) error {
	parts, err := db.Find(w.ctx, w.store, db.WorkerModels, db.List{Columns: []string{"docker", "virtual_machine"},
		Where: db.And(db.WorkerModelGroup.Eq(m.GroupID.String()), db.WorkerModelName.Eq(m.Name))})
	if err != nil || len(parts[0].Rows) == 0 {
		return err
	}
	stored := parts[0].Rows[0]
	m.Docker, m.VirtualMachine = unmasked(m.Docker, stored.Docker), unmasked(m.VirtualMachine, stored.VirtualMachine)
	return nil
}
