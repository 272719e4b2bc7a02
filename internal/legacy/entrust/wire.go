package entrust

import (
	"time"

	"roster/internal/directory"
)

// jsonType is the content type of every answer that has a body.
const jsonType = "application/json"

// group is the model Group: these keys and no others, since generated clients may refuse unknown ones; externalId is null for a
// group without one (§2).
type group struct {
	Created      string  `json:"created"`
	ExternalID   *string `json:"externalId"`
	ID           string  `json:"id"`
	LastModified string  `json:"lastModified"`
	Name         string  `json:"name"`
	Type         string  `json:"type"`
}

// groupFields are what a group is made of, and its version, for its ETag.
var groupFields = directory.Selection{Fields: []string{"uuid", "name", "externalId", "type", "createdAt", "updatedAt", "version"}}

func groupOf(g *directory.Group) group {
	return group{
		Created: instant(g.CreatedAt), ExternalID: g.ExternalID, ID: g.UUID.String(), LastModified: instant(g.UpdatedAt),
		Name: g.Name, Type: typeNames[g.Type],
	}
}

// typeNames are the values of a group's type: made in the service, or synchronised from a directory (§2).
var typeNames = map[directory.GroupType]string{
	directory.GroupTypeManaged:   "MGMT_UI",
	directory.GroupTypeDirectory: "LDAP_AD",
}

// instant is a time in whole seconds of UTC: what the strictest of the clients seen parses (§1).
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// groupParms is the model GroupParms: of a new group, or what is to change of one (§2).
type groupParms struct {
	Name       *string `json:"name"`
	ExternalID *string `json:"externalId"`
}

func (p groupParms) create() directory.CreateGroupInput {
	in := directory.CreateGroupInput{Admins: []*directory.UserRef{}} // Entrust has no group admins: none is one
	if p.Name != nil {
		in.Name = *p.Name
	}
	if p.ExternalID != nil && *p.ExternalID != "" {
		in.ExternalID = p.ExternalID
	}
	return in
}

// update merges: what is absent or null stays; an externalId of "" is removed (§2).
func (p groupParms) update(ref directory.GroupRef) directory.UpdateGroupInput {
	in := directory.UpdateGroupInput{Group: ref}
	if p.Name != nil {
		in.Name = directory.Some(*p.Name)
	}
	if p.ExternalID != nil {
		in.ExternalID.Set = true
		if *p.ExternalID != "" {
			in.ExternalID.Value = p.ExternalID
		}
	}
	return in
}

// groupID is the model GroupId: an externalId or a name (§2).
type groupID struct {
	ID string `json:"id"`
}

// groupsPage is the model GroupsPage; paging is there always, since clients look into it (§2).
type groupsPage struct {
	Paging  paging  `json:"paging"`
	Results []group `json:"results"`
}

// paging says where the neighbouring pages are: null for none (§2).
type paging struct {
	Limit      int     `json:"limit"`
	NextCursor *string `json:"nextCursor"`
	PrevCursor *string `json:"prevCursor"`
}

// errorInfo is the model ErrorInfo (§2).
type errorInfo struct {
	ErrorCode    string     `json:"errorCode"`
	ErrorMessage string     `json:"errorMessage"`
	Parameters   []struct{} `json:"parameters"`
}

// login is what authenticate is given: an API application, which is a token of Roster's, and its secret (§1).
type login struct {
	ApplicationID    string `json:"applicationId"`
	SharedSecret     string `json:"sharedSecret"`
	EnableWebSession bool   `json:"enableWebSession"` // taken and left: Roster has no web sessions
}

// session is what authenticate answers (§1).
type session struct {
	AuthToken      string `json:"authToken"`
	CreationTime   string `json:"creationTime"`
	ExpirationTime string `json:"expirationTime"`
}
