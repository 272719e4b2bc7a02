package cds

import (
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// getGroupTokenList lists the tokens of a group (§4.9). A member who may not see them is refused without an envelope.
func (d *door) getGroupTokenList(w http.ResponseWriter, r *legacy.Request) error {
	g, err := d.dir.RequireGroup(r.Context(), r.By, named(r), withTokens)
	if err != nil {
		return err
	}
	if !g.ViewerCan().ManageTokens {
		return write(w, http.StatusForbidden, nil)
	}
	list, err := tokensOf(g)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, list)
}

// made reads the token of a write's answer, with its group.
var made = directory.Want(directory.Link{Key: "token", Field: "token", Select: directory.Selection{
	Fields: asToken.Fields,
	Links:  []directory.Link{byCreator, {Key: "owner", Field: "owner", ByType: map[string]directory.Selection{"Group": groupRef}}},
}})

// generateToken makes a token of a group; this answer is the only one with its secret (§4.8).
func (d *door) generateToken(w http.ResponseWriter, r *legacy.Request) error {
	in, err := decodeToken(r)
	if err != nil {
		return d.unless(r, directory.OperationTokensEdit, err)
	}
	return legacy.Write(w, r, d.dir.CreateToken, in, made, writeMade)
}

// writeMade answers a new token with its secret.
func writeMade(w http.ResponseWriter, _ *legacy.Request, p *directory.Payload) error {
	t, err := directory.Linked[*directory.Token](p, "token")
	if err != nil {
		return err
	}
	g, err := directory.Linked[*directory.Group](t, "owner")
	if err != nil {
		return err
	}
	wire, err := tokenOf(t, g, p.Secret)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire)
}

func decodeToken(r *legacy.Request) (directory.CreateTokenInput, error) {
	var t TokenRequest
	if err := legacy.DecodeJSON(r, &t); err != nil {
		return directory.CreateTokenInput{}, err
	}
	e, ok := expirationNames[t.Expiration]
	if !ok {
		return directory.CreateTokenInput{}, &directory.Error{Code: directory.Invalid, Field: "body",
			Message: "expiration is session, daily or persistent"}
	}
	ref := named(r)
	return directory.CreateTokenInput{Group: &ref, Description: &t.Description, Expiration: &e}, nil
}

// deleteToken ends a token of the group, if there is one of that number (§4.10).
func (d *door) deleteToken(w http.ResponseWriter, r *legacy.Request) error {
	n, err := integer(r, "tokenid")
	if err != nil {
		return d.unless(r, directory.OperationTokensEdit, err)
	}
	in := directory.RevokeGroupTokenInput{Group: named(r), Number: n}
	return legacy.Write(w, r, d.dir.RevokeGroupToken, in, directory.Selection{}, func(w http.ResponseWriter, _ *legacy.Request, _ *directory.Payload) error {
		return write(w, http.StatusOK, nil)
	})
}
