package directory

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"roster/db"
)

// AuditReport says of everything that always has to hold in a directory whether it does.
type AuditReport struct {
	OK bool `json:"ok"`
	// LogFrom is the place in the change log after which it is all there; nothing if it is there from its beginning.
	LogFrom    string           `json:"logFrom,omitempty"`
	Audits     []AuditResult    `json:"checks"`
	Violations []AuditViolation `json:"violations"`
}

// AuditResult is one thing that was looked at.
type AuditResult struct {
	Name       string `json:"check"`
	Meaning    string `json:"meaning"`
	Rows       int64  `json:"rows"`
	Unproven   int64  `json:"unproven"` // of them, for want of changes that were dropped for their age
	Violations int64  `json:"violations"`
}

// AuditViolation is a row that is not as it has to be. The ids are those of the API; a row that is none of the three is What.
type AuditViolation struct {
	Audit    string `json:"check"`
	Group    string `json:"group,omitempty"`
	User     string `json:"user,omitempty"`
	Token    string `json:"token,omitempty"`
	What     string `json:"what,omitempty"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// Audit proves a directory in use: that what is kept beside its rows agrees with them, and that the change log from its beginning gives
// what the tables hold. Of each audit it reports so many violations at most, and counts them all. It only reads, in one snapshot. pooled says
// that the URL is of a pooler in transaction mode.
func Audit(ctx context.Context, url string, pooled bool, most int) (AuditReport, error) {
	r := AuditReport{OK: true, Violations: []AuditViolation{}}
	from, err := db.Audit(ctx, url, pooled, func(a db.Audited, v db.Violation) {
		r.OK = false
		if a.Violated <= int64(most) {
			r.Violations = append(r.Violations, AuditViolation{a.Name, idOr(groupPrefix, v.Group), idOr(userPrefix, v.User), idOr(tokenPrefix, v.Token),
				v.What, v.Expected, v.Found})
		}
	}, func(a db.Audited) {
		r.Audits = append(r.Audits, AuditResult{a.Name, a.Meaning, a.Rows, a.Unproven, a.Violated})
	})
	if err != nil {
		return AuditReport{}, explain(err)
	}
	if from != (db.Place{}) {
		r.LogFrom = strings.Join(from.Cursor(), " ")
	}
	return r, nil
}

func idOr(prefix string, id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return typeID(prefix, *id)
}

// About names what a violation is of.
func (v AuditViolation) About() string {
	return strings.Join(strings.Fields(strings.Join([]string{v.Group, v.User, v.Token, v.What}, " ")), " ")
}
