package main

import (
	"net/http"

	"roster/internal/config"
	"roster/internal/directory"
	"roster/internal/legacy"
	"roster/internal/legacy/authress"
	"roster/internal/legacy/cds"
	"roster/internal/legacy/d4science"
	"roster/internal/legacy/enterprisetester"
	"roster/internal/legacy/entrust"
	"roster/internal/limit"
)

// door is a legacy API: what it is called, where it is served, how it is made, and what it says of itself.
type door struct {
	title string
	at    config.Door
	door  legacy.Door
	spec  []byte
}

// legacyDoors are all of them. A door goes with its line here and its folder.
func legacyDoors(dir *directory.Service, c config.Config) []door {
	return []door{
		{"OVH CDS 0.41", c.CDS, cds.New(dir, cds.Config{DefaultGroup: c.CDSDefaultGroup}), cds.OpenAPI()},
		{"Entrust Identity as a Service", c.Entrust, entrust.New(dir), entrust.OpenAPI()},
		{"Authress", c.Authress, authress.New(dir), authress.OpenAPI()},
		{"D4Science StorageHub", c.D4Science, d4science.New(dir), d4science.OpenAPI()},
		{"Enterprise Tester", c.EnterpriseTester, enterprisetester.New(dir), enterprisetester.OpenAPI()},
	}
}

// mountedDoors are the doors in their places, and the document about them.
type mountedDoors struct {
	mounted  []*legacy.Mounted
	document http.Handler
}

// doors mounts the legacy APIs as configured.
func (s *server) doors(budget *limit.Budget) mountedDoors {
	var m mountedDoors
	var specs []legacy.Spec
	for _, d := range legacyDoors(s.dir, s.config) {
		mounted := legacy.Mount(d.door, legacy.Setting{Off: d.at.Off, Host: d.at.Host, Prefix: d.at.Prefix, Deprecation: s.config.Deprecation,
			Link: s.config.Link}, legacy.Deps{Directory: s.dir, Issuers: s.issuers, Log: s.log, Observer: s.observer, Budget: budget})
		m.mounted = append(m.mounted, mounted)
		specs = append(specs, legacy.Spec{Title: d.title, Door: mounted, JSON: d.spec})
	}
	m.document = legacy.Reference(func() ([]byte, error) { return legacy.Document(specs) })
	return m
}
