package db

import (
	"testing"
	"time"
)

// TestChangesAreOrderedByNumber: the first and the last change of a part of the log are those by the number of their transactions, not by how
// it is spelled, where 100 comes before 99.
func TestChangesAreOrderedByNumber(t *testing.T) {
	t.Parallel()
	s := withSchema(t)
	s.run(t, `INSERT INTO changes (tx, at, kind, actor, via) SELECT tx::xid8, now() - since::interval, 'X', '', ''
		FROM (VALUES ('99', '10 h'), ('100', '1 min'), ('9500000', '10 h'), ('10000000', '2 min')) c(tx, since)`)
	old, last, err := s.isOld(t.Context(), partition{"", 0, 101}, time.Hour)
	if err != nil || old || last.Tx != 100 {
		t.Errorf("the last change is %d, said to be old: %t %v", last.Tx, old, err)
	}
	const want = 1_000_000 * 24 / 10 // of the last million transactions in ten hours
	if day, err := s.dayOfChanges(t.Context(), 10_500_000); err != nil || day < want-want/100 || day > want+want/100 {
		t.Errorf("a day has %d transactions, not %d: %v", day, want, err)
	}
}
