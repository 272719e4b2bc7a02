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

// stillValid authenticates callers anew, all in one statement: for each who it is now, nobody if the token has ended. A caller who came
// without a token of ours is who it was, for as long as its issuer said.
func (s *Service) stillValid(ctx context.Context, callers []Caller) ([]Caller, error) {
	again := slices.Clone(callers)
	var hashes [][]byte
	places := map[string][]int{} // by hash, whose it is
	for i, by := range callers {
		if by.Until != nil && !by.Until.After(time.Now()) {
			again[i] = Caller{}
		}
		if by.Token == nil || by.Token.hashes == nil {
			continue
		}
		again[i] = Caller{Via: by.Via, RequestID: by.RequestID}
		for _, h := range by.Token.hashes {
			if places[string(h)] == nil {
				hashes = append(hashes, h)
			}
			places[string(h)] = append(places[string(h)], i)
		}
	}
	found, err := s.store.FindCredentials(ctx, hashes)
	if err != nil {
		return nil, err
	}
	for n, c := range found {
		if c == nil || c.Revoked || c.Expired {
			continue
		}
		for _, i := range places[string(hashes[n])] {
			again[i] = callerOf(*c, callers[i].Token.hashes)
			again[i].Via, again[i].RequestID = callers[i].Via, callers[i].RequestID
		}
	}
	return again, nil
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
