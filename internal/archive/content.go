package archive

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// content reads one entry and trusts no number: it fails when more bytes come than declared, or fewer, or others.
type content struct {
	name string
	src  io.Reader
	left int64
	crc  uint32
	sum  hash.Hash32
	err  error
}

// open returns a reader of a file's content, verified as it is read to its end.
func (x *Index) open(e Entry) *content { return x.openWith(e, nil) }

// openWith reuses an inflater from an earlier entry; its window is most of the cost of a small file.
func (x *Index) openWith(e Entry, inflater io.Reader) *content {
	packed := io.NewSectionReader(x.r, e.dataOffset, e.Packed)
	c := &content{name: e.Name, src: packed, left: e.Size, crc: e.crc, sum: crc32.NewIEEE()}
	if e.method != methodDeflate {
		return c
	}
	if resetter, ok := inflater.(flate.Resetter); ok && resetter.Reset(packed, nil) == nil {
		c.src = inflater
		return c
	}
	c.src = flate.NewReader(packed)
	return c
}

// Read implements io.Reader. The error is Invalid and names the entry, io.EOF only after everything was right.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.src.Read(p)
	if int64(n) > c.left {
		n, c.err = 0, refuse(c.name, "it unpacks to more than the %d bytes it declares; create the zip again", c.left)
		return n, c.err
	}
	c.left -= int64(n)
	_, _ = c.sum.Write(p[:n]) // a hash never fails
	if err != nil {
		c.err = c.atEnd(err)
	}
	return n, c.err
}

func (c *content) atEnd(err error) error {
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(c.name, "its compressed data is damaged; create the zip again and upload all of it")
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read zip entry %q: %w", c.name, err)
	}
	if c.left > 0 {
		return refuse(c.name, "%d of the bytes it declares are missing; create the zip again", c.left)
	}
	if c.sum.Sum32() != c.crc {
		return refuse(c.name, "its checksum is wrong, so it was damaged on the way; upload the zip again")
	}
	return io.EOF
}

// Verify reads all content once, writes nothing, and compares sizes and checksums with the directory. The error is
// Invalid and names the entry, or ctx's.
func (x *Index) Verify(ctx context.Context) error {
	var inflater io.Reader
	buf := make([]byte, 64<<10)
	for _, e := range x.Entries {
		if e.Dir {
			continue
		}
		c := x.openWith(e, inflater)
		if err := drain(ctx, c, buf); err != nil {
			return err
		}
		if e.method == methodDeflate {
			inflater = c.src
		}
	}
	return nil
}

func drain(ctx context.Context, r io.Reader, buf []byte) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("verify zip: %w", err)
		}
		if _, err := r.Read(buf); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
