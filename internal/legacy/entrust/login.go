package entrust

import (
	"net/http"
	"time"

	"roster/internal/auth"
	"roster/internal/directory"
	"roster/internal/legacy"
)

// sessionLife is how long a log-in lasts: what the vendor's examples show (§1).
const sessionLife = 15 * time.Minute

// authenticate answers a token that stands for the API application's own for a quarter of an hour (§1).
func (d door) authenticate(w http.ResponseWriter, r *legacy.Request) error {
	var in login
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	if in.ApplicationID == "" || in.SharedSecret == "" {
		return invalid("applicationId", "Both applicationId and sharedSecret are required.")
	}
	s, err := auth.Attempt(r.Context(), func() bool { return d.dir.Remembers(in.SharedSecret) }, func() (*directory.Session, error) {
		return d.dir.Exchange(r.Context(), directory.DoorEntrust, r.RequestID(), in.ApplicationID, in.SharedSecret, sessionLife, r.Found)
	})
	if err != nil {
		return err
	}
	return legacy.WriteJSON(w, http.StatusOK, jsonType,
		session{AuthToken: s.Secret, CreationTime: instant(s.CreatedAt), ExpirationTime: instant(s.ExpiresAt)})
}
