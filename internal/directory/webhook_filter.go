package directory

import (
	"encoding/json"

	"github.com/google/uuid"

	"roster/db"
)

// filterImage is a ChangeFilter as it is kept and shown: as the API spells it. A list that was given empty is not one that was left out.
type filterImage struct {
	Group *refImage    `json:"group,omitempty"`
	User  *refImage    `json:"user,omitempty"`
	Kinds []ChangeKind `json:"kinds,omitzero"`
	Via   []Door       `json:"via,omitzero"`
	Actor *string      `json:"actor,omitempty"`
}

type refImage struct {
	ID         *string    `json:"id,omitempty"`
	UUID       *uuid.UUID `json:"uuid,omitempty"`
	Number     *int       `json:"number,omitempty"`
	Handle     *string    `json:"handle,omitempty"`
	Name       *string    `json:"name,omitempty"`
	Username   *string    `json:"username,omitempty"`
	ExternalID *string    `json:"externalId,omitempty"`
}

// keptFilter is a filter as it is kept; nil for none. One that no list of changes would take is refused.
func keptFilter(f *ChangeFilter) ([]byte, error) {
	if f == nil {
		return nil, nil
	}
	if _, err := changeFilter(f); err != nil {
		return nil, refield(err, "input."+AsError(err).Field)
	}
	image := filterImage{Kinds: f.Kinds, Via: f.Via, Actor: f.Actor}
	if g := f.Group; g != nil {
		image.Group = &refImage{ID: g.ID, UUID: g.UUID, Number: g.Number, Handle: g.Handle, Name: g.Name, ExternalID: g.ExternalID}
	}
	if u := f.User; u != nil {
		image.User = &refImage{ID: u.ID, UUID: u.UUID, Number: u.Number, Username: u.Username, ExternalID: u.ExternalID}
	}
	return json.Marshal(image)
}

// filterKept is the filter that was kept so.
func filterKept(kept []byte) (*ChangeFilter, error) {
	if kept == nil {
		return nil, nil
	}
	var image filterImage
	if err := json.Unmarshal(kept, &image); err != nil {
		return nil, err
	}
	f := &ChangeFilter{Kinds: image.Kinds, Via: image.Via, Actor: image.Actor}
	if g := image.Group; g != nil {
		f.Group = &GroupRef{ID: g.ID, UUID: g.UUID, Number: g.Number, Handle: g.Handle, Name: g.Name, ExternalID: g.ExternalID}
	}
	if u := image.User; u != nil {
		f.User = &UserRef{ID: u.ID, UUID: u.UUID, Number: u.Number, Username: u.Username, ExternalID: u.ExternalID}
	}
	return f, nil
}

// logPlace is a place of the change log as it is kept beside a webhook: of which database, and for cursors of which filter.
type logPlace struct {
	log   changeLog
	at    db.Place
	print uint64
}

// placeIn is a place, for cursors that are those of Changes with the kept filter.
func placeIn(epoch string, at db.Place, filter []byte) (logPlace, error) {
	p := logPlace{log: changeLog{db.Log{Epoch: epoch}}, at: at}
	f, err := filterKept(filter)
	if err != nil {
		return p, err
	}
	cond, err := changeFilter(filterOf(f))
	p.print = fingerprint("changes", byLog, cond)
	return p, err
}

// cursor spells the place as Changes does.
func (p *logPlace) cursor() string { return p.log.cursor(p.at, p.print) }

// placeOf is the place that a cursor of Changes with that filter spells, if the log still goes on from there.
func placeOf(field, cursor string, log *changeLog, print uint64) (db.Place, error) {
	at, err := decodeCursor(field, cursor, print, 2+len(log.tag()))
	if err != nil {
		return db.Place{}, err
	}
	if at, err = log.enter(at, print); err != nil {
		return db.Place{}, refield(err, field)
	}
	place, _ := db.PlaceOf(at) // enter has looked
	return place, nil
}
