package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// chunkBytes is the size of a package's pieces. Each is its own transaction, which keeps the one writer free for
// others between two of them: about 5 ms on a disk that syncs in 1 ms.
const chunkBytes = 1 << 20

// packageGrace is how long a package that nothing refers to is kept: the time between bringing it in and accepting its
// deployment. An upload that has not moved for as long is dead.
const packageGrace = time.Hour

// HasPackage reports whether the package is there as a whole. A package that is there will not be pruned for the
// next minutes, so that it can be relied on without bringing it again.
func (db *DB) HasPackage(ctx context.Context, digest string) (has bool, err error) {
	var stale bool
	err = db.read(ctx, "look for package "+digest, func(tx *Tx) error {
		touched, err := one(ctx, tx, scanTime, "SELECT touched_at FROM packages WHERE sha256 = @sha", p("sha", digest))
		has, stale = err == nil, tx.now.Sub(touched) > packageGrace/2
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil || !has || !stale {
		return has, err
	}
	err = db.write(ctx, "touch package "+digest, func(tx *Tx) error {
		has, err = tx.touchPackage(ctx, digest)
		return err
	})
	return has, err
}

// touchPackage begins a package's grace again; false when it is not there.
func (tx *Tx) touchPackage(ctx context.Context, digest string) (bool, error) {
	n, err := tx.exec(ctx, "UPDATE packages SET touched_at = @now WHERE sha256 = @sha", p("sha", digest), p("now", tx.now))
	return n > 0, err
}

// holdPackage checks in the transaction that accepts it that a package is there with this size.
func (tx *Tx) holdPackage(ctx context.Context, digest string, size int64) error {
	there, err := tx.touchPackage(ctx, digest)
	if err != nil {
		return err
	}
	if !there {
		return azfunc.Errorf(azfunc.NotFound, "there is no package %s; publish it again", digest)
	}
	stored, err := tx.int(ctx, "SELECT size_bytes FROM packages WHERE sha256 = @sha", p("sha", digest))
	if err == nil && stored != size {
		return azfunc.Errorf(azfunc.Invalid, "the package %s has %d bytes, not %d", digest, stored, size)
	}
	return err
}

// PutPackage brings a package in: size bytes from content, whose SHA-256 (lower-case hex) is digest. It is invisible
// until all of it is there and checked; whatever dies before leaves nothing that a second attempt would trip over. A
// package that is there already is not read. Invalid when digest or size do not fit the content.
func (db *DB) PutPackage(ctx context.Context, digest string, size int64, content io.Reader) error {
	if !isDigest(digest) {
		return azfunc.Errorf(azfunc.Invalid, "%.80q is not a SHA-256 in lower-case hex", digest)
	}
	if has, err := db.HasPackage(ctx, digest); has || err != nil {
		return err
	}
	upload := uuid.NewString()
	err := db.upload(ctx, upload, digest, size, content)
	if err != nil {
		// Cleaning up is not ended by the caller's context; what it misses, PrunePackages removes later.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(err, db.deleteUpload(ctx, upload))
	}
	return nil
}

func isDigest(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

func (db *DB) upload(ctx context.Context, upload, digest string, size int64, content io.Reader) error {
	hash := sha256.New()
	chunk := make([]byte, chunkBytes)
	var total int64
	for seq := 0; ; seq++ {
		n, err := io.ReadFull(content, chunk)
		if n > 0 {
			hash.Write(chunk[:n])
			if total += int64(n); total > size {
				return azfunc.Errorf(azfunc.Invalid, "the package %s has more than %d bytes", digest, size)
			}
			if err := db.putChunk(ctx, upload, seq, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return azfunc.Errorf(azfunc.Invalid, "the package %s broke off after %d bytes: %w", digest, total, err)
		}
	}
	if got := hex.EncodeToString(hash.Sum(nil)); total != size || got != digest {
		return azfunc.Errorf(azfunc.Invalid, "the package has %d bytes with SHA-256 %s, but %d bytes with %s were announced", total, got, size, digest)
	}
	return db.completePackage(ctx, upload, digest, size)
}

func (db *DB) putChunk(ctx context.Context, upload string, seq int, data []byte) error {
	return db.write(ctx, "keep a piece of a package", func(tx *Tx) error {
		n, err := tx.exec(ctx, "UPDATE uploads SET touched_at = @now WHERE id = @upload", p("upload", upload), p("now", tx.now))
		if err != nil {
			return err
		}
		if n == 0 && seq > 0 {
			return azfunc.Errorf(azfunc.Unavailable, "the upload took too long and was given up; publish again")
		}
		if n == 0 {
			_, err = tx.exec(ctx, "INSERT INTO uploads (id, touched_at) VALUES (@upload, @now)", p("upload", upload), p("now", tx.now))
			if err != nil {
				return err
			}
		}
		_, err = tx.exec(ctx, "INSERT INTO package_chunks (upload_id, seq, data) VALUES (@upload, @seq, @data)",
			p("upload", upload), p("seq", seq), p("data", data))
		return err
	})
}

// completePackage makes the package visible. When somebody else has completed the same content meanwhile, theirs stays
// and these pieces go.
func (db *DB) completePackage(ctx context.Context, upload, digest string, size int64) error {
	surplus := false
	err := db.write(ctx, "complete package "+digest, func(tx *Tx) error {
		surplus = false
		n, err := tx.exec(ctx, "UPDATE uploads SET touched_at = @now WHERE id = @upload", p("upload", upload), p("now", tx.now))
		if err != nil {
			return err
		}
		if n == 0 && size > 0 {
			return azfunc.Errorf(azfunc.Unavailable, "the upload took too long and was given up; publish again")
		}
		_, err = tx.exec(ctx, `INSERT INTO packages (sha256, size_bytes, upload_id, created_at, touched_at)
			VALUES (@sha, @size, @upload, @now, @now)`,
			p("sha", digest), p("size", size), p("upload", upload), p("now", tx.now))
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			surplus = true
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "DELETE FROM uploads WHERE id = @upload", p("upload", upload))
		return err
	})
	if err == nil && surplus {
		return db.deleteUpload(ctx, upload)
	}
	return err
}
