package directory

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"roster/db"
)

// Service is the directory. Its methods fail with *Error; each names the codes beyond UNAUTHENTICATED, INVALID, UNAVAILABLE and
// INTERNAL, which every method may return.
type Service struct {
	store *db.Store
	kinds *kinds
	keys  [][]byte // of token hashes; new ones are made under the first
	life  time.Duration
	keeps time.Duration // deleted groups; 0: not at all
	known *credentials
	feed  *feed
	hooks *hooks

	standbys *Standbys // nil: the database answers everything itself
}

// Config is what a Service is made of.
type Config struct {
	Store *db.Store
	// TokenKey keys the hashes of tokens. Whoever has neither it nor a token can do nothing with a copy of the database.
	TokenKey []byte
	// PreviousTokenKeys are keys that hashes may still be under. A token that is used is kept under TokenKey from then on.
	PreviousTokenKeys [][]byte
	// MaxTokenLife is the longest that a new token may live, or a rotated one; 0 for any time. The first administrator's, which is the
	// operator's own, is not bound by it, nor are tokens that there are.
	MaxTokenLife time.Duration
	// RestoreWithin is how long deleted groups can be restored; 0: not at all. Somebody has to call SweepDeleted.
	RestoreWithin time.Duration
	// Standbys answer reads; nil: there are none. Their Watch has to run.
	Standbys *Standbys
	// FeedBacklog is how many changes a stream of the feed may be behind before it is ended; 0: DefaultFeedBacklog.
	FeedBacklog int
	// OnFeedError, if set, hears why the change log could not be read; once, until it can be read again.
	OnFeedError func(error)
	// Webhooks, if set, sends what webhooks are told; without it there can be none.
	Webhooks WebhookSender
	// OnWebhook, if set, hears what an operator should know of a webhook: that it is dead, or that it could not be looked after. The id is "" where it is about all.
	OnWebhook func(id string, err error)
	// Now is the clock that webhooks are tried again by; nil: time.Now.
	Now func() time.Time
}

// New makes a Service.
func New(c Config) *Service {
	s := &Service{store: c.Store, kinds: newKinds(), keys: append([][]byte{c.TokenKey}, c.PreviousTokenKeys...), life: c.MaxTokenLife,
		keeps: c.RestoreWithin, known: newCredentials(), standbys: c.Standbys}
	s.feed, s.hooks = newFeed(s, c), newHooks(s, c)
	return s
}

// write is one write under way: its transaction, its caller, and what it has changed so far.
type write struct {
	*reader
	ctx     context.Context
	s       *Service
	out     *Payload
	touched map[uuid.UUID]*db.Touched
	turns   map[uuid.UUID]bool // of many writes in one, what they took turns for; nil: of one
	missed  *[]uuid.UUID       // what they had to have taken turns for
}

// write runs fn in one transaction, appends what it changed to the log, and reads the selection of its answer, all before the
// commit: a dry run differs in nothing but the rollback at its end. What was done before under the caller's key is not done again.
func (s *Service) write(ctx context.Context, by Caller, dryRun bool, sel Selection, fn func(w *write) error) (*Payload, error) {
	if !by.Known() {
		return nil, deny(by, AccessDecision{})
	}
	for n := 1; ; n++ {
		p, err := s.attempt(ctx, by, dryRun, sel, fn)
		free := false
		if err != nil {
			p, free, err = s.unlessDone(ctx, by, dryRun, err)
		}
		switch {
		case err == nil && p != nil:
			s.wrote(ctx, by, p)
			return p, nil
		case !free || n == onceAttempts:
			return p, err
		}
	}
}

func (s *Service) attempt(ctx context.Context, by Caller, dryRun bool, sel Selection, fn func(w *write) error) (*Payload, error) {
	var out *Payload
	err := s.store.InTx(ctx, !dryRun, func(tx *db.Store) error {
		w := &write{reader: s.newReader(tx, by), ctx: ctx, s: s, out: &Payload{DryRun: dryRun}, touched: map[uuid.UUID]*db.Touched{}}
		if err := fn(w); err != nil {
			return err
		}
		if err := w.flush(sel); err != nil {
			return err
		}
		out = w.out
		if !dryRun && len(out.changes) > 0 {
			out.ConsistencyToken = s.standbys.token(out.changes[0].Tx) // before the answer that Once keeps
		}
		if err := w.answer(sel); err != nil {
			return err
		}
		return w.keep()
	})
	if err != nil {
		return nil, explain(err)
	}
	if !dryRun && len(out.changes) > 0 {
		s.feed.committed()
	}
	return out, nil
}

// flush writes what was gathered: counters and versions of the groups touched, and the change rows.
func (w *write) flush(sel Selection) error {
	ts := make([]db.Touched, 0, len(w.touched))
	for _, t := range w.touched {
		ts = append(ts, *t)
	}
	slices.SortFunc(ts, func(a, b db.Touched) int { return slices.Compare(a.Group[:], b.Group[:]) })
	told := w.s.standbys != nil || slices.ContainsFunc(sel.Links, func(l Link) bool { return l.Field == "changes" || l.Field == "results" })
	return w.store.Record(w.ctx, ts, w.out.changes, told)
}

// touch counts members and admins in or out of a group; any touch makes a new version of it.
func (w *write) touch(group uuid.UUID, members, admins int) {
	t, ok := w.touched[group]
	if !ok {
		t = &db.Touched{Group: group}
		w.touched[group] = t
	}
	t.Members += members
	t.Admins += admins
}

// change gathers a row of the change log. group and user say what it is about; either may be nil.
func (w *write) change(kind ChangeKind, group *db.Group, user *db.User, before, after any) error {
	b, err := image(before)
	if err != nil {
		return err
	}
	a, err := image(after)
	if err != nil {
		return err
	}
	w.log(kind, group, user, b, a)
	return nil
}

func (w *write) log(kind ChangeKind, group *db.Group, user *db.User, before, after []byte) {
	c := db.Change{Kind: string(kind), Actor: w.by.actor(), Via: string(w.by.Via), RequestID: w.by.RequestID, Before: before, After: after}
	if group != nil {
		c.GroupID, c.GroupName = &group.ID, &group.Name
	}
	if user != nil {
		c.UserID, c.Username = &user.ID, &user.Username
	}
	w.out.changes = append(w.out.changes, c)
}

// image is a before or after image; nil for none.
func image(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

// lockGroup finds, locks and reads the group that a write is on, and authorises the caller on the locked row. A group that the
// caller may not see is NOT_FOUND; behind the doors that refuse first, FORBIDDEN.
func (w *write) lockGroup(ref GroupRef, op Operation, expectedVersion *int) (*db.Group, error) {
	g, err := w.lockOne("input.group", ref)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, w.hidden(op)
	}
	if err := w.authorise(g, op); err != nil {
		return nil, err
	}
	if expectedVersion != nil && *expectedVersion != g.Version {
		return nil, &Error{Code: Conflict, Field: "input.expectedVersion", Version: g.Version,
			Message: "The group has changed since: its version is another one."}
	}
	w.out.group = &g.ID
	return g, nil
}

// lockOne finds, locks and reads one group; nil if there is none.
func (w *write) lockOne(field string, ref GroupRef) (*db.Group, error) {
	resolved, err := ref.resolve(field)
	if err != nil {
		return nil, err
	}
	id, err := w.store.TakeTurn(w.ctx, db.GroupIs(resolved))
	if err != nil || id == uuid.Nil {
		return nil, err
	}
	gs, err := w.readLocked([]uuid.UUID{id})
	if err != nil || len(gs) == 0 {
		return nil, err
	}
	return gs[0], nil
}

// lockGroups locks the groups and reads them as they are under the lock, in the order of their ids.
func (w *write) lockGroups(ids []uuid.UUID) ([]*db.Group, error) {
	if err := w.store.TakeTurns(w.ctx, ids); err != nil {
		return nil, err
	}
	return w.readLocked(ids)
}

// readLocked locks and reads groups whose turns are taken, with the counts as this write leaves them so far.
func (w *write) readLocked(ids []uuid.UUID) ([]*db.Group, error) {
	if err := w.turned(ids...); err != nil {
		return nil, err
	}
	gs, err := w.store.LockGroups(w.ctx, ids, w.by.viewer())
	for _, g := range gs {
		if t := w.touched[g.ID]; t != nil {
			g.StoredMemberCount, g.AdminCount = g.StoredMemberCount+t.Members, g.AdminCount+t.Admins
		}
	}
	return gs, err
}

// lockedGroups reads groups that are locked.
func (w *write) lockedGroups(ids []uuid.UUID) ([]*db.Group, error) {
	parts, err := db.Find(w.ctx, w.store, db.Groups, db.List{Columns: groupColumns, Where: db.GroupID.In(db.UUIDs(ids)), Viewer: w.by.viewer()})
	if err != nil {
		return nil, err
	}
	gs := make([]*db.Group, len(parts[0].Rows))
	for i := range gs {
		gs[i] = &parts[0].Rows[i]
	}
	return gs, nil
}

// groupColumns are what a write knows of a group.
var groupColumns = []string{
	"id", "number", "handle", "name", "description", "type", "external_id", "access_type", "folder_owner", "use_default_storage",
	"public", "tags", "version", "updated_at", "stored_member_count", "admin_count", "viewer_is_member", "viewer_is_admin",
}

// authorise decides on the locked row.
func (w *write) authorise(g *db.Group, op Operation) error {
	at := standingIn(w.by, g)
	d := decide(w.by, op, &at)
	switch {
	case d.Allowed:
		return nil
	case !refusesFirst(w.by.Via, op) && !decide(w.by, OperationGroupView, &at).Allowed:
		return hides("input.group", noGroup, d)
	}
	return deny(w.by, d)
}

// refusesFirst reports whether a door's clients expect a refusal before an answer about existence: CDS's by its order of checks,
// Entrust's since its permissions are held or not, whatever the group, and so are the roles that D4Science asks for.
func refusesFirst(d Door, op Operation) bool {
	return d == DoorCDS || d == DoorEntrust || ruleFor(d, op).role != ""
}

const noGroup = "There is no such group, or none that you may see."

// hidden answers for a group that is not there, or not there for this caller.
func (r *reader) hidden(op Operation) error {
	d := decide(r.by, op, &standing{})
	switch {
	case d.Allowed:
		return notFound("input.group", noGroup)
	case refusesFirst(r.by.Via, op):
		return deny(r.by, d)
	}
	return hides("input.group", noGroup, d)
}
