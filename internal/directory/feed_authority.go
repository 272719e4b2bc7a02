package directory

import (
	"context"
	"slices"
	"time"

	"roster/db"
)

// endsAuthority are the kinds of change after which a caller may be another, or nobody.
var endsAuthority = []ChangeKind{ChangeKindTokenRotated, ChangeKindTokenRevoked, ChangeKindUserUpdated, ChangeKindUserDeleted, ChangeKindGroupDeleted}

// StillValid authenticates a caller who stays anew. Codes: UNAUTHENTICATED.
func (s *Service) StillValid(ctx context.Context, by Caller) (Caller, error) {
	again, err := s.stillValid(ctx, []Caller{by})
	if err != nil {
		return Caller{}, err
	}
	if !again[0].Known() {
		return Caller{}, wrongSecret
	}
	return again[0], nil
}

// stillValid authenticates callers anew, in one statement for those with tokens of ours and one for those whom an issuer vouched for: for
// each who it is now, nobody if the token has ended or the user is gone.
func (s *Service) stillValid(ctx context.Context, callers []Caller) ([]Caller, error) {
	again := slices.Clone(callers)
	if err := s.lookUp(ctx, again); err != nil {
		return nil, err
	}
	return again, s.presentAgain(ctx, again)
}

// lookUp has callers whom an issuer vouched for be who they are now. The issuer's word holds for as long as it said; the user and the
// roles that Roster keeps are as they are.
func (s *Service) lookUp(ctx context.Context, callers []Caller) error {
	var refs []db.UserRef
	var places []int
	now := time.Now()
	for i, by := range callers {
		if by.vouched == nil {
			continue
		}
		callers[i] = Caller{Via: by.Via, RequestID: by.RequestID}
		if by.Until.After(now) {
			callers[i].Permissions, callers[i].Until, callers[i].vouched = by.Permissions, by.Until, by.vouched
			refs, places = append(refs, db.UserRef{ID: by.User.UUID}), append(places, i)
		}
	}
	if refs == nil {
		return nil
	}
	found, err := s.store.FindUsers(ctx, refs)
	for _, u := range found {
		by := &callers[places[u.Index]]
		by.User, by.Roles = &CallerUser{UUID: u.ID, Username: u.Username}, by.vouched.rolesWith(u.Roles)
	}
	return err
}

// presentAgain has callers with tokens of ours be who they are now.
func (s *Service) presentAgain(ctx context.Context, callers []Caller) error {
	var hashes [][]byte
	places, before := map[string][]int{}, slices.Clone(callers) // by hash, whose it is
	for i, by := range before {
		if by.Token == nil || by.Token.hashes == nil {
			continue
		}
		callers[i] = Caller{Via: by.Via, RequestID: by.RequestID}
		for _, h := range by.Token.hashes {
			if places[string(h)] == nil {
				hashes = append(hashes, h)
			}
			places[string(h)] = append(places[string(h)], i)
		}
	}
	found, err := s.store.FindCredentials(ctx, hashes)
	if err != nil {
		return err
	}
	for n, c := range found {
		if c == nil || c.Revoked || c.Expired {
			continue
		}
		for _, i := range places[string(hashes[n])] {
			callers[i] = callerOf(*c, before[i].Token.hashes)
			callers[i].Via, callers[i].RequestID = before[i].Via, before[i].RequestID
		}
	}
	return nil
}

// authenticate looks from time to time who the callers of the streams are now, and at once if one of the changes may have made another
// of them. Streams of those who are nobody any more end.
func (r *feedReader) authenticate(ctx context.Context, cs []db.Change) error {
	due := time.Since(r.checked) > feedRecheck || slices.ContainsFunc(cs, func(c db.Change) bool {
		return slices.Contains(endsAuthority, ChangeKind(c.Kind))
	})
	if !due {
		return nil
	}
	streams := r.all()
	now := time.Now()
	again, err := r.s.stillValid(ctx, mapped(streams, (*Stream).caller))
	if err != nil {
		return err
	}
	for i, st := range streams {
		st.become(again[i])
	}
	r.checked = now
	return nil
}
