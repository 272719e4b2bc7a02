package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"roster/db"
)

// Size is how much load data to make.
type Size struct{ Groups, Users, Memberships int }

// Bounds of a Size: below, the shapes lose their sense; above, one transaction is no way to fill a database.
const (
	minSeed        = 10
	maxSeed        = 9_999_999
	maxMemberships = 100_000_000

	bigGroup = 100_000 // members of the one big group, if there are that many to be had
)

// Seed fills an empty database, whose schema is there, with load data: the same for the same size, in about a minute for 100,000
// groups, 200,000 users and a million memberships. One group has 100,000 members, or half of the users; one user is in a tenth of
// the groups; the rest is spread unevenly. It goes past the directory, by statements that make all rows of a table at once, and
// writes the change log as the directory would have. A database that is not empty is refused: db.ErrNotEmpty.
func Seed(ctx context.Context, url string, size Size, progress io.Writer) error {
	if progress == nil {
		progress = io.Discard
	}
	parts, err := size.parts()
	if err != nil {
		return err
	}
	began := time.Now()
	err = db.Seed(ctx, url, parts, func(step string, rows int, took time.Duration) {
		what := step
		if rows > 0 {
			what = number(rows) + " " + step
		}
		fmt.Fprintf(progress, "%-28s %6.1f s\n", what, took.Seconds())
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "%s, %s and %s (%s in one group, %s of one user) in %.0f s\n", counted(size.Groups, "group"),
		counted(size.Users, "user"), counted(size.Memberships, "membership"), number(parts.Big), number(parts.Wide), time.Since(began).Seconds())
	return nil
}

// parts checks the size and divides the memberships. All that is wrong is said at once.
func (s Size) parts() (db.SeedSize, error) {
	within := func(what string, n, least, most int) error {
		if n < least || n > most {
			return fmt.Errorf("%s: %s is not between %s and %s", what, number(n), number(least), number(most))
		}
		return nil
	}
	err := errors.Join(within("groups", s.Groups, minSeed, maxSeed), within("users", s.Users, minSeed, maxSeed),
		within("memberships", s.Memberships, 0, maxMemberships))
	if err != nil {
		return db.SeedSize{}, err
	}
	p := db.SeedSize{Groups: s.Groups, Users: s.Users, Memberships: s.Memberships}
	p.Big = min(bigGroup, s.Users/2, s.Memberships/4)
	p.Wide = min(s.Groups/10, s.Memberships/4)
	// The largest of the others has its share by the square root of its rank, and needs as many users.
	if most := int(float64(s.Users-2) * math.Sqrt(float64(s.Groups-1))); s.Memberships-p.Big-p.Wide > most {
		return p, fmt.Errorf("memberships: at most %s fit so few groups and users", number(most))
	}
	return p, nil
}
