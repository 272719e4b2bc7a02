package directory

import (
	"github.com/google/uuid"

	"roster/db"
)

// Payload is what every write answers: what became of it, in a form that selections are read of.
type Payload struct {
	Links
	DryRun    bool
	DeletedID *string // the TypeID of what was deleted
	Secret    string  // a new token's or webhook's, here and nowhere else; "" in a dry run
	Created   bool    // for put: the thing is new
	// ConsistencyToken names the write to reads on other servers (Sight); nil in a dry run, and where there are no standbys.
	ConsistencyToken *string

	Command string     // of one of many writes: what it was
	results []*Payload // of many writes in one, each one's

	Answer   []byte // what Once made of it; of a repetition, what was made then
	Repeated bool   // the write was done before, under the same key, and this holds its Answer alone

	Outcomes                                []*MemberOutcome // one for each user, in the order given
	changes                                 []db.Change
	groups                                  []*GroupOutcome
	group, user, token, action, workerModel *uuid.UUID
	webhook, delivery                       *uuid.UUID
}

// MemberOutcome is what became of one user of a membership write.
type MemberOutcome struct {
	Links
	Username string
	Result   MemberResult
	userID   *uuid.UUID
}

// GroupOutcome is what became of one group of setUserGroups.
type GroupOutcome struct {
	Links
	Result  MemberResult
	groupID uuid.UUID
}

// GroupID is the group's TypeID.
func (o *GroupOutcome) GroupID() string { return typeID(groupPrefix, o.groupID) }

// answer reads what the selection wants of the payload.
func (w *write) answer(sel Selection) error {
	for _, l := range sel.Links {
		if err := w.follow([]*Payload{w.out}, l); err != nil {
			return err
		}
	}
	return nil
}

// follow reads what a link of payloads leads to.
func (w *write) follow(ps []*Payload, l Link) error {
	ctx, r := w.ctx, w.reader
	switch l.Field {
	case "group":
		return one("", func(p *Payload) *uuid.UUID { return p.group }, groups, nil).follow(ctx, r, ps, l)
	case "user":
		return one("", func(p *Payload) *uuid.UUID { return p.user }, users, nil).follow(ctx, r, ps, l)
	case "token":
		return one("", func(p *Payload) *uuid.UUID { return p.token }, tokens, nil).follow(ctx, r, ps, l)
	case "action":
		return one("", func(p *Payload) *uuid.UUID { return p.action }, actions, nil).follow(ctx, r, ps, l)
	case "workerModel":
		return one("", func(p *Payload) *uuid.UUID { return p.workerModel }, workerModels, nil).follow(ctx, r, ps, l)
	case "webhook":
		return one("", func(p *Payload) *uuid.UUID { return p.webhook }, webhooks, nil).follow(ctx, r, ps, l)
	case "delivery":
		return one("", func(p *Payload) *uuid.UUID { return p.delivery }, deliveries, nil).follow(ctx, r, ps, l)
	case "changes":
		return w.followChanges(ps, l)
	case "results":
		return w.followResults(ps, l)
	}
	return w.followOutcomes(ps, l)
}

func (w *write) followChanges(ps []*Payload, l Link) error {
	var all []*Change
	for _, p := range ps {
		cs := make([]*Change, len(p.changes))
		for i := range cs {
			c := changeOf(&p.changes[i])
			cs[i] = &c
		}
		p.set(l.Key, cs)
		all = append(all, cs...)
	}
	return w.kinds.change.expand(w.ctx, w.reader, all, l.Select)
}

// followResults copies the results for each link, as followOutcomes does.
func (w *write) followResults(ps []*Payload, l Link) error {
	var all []*Payload
	for _, p := range ps {
		rs := mapped(p.results, func(r *Payload) *Payload { c := *r; return &c })
		p.set(l.Key, rs)
		all = append(all, rs...)
	}
	for _, inner := range l.Select.Links {
		if err := w.follow(all, inner); err != nil {
			return err
		}
	}
	return nil
}

// followOutcomes copies the outcomes for each link: under another alias they may be asked for with another selection. Of one of many
// writes the groups' outcomes have a field of their own.
func (w *write) followOutcomes(ps []*Payload, l Link) error {
	if l.Field == "groupOutcomes" || (ps[0].Command == "" && ps[0].groups != nil) {
		all := outcomesOf(ps, l.Key, func(p *Payload) []*GroupOutcome { return p.groups })
		return followEach(w, all, l, one("", func(o *GroupOutcome) *uuid.UUID { return &o.groupID }, groups, visibleGroups))
	}
	all := outcomesOf(ps, l.Key, func(p *Payload) []*MemberOutcome { return p.Outcomes })
	return followEach(w, all, l, one("", func(o *MemberOutcome) *uuid.UUID { return o.userID }, users, nil))
}

// outcomesOf links payloads to copies of their outcomes, and gives them all.
func outcomesOf[O any](ps []*Payload, key string, of func(*Payload) []*O) []*O {
	var all []*O
	for _, p := range ps {
		copies := make([]O, len(of(p)))
		os := make([]*O, len(copies))
		for i, o := range of(p) {
			copies[i] = *o
			os[i] = &copies[i]
		}
		p.set(key, os)
		all = append(all, os...)
	}
	return all
}

func followEach[O any](w *write, os []*O, l Link, to link[O]) error {
	for _, inner := range l.Select.Links {
		if err := to.follow(w.ctx, w.reader, os, inner); err != nil {
			return err
		}
	}
	return nil
}
