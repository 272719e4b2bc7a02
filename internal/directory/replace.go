package directory

import (
	"context"
	"slices"
	"strings"
	"time"

	"roster/db"
)

// ReplaceGroupInput is what a legacy PUT says: fields of the group and its people, in one.
type ReplaceGroupInput struct {
	UpdateGroupInput
	Members       []*UserRef // nil: left alone
	Admins        []*UserRef // nil: left alone
	OnUnknownUser OnUnknownUser
	// UnmodifiedSince refuses with CONFLICT on the field unmodifiedSince if the group was changed after that second.
	UnmodifiedSince *time.Time
	// Distinct refuses a user who is named twice, in one list or in both: in CDS one is an admin or an ordinary member. So an admin
	// who is a member too is not among the members that its clients read and write back, and stays one.
	Distinct bool
}

// ReplaceGroup changes fields of a group and replaces its members and admins, in one transaction; it may leave no admin.
// Codes: NOT_FOUND, FORBIDDEN, CONFLICT (name, externalId, version, unmodifiedSince), LIMIT_EXCEEDED.
func (s *Service) ReplaceGroup(ctx context.Context, by Caller, in ReplaceGroupInput, sel Selection) (*Payload, error) {
	return s.do(ctx, by, in.DryRun, in, sel)
}

func (in ReplaceGroupInput) check(Caller) error { return validSetMembers(in.people()) }

func (in ReplaceGroupInput) people() SetMembersInput {
	return SetMembersInput{Members: in.Members, Admins: in.Admins, OnUnknownUser: in.OnUnknownUser, AdminsStay: in.Distinct}
}

func (in ReplaceGroupInput) run(w *write) error {
	g, err := w.lockGroup(in.Group, OperationGroupUpdate, in.ExpectedVersion)
	if err != nil {
		return err
	}
	if err := w.mayReplace(g, in); err != nil {
		return err
	}
	if err := unmodified(g, in.UnmodifiedSince); err != nil {
		return err
	}
	if err := w.updateGroup(g, in.UpdateGroupInput); err != nil {
		return err
	}
	if in.Distinct {
		if err := w.distinct(in); err != nil {
			return err
		}
	}
	if in.Members != nil {
		if err := w.setMembers(g, in.people()); err != nil {
			return err
		}
	} else if in.Admins != nil {
		return w.setAdmins(g, in.people())
	}
	return nil
}

// mayReplace authorises for the people that are replaced along with the fields.
func (w *write) mayReplace(g *db.Group, in ReplaceGroupInput) error {
	if in.Members != nil {
		if err := w.authorise(g, OperationMembersEdit); err != nil {
			return err
		}
	}
	if in.Admins != nil {
		return w.authorise(g, OperationAdminsEdit)
	}
	return nil
}

// distinct refuses users who are named twice, whatever the spelling.
func (w *write) distinct(in ReplaceGroupInput) error {
	all, err := w.people("input.users", slices.Concat(in.Admins, in.Members), OnUnknownUserFail)
	if err == nil && len(all.users()) < len(all) {
		return invalid("input.users", "A user is named twice.")
	}
	return err
}

// unmodified compares to the second: clients cut the fraction off the time that they were given.
func unmodified(g *db.Group, since *time.Time) error {
	if since != nil && g.UpdatedAt.Truncate(time.Second).After(since.Truncate(time.Second)) {
		return &Error{Code: Conflict, Field: "unmodifiedSince", Version: g.Version, Message: "The group was changed meanwhile."}
	}
	return nil
}

// walkPage is how many groups a walk reads at a time.
const walkPage = 1_000

// WalkGroups hands every group that the caller sees and the filter lets through to each, ordered by name, a page at a time: the
// whole list in constant memory. It ends early with each's error.
func (s *Service) WalkGroups(ctx context.Context, by Caller, filter *GroupFilter, sel Selection, each func(*Group) error) error {
	if err := may(by, OperationGroupList); err != nil {
		return err
	}
	r := s.reads(ctx, by)
	return walk(ctx, r, rootGroups, filter, sel, each)
}

// WalkViewerGroups is WalkGroups for the groups that the caller is in.
func (s *Service) WalkViewerGroups(ctx context.Context, by Caller, filter *GroupFilter, sel Selection, each func(*Group) error) error {
	if err := may(by, OperationGroupList); err != nil {
		return err
	}
	r := s.reads(ctx, by)
	return walk(ctx, r, func(ctx context.Context, r *reader, p Page) (list, error) {
		l, err := viewerGroups(ctx, r, p)
		l.parents = append(l.parents, viewerID(r.by))
		return l, err
	}, filter, sel, each)
}

func walk(ctx context.Context, r *reader, of func(context.Context, *reader, Page) (list, error), filter *GroupFilter, sel Selection, each func(*Group) error) error {
	p := Page{Filter: filter, Rows: true, size: walkPage}
	for {
		r.again(ctx)
		c, err := listed(ctx, r, r.kinds.group, of, p, sel)
		if err != nil {
			return err
		}
		for _, e := range c.Edges {
			if err := each(e.Node); err != nil {
				return err
			}
		}
		if !c.PageInfo.HasNextPage {
			return nil
		}
		p.After = c.PageInfo.EndCursor
	}
}

// People reads a group for its members or admins: it asks for MEMBERS_VIEW where Group asks for GROUP_VIEW. nil if there is
// no such group, or none that the caller may see. Codes: FORBIDDEN.
func (s *Service) People(ctx context.Context, by Caller, ref GroupRef, sel Selection) (*Group, error) {
	seen, err := s.Group(ctx, by, ref, Selection{Fields: []string{"viewerCan"}})
	if err != nil {
		return nil, err
	}
	var at standing
	if seen != nil {
		at = seen.at
	}
	if d := decide(by, OperationMembersView, &at); !d.Allowed && (seen != nil || refusesFirst(by.Via, OperationMembersView)) {
		return nil, deny(by, d)
	}
	if seen == nil {
		return nil, nil
	}
	return s.Group(ctx, by, ref, sel)
}

// Session is a short-lived token that stands for a longer one.
type Session struct {
	Secret               string
	CreatedAt, ExpiresAt time.Time
}

// Exchange makes a short-lived token with the owner and scopes of another, whose id and secret are shown: the log-in of systems
// whose clients authenticate once and send a session's token from then on. It ends with the token that it stands for at the
// latest, so that no chain of sessions outlives that. Anything wrong is UNAUTHENTICATED. admit hears who it is, before anything is
// written, and may refuse.
func (s *Service) Exchange(ctx context.Context, via Door, requestID, tokenID, secret string, life time.Duration, admit func(Caller) error) (*Session, error) {
	by, err := s.AuthenticateNow(ctx, secret)
	if err != nil {
		return nil, err
	}
	if tokenID != typeID(tokenPrefix, by.Token.UUID) && !strings.EqualFold(tokenID, by.Token.UUID.String()) {
		return nil, WrongToken()
	}
	by.Via, by.RequestID = via, requestID
	if err := admit(by); err != nil {
		return nil, err
	}
	var session *Session
	_, err = s.write(ctx, by, false, Selection{}, func(w *write) error {
		made := newSecret()
		end := w.now.Add(life).UTC().Truncate(time.Second)
		if until := by.Token.Until; until != nil && until.Before(end) {
			end = until.UTC().Truncate(time.Second)
		}
		t := &db.Token{ID: newID(), Description: "Session of " + by.Token.Prefix, Prefix: shown(made), Scopes: sessionScopes(by.Token.Scopes),
			Expiration: string(TokenExpirationCustom), ExpiresAt: &end, CreatedBy: by.id(), GroupID: by.Token.Group, ParentID: &by.Token.root}
		if t.GroupID == nil {
			t.UserID = by.id()
		}
		g, u, err := w.ownerNames(t)
		if err != nil {
			return err
		}
		if err := w.store.InsertToken(w.ctx, t, s.hash(made)); err != nil {
			return err
		}
		session = &Session{Secret: made, CreatedAt: t.CreatedAt.UTC().Truncate(time.Second), ExpiresAt: end}
		return w.change(ChangeKindTokenCreated, g, u, nil, imageOfToken(t))
	})
	return session, err
}

// sessionScopes are those of the token but TOKENS_EDIT: with it a session could make a token that outlives it.
func sessionScopes(scopes []Permission) []string {
	return texts(slices.DeleteFunc(slices.Clone(scopes), func(p Permission) bool { return p == PermissionTokensEdit }))
}

// ownerNames are the group or the user of a token as the change log names them.
func (w *write) ownerNames(t *db.Token) (*db.Group, *db.User, error) {
	if t.GroupID == nil {
		return nil, &db.User{ID: *t.UserID, Username: w.by.User.Username}, nil
	}
	parts, err := db.Find(w.ctx, w.store, db.Groups, db.List{Columns: []string{"id", "name"}, Where: db.GroupID.Eq(t.GroupID.String())})
	if err != nil || len(parts[0].Rows) == 0 {
		return nil, nil, err
	}
	return &parts[0].Rows[0], nil, nil
}
