package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"roster/db"
	"roster/internal/directory"
)

// Writes of members beside bare SQL that writes the same rows and checks nothing. They take turns, so that all meet the same machine:
//
//	go test ./internal/directory -run '^$' -bench Member
//
// "x bare" is how many times as long as bare SQL the directory takes.

// way is one way to do something; undo, which is not timed, makes it possible again.
type way struct {
	name string
	do   func()
}

// race times the ways in turns; the last one is bare SQL.
func race(b *testing.B, undo func(), ways ...way) {
	b.Helper()
	took := make([]time.Duration, len(ways))
	for n := 0; b.Loop(); n++ {
		for i := range ways {
			at := (i + n) % len(ways)
			start := time.Now()
			ways[at].do()
			took[at] += time.Since(start)
			undo()
		}
	}
	for i, w := range ways {
		b.ReportMetric(float64(took[i].Microseconds())/float64(b.N), "µs/"+w.name)
	}
	b.ReportMetric(float64(took[0])/float64(took[len(ways)-1]), "x-bare")
	b.ReportMetric(0, "ns/op") // of all ways and the undoing: it says nothing
}

var plainPayload = directory.Want(
	directory.Link{Key: "group", Field: "group", Select: directory.Selection{Fields: []string{"id", "memberCount", "version"}}},
	directory.Link{Key: "outcomes", Field: "outcomes", Select: directory.Selection{Fields: []string{"username", "result"}}})

func newBench(b *testing.B) *world {
	b.Helper()
	w := newWorldWith(b, db.Options{StatementTimeout: time.Minute})
	w.manyUsers(20_000)
	w.group("g", "", "u0 u1", false)
	w.exec("VACUUM ANALYZE")
	return w
}

func (w *world) empty() {
	w.exec(`TRUNCATE members, changes`)
	w.exec(`UPDATE groups SET member_count = 0`)
}

// bare writes members, the group's counter and the changes in one transaction. %s is an array of names.
var bare = []string{
	`INSERT INTO members (id, group_id, user_id, username_key, via) SELECT gen_random_uuid(), g.id, u.id, u.username_key, 'BARE'
		FROM unnest(%s::text[]) n(name) JOIN users u ON u.username_key = n.name JOIN groups g ON g.name = 'g'`,
	`UPDATE groups SET member_count = member_count + cardinality(%s::text[]), version = version + 1, updated_at = now() WHERE name = 'g'`,
	`INSERT INTO changes (kind, actor, via, group_id, group_name, user_id, username, after)
		SELECT 'MEMBER_ADDED', 'bare', 'BARE', g.id, g.name, u.id, u.username, '{"expiresAt": null}'
		FROM unnest(%s::text[]) n(name) JOIN users u ON u.username_key = n.name JOIN groups g ON g.name = 'g'`,
}

func (w *world) bare(names string) {
	tx, err := w.beam.BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, text := range bare {
		if _, err := tx.ExecContext(w.t.Context(), fmt.Sprintf(text, names)); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func BenchmarkAddMembers(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newBench(b)
			by, g, all := w.as("u1"), directory.GroupByName("g"), numbered(0, n)
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("u%d", i)
			}
			array := "'{" + strings.Join(names, ",") + "}'"
			race(b, w.empty,
				way{"roster", func() {
					w.did(w.AddMembers(b.Context(), by, directory.AddMembersInput{Group: g, Users: all}, plainPayload))
				}},
				way{"bare", func() { w.bare(array) }})
		})
	}
}

// BenchmarkOneMember adds one user: in one statement, in the ordinary transaction, and in bare SQL.
func BenchmarkOneMember(b *testing.B) {
	w := newBench(b)
	by, g, user := w.as("u1"), directory.GroupByName("g"), numbered(7, 8)
	in := directory.AddMembersInput{Group: g, Users: user}
	one := fmt.Sprintf("WITH m AS ("+bare[0]+"), g AS ("+bare[1]+") "+bare[2], "'{u7}'", "'{u7}'", "'{u7}'")
	race(b, func() { w.exec(`DELETE FROM members`) },
		way{"one", func() { w.did(w.AddMembers(b.Context(), by, in, plainPayload)) }},
		way{"ordinary", func() { w.did(w.AddMembersOrdinarily(b.Context(), by, in, plainPayload)) }},
		way{"bare", func() { w.exec(one) }})
}
