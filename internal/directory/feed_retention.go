package directory

import (
	"context"
	"errors"
	"time"

	"roster/db"
)

// KeepChanges looks after the change log: it makes room ahead of time, and drops what is older than it is to be kept, whole partitions at
// a time; 0 keeps everything. It says how many it dropped. Readers in the window notice nothing, those behind it get RESYNC_REQUIRED.
// Somebody must call it every few minutes, on any of the servers of a database or on all.
func (s *Service) KeepChanges(ctx context.Context, keep time.Duration) (dropped int, err error) {
	err = s.store.InTx(ctx, true, func(tx *db.Store) error { return tx.PrepareChanges(ctx) })
	for err == nil && keep > 0 {
		var did bool
		err = s.store.InTx(ctx, true, func(tx *db.Store) error {
			var err error
			did, err = tx.DropChanges(ctx, keep)
			return err
		})
		if err != nil || !did {
			break
		}
		dropped++
	}
	var de *db.Error
	if errors.As(err, &de) && de.Kind == db.Timeout { // somebody was reading or writing for long: the next call will do it
		return dropped, nil
	}
	return dropped, err
}
