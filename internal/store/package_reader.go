package store

import (
	"context"
	"io"
	"sync"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// PackageReader reads a package's content piece by piece; it holds one piece in memory and no database connection.
// ReadAt is safe for concurrent use, Read and Seek are not.
type PackageReader struct {
	*io.SectionReader // Read, Seek, ReadAt, Size
}

// Close ends the use of the reader. It never fails; there is nothing to release.
func (r *PackageReader) Close() error { return nil }

// OpenPackage opens a package's content; reads end with ctx. NotFound when the package is not there as a whole.
func (db *DB) OpenPackage(ctx context.Context, digest string) (*PackageReader, error) {
	var (
		upload string
		size   int64
	)
	err := db.read(ctx, "open package "+digest, func(tx *Tx) error {
		err := tx.sql.QueryRowContext(ctx, "SELECT upload_id, size_bytes FROM packages WHERE sha256 = @sha", p("sha", digest)).
			Scan(&upload, &size)
		return orNotFound(err, "there is no package %s", digest)
	})
	if err != nil {
		return nil, err
	}
	pieces := &pieces{seq: -1, load: func(seq int64) ([]byte, error) { return db.chunk(ctx, upload, seq) }}
	return &PackageReader{io.NewSectionReader(pieces, 0, size)}, nil
}

func (db *DB) chunk(ctx context.Context, upload string, seq int64) (data []byte, err error) {
	err = db.read(ctx, "read a piece of a package", func(tx *Tx) error {
		err := tx.sql.QueryRowContext(ctx, "SELECT data FROM package_chunks WHERE upload_id = @upload AND seq = @seq",
			p("upload", upload), p("seq", seq)).Scan(&data)
		return orNotFound(err, "the package was removed while it was read")
	})
	return data, err
}

// pieces is the io.ReaderAt over a package's pieces. It remembers the last one: archives are read in small steps.
type pieces struct {
	load func(seq int64) ([]byte, error)
	mu   sync.Mutex
	seq  int64
	data []byte
}

// ReadAt implements io.ReaderAt.
func (c *pieces) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		data, err := c.piece((off + int64(n)) / chunkBytes)
		if err != nil {
			return n, err
		}
		start := (off + int64(n)) % chunkBytes
		if start >= int64(len(data)) {
			return n, azfunc.Errorf(azfunc.Internal, "a package's piece is shorter than it should be: %w", io.ErrUnexpectedEOF)
		}
		n += copy(b[n:], data[start:])
	}
	return n, nil
}

func (c *pieces) piece(seq int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seq == seq {
		return c.data, nil
	}
	data, err := c.load(seq)
	if err != nil {
		return nil, err
	}
	c.seq, c.data = seq, data
	return data, nil
}
