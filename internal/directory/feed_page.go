package directory

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"roster/db"
)

// feedPage are changes on their way to the streams, with what decides who gets them. It is read after them: nobody is shown a change who
// might not read it in the log at this moment.
type feedPage struct {
	changes   []*Change
	groups    map[uuid.UUID]db.Group    // that the changes are about and that are still there
	standings map[[2]uuid.UUID]db.Group // by group and user: the group with the user's standing in it
	groupRefs map[db.GroupRef]uuid.UUID // what the references in the streams' filters name now
	userRefs  map[db.UserRef]uuid.UUID
}

func (r *feedReader) newFeedPage(ctx context.Context, rows []db.Change, streams []*Stream) (*feedPage, error) {
	p := &feedPage{changes: changesOf(rows), groups: map[uuid.UUID]db.Group{}, standings: map[[2]uuid.UUID]db.Group{},
		groupRefs: map[db.GroupRef]uuid.UUID{}, userRefs: map[db.UserRef]uuid.UUID{}}
	if err := p.readStandings(ctx, r.s.store, streams); err != nil {
		return nil, err
	}
	return p, p.resolve(ctx, r.s.store, streams)
}

// readStandings reads what streams need whose callers do not see all changes.
func (p *feedPage) readStandings(ctx context.Context, store *db.Store, streams []*Stream) error {
	users, groups := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	some := false
	for _, st := range streams {
		if by := st.caller(); !seesAllChanges(by) {
			some = true
			users[by.viewer()] = true
		}
	}
	for _, c := range p.changes {
		if c.groupID != nil {
			groups[*c.groupID] = true
		}
	}
	if !some || len(groups) == 0 {
		return nil
	}
	found, err := store.Standings(ctx, keys(groups), keys(users))
	for _, s := range found {
		g := db.Group{ID: s.Group, Public: s.Public, Type: s.Type}
		p.groups[g.ID] = g
		if s.User != uuid.Nil {
			g.ViewerIsMember, g.ViewerIsAdmin = s.IsMember, s.Admin
			p.standings[[2]uuid.UUID{g.ID, s.User}] = g
		}
	}
	return err
}

// resolve finds what the filters of the streams name by anything but an id.
func (p *feedPage) resolve(ctx context.Context, store *db.Store, streams []*Stream) error {
	for _, st := range streams {
		if ref := st.sieve.group; ref != nil && ref.ID == uuid.Nil {
			p.groupRefs[*ref] = uuid.Nil
		}
		if ref := st.sieve.user; ref != nil && ref.ID == uuid.Nil {
			p.userRefs[*ref] = uuid.Nil
		}
	}
	if groups := keys(p.groupRefs); len(groups) > 0 {
		ids, err := store.FindGroups(ctx, groups)
		if err != nil {
			return err
		}
		for i, id := range ids {
			p.groupRefs[groups[i]] = id
		}
	}
	if users := keys(p.userRefs); len(users) > 0 {
		found, err := store.FindUsers(ctx, users)
		if err != nil {
			return err
		}
		for _, u := range found {
			p.userRefs[users[u.Index]] = u.ID
		}
	}
	return nil
}

// changesOf are rows as objects of their own.
func changesOf(rows []db.Change) []*Change {
	cs := make([]*Change, len(rows))
	for i := range rows {
		c := changeOf(&rows[i])
		cs[i] = &c
	}
	return cs
}

func keys[K comparable, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// seesAllChanges reports whether changesWhere holds for every change.
func seesAllChanges(by Caller) bool { return groupsWhere(by, OperationChangesView).IsZero() }

// visible reports whether a caller sees a change: changesWhere, in memory. decided keeps what was decided for a standing.
func (p *feedPage) visible(by Caller, c *Change, decided map[standing]bool) bool {
	if c.groupID == nil {
		return false
	}
	g, ok := p.groups[*c.groupID]
	if !ok {
		return false
	}
	if mine, ok := p.standings[[2]uuid.UUID{g.ID, by.viewer()}]; ok {
		g = mine
	}
	at := standingIn(by, &g)
	allowed, ok := decided[at]
	if !ok {
		allowed = decide(by, OperationChangesView, &at).Allowed
		decided[at] = allowed
	}
	return allowed
}

// sieve is a ChangeFilter for changes in memory: changeFilter says the same in SQL, and a test holds them together.
type sieve struct {
	group *db.GroupRef
	user  *db.UserRef
	kinds []ChangeKind
	via   []Door
	actor *string
}

// newSieve makes the sieve of a filter that changeFilter has accepted.
func newSieve(f *ChangeFilter) (sieve, error) {
	if f == nil {
		return sieve{}, nil
	}
	s := sieve{kinds: f.Kinds, via: f.Via, actor: f.Actor}
	if f.Group != nil {
		ref, err := f.Group.resolve("filter.group")
		if err != nil {
			return s, err
		}
		s.group = &ref
	}
	if f.User != nil {
		ref, err := f.User.resolve("filter.user")
		if err != nil {
			return s, err
		}
		s.user = &ref
	}
	return s, nil
}

func (s *sieve) lets(c *Change, p *feedPage) bool {
	return (s.kinds == nil || slices.Contains(s.kinds, c.Kind)) &&
		(s.via == nil || slices.Contains(s.via, c.Via)) &&
		(s.actor == nil || *s.actor == c.Actor) &&
		(s.group == nil || names(s.group.ID, p.groupRefs, *s.group, c.groupID)) &&
		(s.user == nil || names(s.user.ID, p.userRefs, *s.user, c.userID))
}

// names reports whether a reference, by the id in it or by what it was found to name, is to that id.
func names[R comparable](id uuid.UUID, found map[R]uuid.UUID, ref R, is *uuid.UUID) bool {
	if id == uuid.Nil {
		id = found[ref]
	}
	return is != nil && id != uuid.Nil && *is == id
}
