package legacy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Spec is the part of the OpenAPI document that a door writes about itself: paths as mounted at the root, and components.
type Spec struct {
	Title string // the system's name
	Door  *Mounted
	JSON  []byte // {"paths": …, "components": {"schemas": …}}
}

type fragment struct {
	Paths      map[string]map[string]any `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

// Document merges the doors that are mounted into one OpenAPI 3.1 document. Schemas carry the door's name, since five systems have
// five things called Group; operations carry it as their tag.
func Document(specs []Spec) ([]byte, error) {
	paths, schemas := map[string]any{}, map[string]any{}
	var tags []any
	for _, s := range specs {
		if s.Door.Off {
			continue
		}
		var f fragment
		if err := json.Unmarshal(s.JSON, &f); err != nil {
			return nil, fmt.Errorf("the OpenAPI part of %s: %w", s.Door.Name, err)
		}
		tags = append(tags, map[string]any{"name": string(s.Door.Name), "description": s.Title})
		for path, operations := range f.Paths {
			for method, op := range operations {
				if o, ok := op.(map[string]any); ok && method != "parameters" {
					o["tags"] = []string{string(s.Door.Name)}
					if id, ok := o["operationId"].(string); ok {
						o["operationId"] = schemaName(s.Door, id)
					}
				}
			}
			paths[s.Door.Prefix+path] = renamed(s.Door, toAny(operations))
		}
		for name, schema := range f.Components.Schemas {
			schemas[schemaName(s.Door, name)] = renamed(s.Door, schema)
		}
	}
	return json.MarshalIndent(map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title":       "Roster: the doors of five older systems",
			"version":     "1",
			"description": "Programs written against OVH CDS, Entrust IDaaS, Authress, D4Science StorageHub and Enterprise Tester talk to Roster as they are. New programs use GraphQL.",
		},
		"tags": tags, "paths": paths, "components": map[string]any{"schemas": schemas},
	}, "", "  ")
}

func toAny(m map[string]any) any { return m }

const schemaRef = "#/components/schemas/"

func schemaName(d *Mounted, name string) string { return strings.ToLower(string(d.Name)) + "." + name }

// renamed is v with its references to schemas under the door's name.
func renamed(d *Mounted, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if ref, ok := e.(string); ok && k == "$ref" && strings.HasPrefix(ref, schemaRef) {
				v[k] = schemaRef + schemaName(d, strings.TrimPrefix(ref, schemaRef))
				continue
			}
			v[k] = renamed(d, e)
		}
	case []any:
		for i, e := range v {
			v[i] = renamed(d, e)
		}
	}
	return v
}

// Operations are the (method, path) pairs of a document, sorted: for the test that holds it against the routes really mounted.
func Operations(document []byte) ([]string, error) {
	var f fragment
	if err := json.Unmarshal(document, &f); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for path, operations := range f.Paths {
		for method := range operations {
			if method != "parameters" {
				seen[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// Operations are the (method, path) pairs that the door answers, sorted.
func (m *Mounted) Operations() []string {
	seen := map[string]bool{}
	for _, r := range m.Routes {
		seen[r.Method+" "+m.Prefix+r.Pattern] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
