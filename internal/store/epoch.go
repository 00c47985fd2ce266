package store

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// TakeEpoch makes holder the leader and returns its epoch, which is one higher than any before. From this moment every
// write with an older epoch is refused. Whoever takes the leader's lease calls it first.
func (db *DB) TakeEpoch(ctx context.Context, holder string) (epoch int64, err error) {
	err = db.write(ctx, "take the epoch", func(tx *Tx) error {
		err := tx.change(ctx, "UPDATE leadership SET epoch = epoch + 1, holder = @holder, taken_at = @now WHERE id = 1",
			p("holder", holder), p("now", tx.now))
		if err != nil {
			return err
		}
		epoch, err = tx.int(ctx, "SELECT epoch FROM leadership WHERE id = 1")
		return err
	})
	return epoch, err
}

// fence is the first statement of every leader write. Being an update, it also holds off TakeEpoch until this
// transaction has ended, so that no write of an old leader can commit after a new one has begun.
func (tx *Tx) fence(ctx context.Context, epoch int64) error {
	n, err := tx.exec(ctx, "UPDATE leadership SET epoch = epoch WHERE id = 1 AND epoch = @epoch", p("epoch", epoch))
	if err == nil && n == 0 {
		return azfunc.Errorf(azfunc.Fenced, "the leader's epoch %d is over; another manager leads now", epoch)
	}
	return err
}
