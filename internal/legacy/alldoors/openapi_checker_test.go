package alldoors_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// object is a JSON object whose shape is looked at.
type object = map[string]any

func at(o any, path ...string) any {
	for _, p := range path {
		m, _ := o.(object)
		o = m[p]
	}
	return o
}

// checker looks at an OpenAPI document by the rules of 3.1 that tools fall over.
type checker struct {
	t   *testing.T
	doc object
	ids map[string]bool
}

func (c *checker) fault(where, format string, args ...any) {
	c.t.Helper()
	c.t.Errorf(where+": "+format, args...)
}

var variable = regexp.MustCompile(`\{([^{}]+)\}`)

func (c *checker) path(path string, item object) {
	shared := c.parameters(path, item["parameters"])
	if !strings.HasPrefix(path, "/") {
		c.fault(path, "no path")
	}
	for method, op := range item {
		if method == "parameters" {
			continue
		}
		where := method + " " + path
		o, ok := op.(object)
		if !ok || !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
			c.fault(where, "no operation")
			continue
		}
		in := append(slices.Clone(shared), c.parameters(where, o["parameters"])...)
		var want []string
		for _, m := range variable.FindAllStringSubmatch(path, -1) {
			want = append(want, "path "+m[1])
		}
		for _, w := range want {
			if !slices.Contains(in, w) {
				c.fault(where, "%s is not declared", w)
			}
		}
		for i, p := range in {
			if strings.HasPrefix(p, "path ") && !slices.Contains(want, p) || slices.Contains(in[:i], p) {
				c.fault(where, "%s is declared twice, or is not in the path", p)
			}
		}
		c.operation(where, o)
	}
}

// parameters checks a list and answers "in name" of each.
func (c *checker) parameters(where string, list any) []string {
	var out []string
	ps, _ := list.([]any)
	for _, p := range ps {
		in, name := at(p, "in"), at(p, "name")
		if !slices.Contains([]any{"path", "query", "header"}, in) || name == nil || (in == "path" && at(p, "required") != true) {
			c.fault(where, "parameter %v", p)
			continue
		}
		if at(p, "schema") == nil {
			c.fault(where, "the parameter %v has no schema", name)
		}
		c.schema(where+" "+name.(string), at(p, "schema"))
		out = append(out, in.(string)+" "+name.(string))
	}
	return out
}

func (c *checker) operation(where string, o object) {
	id, _ := o["operationId"].(string)
	if id == "" || c.ids[id] {
		c.fault(where, "the operationId %q is empty or there twice", id)
	}
	c.ids[id] = true
	if tags, _ := o["tags"].([]any); len(tags) != 1 {
		c.fault(where, "tags %v", o["tags"])
	}
	if body := o["requestBody"]; body != nil {
		c.content(where+" request", at(body, "content"), true)
	}
	responses, _ := o["responses"].(object)
	success := false
	for status, r := range responses {
		success = success || status[0] == '2'
		if !regexp.MustCompile(`^([1-5]\d\d|default)$`).MatchString(status) || at(r, "description") == nil || at(r, "description") == "" {
			c.fault(where, "response %s: %v", status, r)
		}
		c.content(where+" "+status, at(r, "content"), false)
		headers, _ := at(r, "headers").(object)
		for name, h := range headers {
			c.schema(where+" "+name, at(h, "schema"))
		}
	}
	if !success {
		c.fault(where, "no response says that it worked")
	}
}

func (c *checker) content(where string, content any, needed bool) {
	types, _ := content.(object)
	if needed && len(types) == 0 {
		c.fault(where, "no content")
	}
	for name, t := range types {
		if !strings.Contains(name, "/") {
			c.fault(where, "no media type: %s", name)
		}
		if s := at(t, "schema"); s != nil {
			c.schema(where, s)
		}
	}
}

// schema walks a JSON Schema for what 3.1 does not have any more, and for types that are none.
func (c *checker) schema(where string, s any) {
	if _, boolean := s.(bool); boolean {
		return
	}
	o, ok := s.(object)
	if !ok {
		c.fault(where, "no schema: %v", s)
		return
	}
	for _, gone := range []string{"nullable", "discriminator", "xml"} {
		if _, there := o[gone]; there {
			c.fault(where, "%s is of another version", gone)
		}
	}
	types, list := o["type"].([]any)
	if !list && o["type"] != nil {
		types = []any{o["type"]}
	}
	for _, t := range types {
		if !slices.Contains([]any{"null", "boolean", "object", "array", "number", "string", "integer"}, t) {
			c.fault(where, "no type: %v", t)
		}
	}
	properties, _ := o["properties"].(object)
	for name, p := range properties {
		c.schema(where+"."+name, p)
	}
	required, _ := o["required"].([]any)
	for _, r := range required {
		if _, there := properties[r.(string)]; properties != nil && !there {
			c.fault(where, "%v is required and not described", r)
		}
	}
	for _, key := range []string{"items", "additionalProperties", "not"} {
		if inner, there := o[key]; there {
			c.schema(where+"."+key, inner)
		}
	}
	for _, key := range []string{"oneOf", "anyOf", "allOf"} {
		inner, _ := o[key].([]any)
		for _, i := range inner {
			c.schema(where+"."+key, i)
		}
	}
}

// references follows every $ref.
func (c *checker) references(where string, v any) {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			path, local := strings.CutPrefix(ref, "#/")
			if !local || at(c.doc, strings.Split(path, "/")...) == nil {
				c.fault(where, "%s leads nowhere", ref)
			}
		}
		for k, inner := range v {
			c.references(where+"/"+k, inner)
		}
	case []any:
		for i, inner := range v {
			c.references(where+"/"+strconv.Itoa(i), inner)
		}
	}
}
