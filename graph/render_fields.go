package graph

import (
	"strconv"

	"roster/internal/directory"
)

// appender writes a field of an object's own.
type appender = func(b []byte, o any) []byte

// own makes an appender of one for a known type.
func own[T any](f func(b []byte, o *T) []byte) appender {
	return func(b []byte, o any) []byte { return f(b, o.(*T)) }
}

func text[T any](f func(*T) string) appender {
	return own(func(b []byte, o *T) []byte { return appendString(b, f(o)) })
}

// identifier writes a TypeID, of which no letter needs escaping.
func identifier[T any](f func(o *T, b []byte) []byte) appender {
	return own(func(b []byte, o *T) []byte { return append(f(o, append(b, '"')), '"') })
}

func optionalText[T any](f func(*T) *string) appender {
	return own(func(b []byte, o *T) []byte { return appendOptional(b, f(o)) })
}

func integer[T any](f func(*T) int) appender {
	return own(func(b []byte, o *T) []byte { return strconv.AppendInt(b, int64(f(o)), 10) })
}

func optionalInteger[T any](f func(*T) *int) appender {
	return own(func(b []byte, o *T) []byte {
		if n := f(o); n != nil {
			return strconv.AppendInt(b, int64(*n), 10)
		}
		return append(b, "null"...)
	})
}

func boolean[T any](f func(*T) bool) appender {
	return own(func(b []byte, o *T) []byte { return strconv.AppendBool(b, f(o)) })
}

// fieldsOf are the fields of each type that hold a value of the object's own. A field that is missing here leads somewhere else.
var fieldsOf = map[string]map[string]appender{
	"Group": {
		"id":                identifier((*directory.Group).AppendID),
		"uuid":              text(func(g *directory.Group) string { return g.UUID.String() }),
		"number":            integer(func(g *directory.Group) int { return g.Number }),
		"handle":            text(func(g *directory.Group) string { return g.Handle }),
		"name":              text(func(g *directory.Group) string { return g.Name }),
		"description":       text(func(g *directory.Group) string { return g.Description }),
		"type":              text(func(g *directory.Group) string { return string(g.Type) }),
		"externalId":        optionalText(func(g *directory.Group) *string { return g.ExternalID }),
		"accessType":        text(func(g *directory.Group) string { return string(g.AccessType) }),
		"useDefaultStorage": boolean(func(g *directory.Group) bool { return g.UseDefaultStorage }),
		"public":            boolean(func(g *directory.Group) bool { return g.Public }),
		"version":           integer(func(g *directory.Group) int { return g.Version }),
		"createdAt":         own(func(b []byte, g *directory.Group) []byte { return appendTime(b, g.CreatedAt) }),
		"updatedAt":         own(func(b []byte, g *directory.Group) []byte { return appendTime(b, g.UpdatedAt) }),
		"memberCount":       integer(func(g *directory.Group) int { return g.MemberCount }),
		"adminCount":        integer(func(g *directory.Group) int { return g.AdminCount }),
	},
	"Tag": {
		"key":   text(func(t *directory.Tag) string { return t.Key }),
		"value": text(func(t *directory.Tag) string { return t.Value }),
	},
	"GroupAbilities": {
		"edit":          boolean(func(a *directory.GroupAbilities) bool { return a.Edit }),
		"delete":        boolean(func(a *directory.GroupAbilities) bool { return a.Delete }),
		"manageMembers": boolean(func(a *directory.GroupAbilities) bool { return a.ManageMembers }),
		"manageAdmins":  boolean(func(a *directory.GroupAbilities) bool { return a.ManageAdmins }),
		"manageTokens":  boolean(func(a *directory.GroupAbilities) bool { return a.ManageTokens }),
	},
	"User": {
		"id":         identifier((*directory.User).AppendID),
		"uuid":       text(func(u *directory.User) string { return u.UUID.String() }),
		"number":     integer(func(u *directory.User) int { return u.Number }),
		"username":   text(func(u *directory.User) string { return u.Username }),
		"email":      text(func(u *directory.User) string { return u.Email }),
		"fullName":   text(func(u *directory.User) string { return u.FullName }),
		"externalId": optionalText(func(u *directory.User) *string { return u.ExternalID }),
		"roles":      own(func(b []byte, u *directory.User) []byte { return appendStrings(b, u.Roles) }),
		"createdAt":  own(func(b []byte, u *directory.User) []byte { return appendTime(b, u.CreatedAt) }),
	},
	"Member": {
		"id":        identifier((*directory.Member).AppendID),
		"isAdmin":   boolean(func(m *directory.Member) bool { return m.IsAdmin }),
		"addedAt":   own(func(b []byte, m *directory.Member) []byte { return appendTime(b, m.AddedAt) }),
		"via":       text(func(m *directory.Member) string { return string(m.Via) }),
		"expiresAt": own(func(b []byte, m *directory.Member) []byte { return appendOptionalTime(b, m.ExpiresAt) }),
	},
	"Admin": {
		"id":        identifier((*directory.Admin).AppendID),
		"isMember":  boolean(func(a *directory.Admin) bool { return a.IsMember }),
		"grantedAt": own(func(b []byte, a *directory.Admin) []byte { return appendTime(b, a.GrantedAt) }),
		"via":       text(func(a *directory.Admin) string { return string(a.Via) }),
	},
	"Token": {
		"id":          text(func(t *directory.Token) string { return t.ID() }),
		"number":      integer(func(t *directory.Token) int { return t.Number }),
		"description": text(func(t *directory.Token) string { return t.Description }),
		"prefix":      text(func(t *directory.Token) string { return t.Prefix }),
		"scopes":      own(func(b []byte, t *directory.Token) []byte { return appendStrings(b, t.Scopes) }),
		"expiration":  text(func(t *directory.Token) string { return string(t.Expiration) }),
		"expiresAt":   own(func(b []byte, t *directory.Token) []byte { return appendOptionalTime(b, t.ExpiresAt) }),
		"status":      text(func(t *directory.Token) string { return string(t.Status) }),
		"createdAt":   own(func(b []byte, t *directory.Token) []byte { return appendTime(b, t.CreatedAt) }),
		"lastUsedAt":  own(func(b []byte, t *directory.Token) []byte { return appendOptionalTime(b, t.LastUsedAt) }),
		"revokedAt":   own(func(b []byte, t *directory.Token) []byte { return appendOptionalTime(b, t.RevokedAt) }),
	},
	"Change": {
		"id":        text(func(c *directory.Change) string { return c.ID() }),
		"at":        own(func(b []byte, c *directory.Change) []byte { return appendTime(b, c.At) }),
		"kind":      text(func(c *directory.Change) string { return string(c.Kind) }),
		"actor":     text(func(c *directory.Change) string { return c.Actor }),
		"via":       text(func(c *directory.Change) string { return string(c.Via) }),
		"requestId": text(func(c *directory.Change) string { return c.RequestID }),
		"groupId":   optionalText(func(c *directory.Change) *string { return c.GroupID() }),
		"groupName": optionalText(func(c *directory.Change) *string { return c.GroupName }),
		"username":  optionalText(func(c *directory.Change) *string { return c.Username }),
		"before":    own(func(b []byte, c *directory.Change) []byte { return appendRaw(b, c.Before) }),
		"after":     own(func(b []byte, c *directory.Change) []byte { return appendRaw(b, c.After) }),
	},
	"Action": {
		"id":          text(func(a *directory.Action) string { return a.ID() }),
		"number":      integer(func(a *directory.Action) int { return a.Number }),
		"name":        text(func(a *directory.Action) string { return a.Name }),
		"type":        text(func(a *directory.Action) string { return string(a.Type) }),
		"description": text(func(a *directory.Action) string { return a.Description }),
		"enabled":     boolean(func(a *directory.Action) bool { return a.Enabled }),
		"deprecated":  boolean(func(a *directory.Action) bool { return a.Deprecated }),
	},
	"Requirement": {
		"name":  text(func(r *directory.Requirement) string { return r.Name }),
		"type":  text(func(r *directory.Requirement) string { return r.Type }),
		"value": text(func(r *directory.Requirement) string { return r.Value }),
	},
	"Parameter": {
		"name":        text(func(p *directory.Parameter) string { return p.Name }),
		"type":        text(func(p *directory.Parameter) string { return p.Type }),
		"value":       text(func(p *directory.Parameter) string { return p.Value }),
		"description": text(func(p *directory.Parameter) string { return p.Description }),
		"advanced":    boolean(func(p *directory.Parameter) bool { return p.Advanced }),
	},
	"WorkerModel": {
		"id":             text(func(w *directory.WorkerModel) string { return w.ID() }),
		"number":         integer(func(w *directory.WorkerModel) int { return w.Number }),
		"name":           text(func(w *directory.WorkerModel) string { return w.Name }),
		"description":    text(func(w *directory.WorkerModel) string { return w.Description }),
		"type":           text(func(w *directory.WorkerModel) string { return string(w.Type) }),
		"disabled":       boolean(func(w *directory.WorkerModel) bool { return w.Disabled }),
		"restricted":     boolean(func(w *directory.WorkerModel) bool { return w.Restricted }),
		"deprecated":     boolean(func(w *directory.WorkerModel) bool { return w.Deprecated }),
		"image":          text(func(w *directory.WorkerModel) string { return w.Image }),
		"docker":         own(func(b []byte, w *directory.WorkerModel) []byte { return appendRaw(b, w.Docker) }),
		"virtualMachine": own(func(b []byte, w *directory.WorkerModel) []byte { return appendRaw(b, w.VirtualMachine) }),
		"updatedAt":      own(func(b []byte, w *directory.WorkerModel) []byte { return appendTime(b, w.UpdatedAt) }),
	},
	"Webhook": {
		"id":            text(func(w *directory.Webhook) string { return w.ID() }),
		"url":           text(func(w *directory.Webhook) string { return w.URL }),
		"description":   text(func(w *directory.Webhook) string { return w.Description }),
		"filter":        own(func(b []byte, w *directory.Webhook) []byte { return appendRaw(b, w.Filter) }),
		"enabled":       boolean(func(w *directory.Webhook) bool { return w.Enabled }),
		"state":         text(func(w *directory.Webhook) string { return string(w.State) }),
		"reason":        optionalText(func(w *directory.Webhook) *string { return (*string)(w.Reason) }),
		"failingSince":  own(func(b []byte, w *directory.Webhook) []byte { return appendOptionalTime(b, w.FailingSince) }),
		"nextAttemptAt": own(func(b []byte, w *directory.Webhook) []byte { return appendOptionalTime(b, w.NextAttemptAt) }),
		"position":      text(func(w *directory.Webhook) string { return w.Position }),
		"createdAt":     own(func(b []byte, w *directory.Webhook) []byte { return appendTime(b, w.CreatedAt) }),
		"updatedAt":     own(func(b []byte, w *directory.Webhook) []byte { return appendTime(b, w.UpdatedAt) }),
	},
	"WebhookDelivery": {
		"id":         text(func(d *directory.WebhookDelivery) string { return d.ID() }),
		"type":       text(func(d *directory.WebhookDelivery) string { return d.Type }),
		"changeId":   optionalText(func(d *directory.WebhookDelivery) *string { return d.ChangeID }),
		"cursor":     optionalText(func(d *directory.WebhookDelivery) *string { return d.Cursor }),
		"at":         own(func(b []byte, d *directory.WebhookDelivery) []byte { return appendTime(b, d.At) }),
		"delivered":  boolean(func(d *directory.WebhookDelivery) bool { return d.Delivered }),
		"attempts":   integer(func(d *directory.WebhookDelivery) int { return d.Attempts }),
		"statusCode": optionalInteger(func(d *directory.WebhookDelivery) *int { return d.StatusCode }),
		"durationMs": integer(func(d *directory.WebhookDelivery) int { return d.DurationMs }),
		"error":      optionalText(func(d *directory.WebhookDelivery) *string { return d.Error }),
	},
	"PageInfo": {
		"hasNextPage":     boolean(func(p *directory.PageInfo) bool { return p.HasNextPage }),
		"hasPreviousPage": boolean(func(p *directory.PageInfo) bool { return p.HasPreviousPage }),
		"startCursor":     optionalText(func(p *directory.PageInfo) *string { return p.StartCursor }),
		"endCursor":       optionalText(func(p *directory.PageInfo) *string { return p.EndCursor }),
	},
	"Payload": {
		"dryRun":    boolean(func(p *directory.Payload) bool { return p.DryRun }),
		"deletedId": optionalText(func(p *directory.Payload) *string { return p.DeletedID }),
		"secret":    text(func(p *directory.Payload) string { return p.Secret }),
		"created":   boolean(func(p *directory.Payload) bool { return p.Created }),
		"command":   text(func(p *directory.Payload) string { return p.Command }),

		"consistencyToken": optionalText(func(p *directory.Payload) *string { return p.ConsistencyToken }),
	},
	"MemberOutcome": {
		"username": text(func(o *directory.MemberOutcome) string { return o.Username }),
		"result":   text(func(o *directory.MemberOutcome) string { return string(o.Result) }),
	},
	"GroupOutcome": {
		"groupId": text(func(o *directory.GroupOutcome) string { return o.GroupID() }),
		"result":  text(func(o *directory.GroupOutcome) string { return string(o.Result) }),
	},
	"MembershipCheck": {
		"group":    text(func(c *directory.MembershipCheck) string { return c.Group }),
		"user":     text(func(c *directory.MembershipCheck) string { return c.User }),
		"isMember": boolean(func(c *directory.MembershipCheck) bool { return c.IsMember }),
		"isAdmin":  boolean(func(c *directory.MembershipCheck) bool { return c.IsAdmin }),
	},
	"AccessDecision": {
		"allowed": boolean(func(d *directory.AccessDecision) bool { return d.Allowed }),
		"rule":    text(func(d *directory.AccessDecision) string { return d.Rule }),
		"because": own(func(b []byte, d *directory.AccessDecision) []byte { return appendStrings(b, d.Because) }),
	},
	"Viewer": {
		"roles":       own(func(b []byte, v *directory.Viewer) []byte { return appendStrings(b, v.Roles) }),
		"permissions": own(func(b []byte, v *directory.Viewer) []byte { return appendStrings(b, v.Permissions) }),
	},
}

// valuesOf are the fields of each type that lead to objects or lists that are part of it, rather than linked to it.
var valuesOf = map[string]map[string]func(o any) any{
	"Group": {
		"tags":      func(o any) any { return o.(*directory.Group).Tags },
		"viewerCan": func(o any) any { return o.(*directory.Group).ViewerCan() },
	},
	"Action": {
		"requirements": func(o any) any { return o.(*directory.Action).Requirements },
		"parameters":   func(o any) any { return o.(*directory.Action).Parameters },
	},
	"WorkerModel": {
		"registeredCapabilities": func(o any) any { return o.(*directory.WorkerModel).RegisteredCapabilities },
	},
}

// typeName is the API's name of an object's type, where the type is not known beforehand.
func typeName(v any) string {
	switch v.(type) {
	case *directory.Group:
		return "Group"
	case *directory.User:
		return "User"
	case *directory.Member:
		return "Member"
	case *directory.Admin:
		return "Admin"
	case *directory.Token:
		return "Token"
	case *directory.Change:
		return "Change"
	case *directory.Action:
		return "Action"
	case *directory.WorkerModel:
		return "WorkerModel"
	case *directory.Webhook:
		return "Webhook"
	case *directory.WebhookDelivery:
		return "WebhookDelivery"
	}
	return ""
}

// isNil reports whether v is nothing, or a nil pointer to a noun.
func isNil(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case *directory.Group:
		return v == nil
	case *directory.User:
		return v == nil
	case *directory.Token:
		return v == nil
	case *directory.Member:
		return v == nil
	case *directory.Admin:
		return v == nil
	case *directory.Webhook:
		return v == nil
	}
	return false
}

// sequence is a list of objects of whatever type.
type sequence struct {
	n  int
	at func(i int) any
}

func seq[T any](vs []T) (sequence, bool) {
	return sequence{len(vs), func(i int) any { return vs[i] }}, true
}

// elements are the elements of a list that the renderer knows.
func elements(v any) (sequence, bool) {
	switch v := v.(type) {
	case []*directory.Tag:
		return seq(v)
	case []*directory.Requirement:
		return seq(v)
	case []*directory.Parameter:
		return seq(v)
	case []*directory.Change:
		return seq(v)
	case []*directory.Payload:
		return seq(v)
	case []*directory.MemberOutcome:
		return seq(v)
	case []*directory.GroupOutcome:
		return seq(v)
	case []*directory.MembershipCheck:
		return seq(v)
	case []directory.Object:
		return seq(v)
	}
	return sequence{}, false
}
