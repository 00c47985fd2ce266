package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const (
	folderPerm     = 0o755
	filePerm       = 0o644
	executablePerm = 0o755
	copyBuffer     = 64 << 10
)

// Extract writes the content to the folder dir, which must not exist yet while its parent must. Everything is written
// into a folder beside it that takes the name at the end, so dir holds all of the zip or does not exist; it is not
// synced to disk, so after a power cut it has to be written anew. Writing goes through an os.Root: no name leads out.
//
// Files that the zip marks executable stay so. A zip made on Windows marks none: there, programs and scripts are
// recognised by their first bytes. The files called in executables (a custom handler's program) are made executable
// in any case. Errors: Conflict when dir exists, Invalid for damaged content, ctx's, or the file system's.
func (x *Index) Extract(ctx context.Context, dir string, executables ...string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("unpack to %s: %w", dir, err)
		}
		return azfunc.Errorf(azfunc.Conflict, "unpack to %s: the folder exists", filepath.Base(dir))
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-*")
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	err = x.extractInto(ctx, tmp, executables)
	if err == nil {
		err = os.Rename(tmp, dir)
	}
	if err == nil {
		return nil
	}
	if cleanup := os.RemoveAll(tmp); cleanup != nil {
		err = errors.Join(err, cleanup)
	}
	return fmt.Errorf("unpack zip: %w", err)
}

func (x *Index) extractInto(ctx context.Context, tmp string, executables []string) error {
	if err := os.Chmod(tmp, folderPerm); err != nil {
		return fmt.Errorf("open folder to others: %w", err)
	}
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	w := &writer{root: root, index: x, executables: executables, folders: map[string]bool{"": true}, buf: bufio.NewReaderSize(nil, copyBuffer)}
	for _, e := range x.Entries {
		if err = w.write(ctx, e); err != nil {
			break
		}
	}
	if closeErr := root.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close folder: %w", closeErr)
	}
	return err
}

// writer writes entries one by one; its memory does not grow with their size.
type writer struct {
	root        *os.Root
	index       *Index
	executables []string
	folders     map[string]bool
	buf         *bufio.Reader
	inflater    io.Reader
}

func (w *writer) write(ctx context.Context, e Entry) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before %q: %w", e.Name, err)
	}
	if e.Dir {
		return w.mkdir(e.Name)
	}
	if err := w.mkdir(parent(e.Name)); err != nil {
		return err
	}
	c := w.index.openWith(e, w.inflater)
	if e.method == methodDeflate {
		w.inflater = c.src
	}
	w.buf.Reset(withContext{ctx, c})
	// Peek's error is seen again by the copy below.
	head, _ := w.buf.Peek(len(machOMagic))
	perm := fs.FileMode(filePerm)
	if e.Executable || slices.Contains(w.executables, e.Name) || (!e.HasMode && isProgram(head)) {
		perm = executablePerm
	}
	return w.copyTo(e.Name, perm)
}

func (w *writer) mkdir(name string) error {
	if w.folders[name] {
		return nil
	}
	if err := w.root.MkdirAll(name, folderPerm); err != nil {
		return fmt.Errorf("make folder %q: %w", name, err)
	}
	w.folders[name] = true
	return nil
}

// copyTo writes what is in the buffer's source; O_EXCL, because no entry ever replaces another.
func (w *writer) copyTo(name string, perm fs.FileMode) error {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return fmt.Errorf("create %q: %w", name, err)
	}
	_, err = w.buf.WriteTo(struct{ io.Writer }{f}) // hides ReadFrom, which would allocate a buffer per file
	if closeErr := f.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("close %q: %w", name, closeErr)
	}
	return err
}

const machOMagic = "\xcf\xfa\xed\xfe"

// isProgram recognises what Linux can start: an ELF program or a script with an interpreter line.
func isProgram(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x7fELF")) || bytes.HasPrefix(head, []byte("#!")) || bytes.HasPrefix(head, []byte(machOMagic))
}

// withContext ends a copy when its context ends. It lives for one copy only.
type withContext struct {
	ctx context.Context //nolint:containedctx // a reader has no other way to hear of it
	r   io.Reader
}

func (c withContext) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	return c.r.Read(p)
}
