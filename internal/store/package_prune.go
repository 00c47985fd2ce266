package store

import (
	"context"
	"time"
)

// deleteBatch is how many pieces (of 1 MiB) one transaction removes.
const deleteBatch = 32

// PrunePackages removes the packages that nobody can need any more and returns how many. Kept are those of live and desired
// revisions, of deployments that are active or under way, of each app's last keepPerApp successful deployments, and
// those brought in or asked for within the last hour. Uploads that broke off go too, after the same hour.
func (db *DB) PrunePackages(ctx context.Context, keepPerApp int) (removed int, err error) {
	dead, err := db.deadUploads(ctx)
	if err != nil {
		return 0, err
	}
	for _, upload := range dead {
		if err := db.deleteUpload(ctx, upload); err != nil {
			return 0, err
		}
	}
	var uploads []string
	err = db.write(ctx, "prune packages", func(tx *Tx) error {
		uploads, err = tx.forgetPackages(ctx, keepPerApp)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, upload := range uploads {
		if err := db.deleteUpload(ctx, upload); err != nil {
			return 0, err
		}
	}
	return len(uploads), nil
}

// forgetPackages turns packages into uploads without an owner: from here on nobody sees them, and if the removal of
// their pieces is interrupted, the next prune ends it.
func (tx *Tx) forgetPackages(ctx context.Context, keepPerApp int) ([]string, error) {
	const unused = `touched_at < @before
		AND sha256 NOT IN (SELECT package_sha256 FROM revisions WHERE ` + liveCondition + `)
		AND sha256 NOT IN (SELECT r.package_sha256 FROM revisions r JOIN apps a ON a.id = r.app_id AND a.desired_revision = r.number)
		AND sha256 NOT IN (SELECT package_sha256 FROM deployments WHERE running = 1 OR active = 1)
		AND sha256 NOT IN (SELECT d.package_sha256 FROM deployments d WHERE d.status = 4 AND @keep >
			(SELECT COUNT(*) FROM deployments n WHERE n.app_id = d.app_id AND n.status = 4 AND n.seq >= d.seq) - 1)`
	before := p("before", tx.now.Add(-packageGrace))
	uploads, err := list(ctx, tx, scanText, "SELECT upload_id FROM packages WHERE "+unused, before, p("keep", keepPerApp))
	if err != nil {
		return nil, err
	}
	var forgotten []string
	for _, upload := range uploads {
		// Asked for since it was listed: somebody is about to accept it.
		n, err := tx.exec(ctx, "DELETE FROM packages WHERE upload_id = @upload AND touched_at < @before", p("upload", upload), before)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		forgotten = append(forgotten, upload)
		_, err = tx.exec(ctx, "INSERT INTO uploads (id, touched_at) VALUES (@upload, @old)", p("upload", upload), p("old", time.Time{}))
		if err != nil {
			return nil, err
		}
	}
	return forgotten, nil
}

func (db *DB) deadUploads(ctx context.Context) (dead []string, err error) {
	err = db.read(ctx, "list dead uploads", func(tx *Tx) error {
		dead, err = list(ctx, tx, scanText, "SELECT id FROM uploads WHERE touched_at < @before",
			p("before", tx.now.Add(-packageGrace)))
		return err
	})
	return dead, err
}

func scanText(r row) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// deleteUpload removes an upload's pieces from the last to the first, a few in each transaction, and then its own row:
// that order lets an interrupted removal be found and ended.
func (db *DB) deleteUpload(ctx context.Context, upload string) error {
	for {
		var left int64
		err := db.write(ctx, "remove pieces of a package", func(tx *Tx) (err error) {
			left, err = tx.int(ctx, "SELECT COUNT(*) FROM package_chunks WHERE upload_id = @upload", p("upload", upload))
			if err != nil {
				return err
			}
			_, err = tx.exec(ctx, "DELETE FROM package_chunks WHERE upload_id = @upload AND seq >= @from",
				p("upload", upload), p("from", left-deleteBatch))
			if err != nil || left > deleteBatch {
				return err
			}
			_, err = tx.exec(ctx, "DELETE FROM uploads WHERE id = @upload", p("upload", upload))
			return err
		})
		if err != nil || left <= deleteBatch {
			return err
		}
	}
}
