package legacy

import (
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Reference serves the OpenAPI document at /openapi.json and a page that shows it at /reference: rendered here, without a script,
// so that it works offline. Both are made when somebody asks for the first time, which hardly anybody does, and kept.
func Reference(document func() ([]byte, error)) http.Handler {
	made := sync.OnceValue(func() (d documents) {
		var err error
		if d.json, err = document(); err == nil {
			d.page, err = reference(d.json)
		}
		if err != nil {
			panic(err) // they are made of what is built in: a test would have said so
		}
		return d
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		d := made()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(d.json)
	})
	mux.HandleFunc("GET /reference", func(w http.ResponseWriter, _ *http.Request) {
		d := made()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		_, _ = w.Write(d.page)
	})
	return mux
}

type documents struct{ json, page []byte }

type operation struct {
	Method, Path string
	ID           string `json:"operationId"`
	Summary      string
	Description  string
	Tags         []string
	Parameters   []struct {
		Name, In, Description string
		Required              bool
	}
	RequestBody *struct{ Content map[string]content }
	Responses   map[string]struct {
		Description string
		Content     map[string]content
	}
}

type content struct {
	Schema  json.RawMessage
	Example json.RawMessage
}

// Indented is a JSON value for reading.
func (c content) Indented() string {
	v := c.Example
	if v == nil {
		v = c.Schema
	}
	var any any
	if json.Unmarshal(v, &any) != nil {
		return string(v)
	}
	b, err := json.MarshalIndent(any, "", "  ")
	if err != nil {
		return string(v)
	}
	return string(b)
}

func reference(document []byte) ([]byte, error) {
	var doc struct {
		Info struct{ Title, Description string }
		Tags []struct{ Name, Description string }
		// Each path's operations by method; "parameters" among them is a list, not an operation.
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	byTag := map[string][]operation{}
	for path, operations := range doc.Paths {
		for method, raw := range operations {
			op := operation{Method: strings.ToUpper(method), Path: path}
			if method == "parameters" {
				continue
			}
			if err := json.Unmarshal(raw, &op); err != nil {
				return nil, err
			}
			for _, tag := range op.Tags {
				byTag[tag] = append(byTag[tag], op)
			}
		}
	}
	for _, ops := range byTag {
		slices.SortFunc(ops, func(a, b operation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
	}
	schemas := map[string]string{}
	for name, raw := range doc.Components.Schemas {
		schemas[name] = content{Schema: raw}.Indented()
	}
	var b strings.Builder
	err := referencePage.Execute(&b, map[string]any{"Doc": doc, "Operations": byTag, "Schemas": schemas})
	return []byte(b.String()), err
}

var referencePage = template.Must(template.New("reference").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Doc.Info.Title}}</title>
<style>
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent)}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre,summary b{font-family:ui-monospace,monospace}
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);padding:.25rem .5rem;text-align:left;vertical-align:top}
pre{overflow:auto;font-size:13px;border:1px solid var(--line);border-radius:6px;padding:.5rem}
</style></head><body>
<h1>{{.Doc.Info.Title}}</h1><p>{{.Doc.Info.Description}} The same as a document: <a href="/openapi.json">openapi.json</a>.</p>
{{range .Doc.Tags}}<h2 id="{{.Name}}">{{.Description}}</h2>
{{range index $.Operations .Name}}<details><summary><b>{{.Method}}</b> <code>{{.Path}}</code> — {{.Summary}}</summary>
{{with .Description}}<p>{{.}}</p>{{end}}
{{with .Parameters}}<table><tr><th>parameter</th><th>in</th><th></th></tr>{{range .}}<tr><td><code>{{.Name}}</code>{{if .Required}} *{{end}}</td><td>{{.In}}</td><td>{{.Description}}</td></tr>{{end}}</table>{{end}}
{{with .RequestBody}}{{range $type, $c := .Content}}<p>Body: <code>{{$type}}</code></p><pre>{{$c.Indented}}</pre>{{end}}{{end}}
<table><tr><th>status</th><th></th></tr>{{range $status, $r := .Responses}}<tr><td>{{$status}}</td><td>{{$r.Description}}{{range $type, $c := $r.Content}}<br><code>{{$type}}</code><pre>{{$c.Indented}}</pre>{{end}}</td></tr>{{end}}</table>
</details>{{end}}{{end}}
<h2>Schemas</h2>{{range $name, $s := .Schemas}}<details id="{{$name}}"><summary><code>{{$name}}</code></summary><pre>{{$s}}</pre></details>{{end}}
</body></html>
`))
