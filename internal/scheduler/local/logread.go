package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// logReader reads a stream over all its files. With a live stream it waits at the end for more; rotation may overtake
// it, then it goes on with the oldest file that is left.
type logReader struct {
	prefix string
	live   *logStream      // nil: what is on disk is all
	done   <-chan struct{} // the reader's context
	index  int             // of the file that is read or comes next
	skip   int64           // bytes to leave out at the start of the next file
	mu     sync.Mutex      // guards file between Read and Close
	file   *os.File
	once   sync.Once
	closed chan struct{}
}

// openLog starts reading at offset; a negative one counts from the end of what is there now.
func openLog(ctx context.Context, prefix string, live *logStream, offset int64) (*logReader, error) {
	r := &logReader{prefix: prefix, live: live, done: ctx.Done(), closed: make(chan struct{})}
	files, err := logFiles(prefix)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		for _, f := range files {
			offset += f.size
		}
		offset = max(offset, 0)
	}
	for _, f := range files {
		r.index, r.skip = f.index, offset
		if offset < f.size {
			break
		}
		r.skip = f.size
		offset -= f.size
	}
	return r, nil
}

type logFile struct {
	index int
	size  int64
}

// logFiles lists the files of a stream, oldest first.
func logFiles(prefix string) ([]logFile, error) {
	dir, base := filepath.Split(prefix)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the instance was forgotten meanwhile
	}
	if err != nil {
		return nil, fmt.Errorf("list logs in %q: %w", dir, err)
	}
	var files []logFile
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), base)
		index, notNumber := strconv.Atoi(number)
		if !ok || notNumber != nil {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated out while we looked
		}
		if err != nil {
			return nil, fmt.Errorf("look at log %q: %w", entry.Name(), err)
		}
		files = append(files, logFile{index: index, size: info.Size()})
	}
	slices.SortFunc(files, func(a, b logFile) int { return a.index - b.index })
	return files, nil
}

// Read implements io.Reader. It ends with io.EOF when the stream has ended and is read to its end, when it is not
// followed, when the context ends, and after Close.
func (r *logReader) Read(data []byte) (int, error) {
	for {
		var changed <-chan struct{}
		ended := true
		if r.live != nil { // asked before reading, so that no later write is missed
			changed, ended = r.live.state()
		}
		n, err := r.available(data)
		if n > 0 || err != nil {
			return n, err
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.done:
			return 0, io.EOF
		case <-r.closed:
			return 0, io.EOF
		}
	}
}

// available reads what is there; 0 and no error means that nothing is there yet.
func (r *logReader) available(data []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closed:
		return 0, io.EOF
	default:
	}
	for {
		if n, err := r.current(data); n > 0 || err != nil {
			return n, err
		}
		next, ok, err := r.nextFile()
		if err != nil || !ok {
			return 0, err
		}
		// A newer file means that the present one is complete: read what came since the look above.
		if n, err := r.current(data); n > 0 || err != nil {
			return n, err
		}
		if err := r.open(next); err != nil {
			return 0, err
		}
	}
}

func (r *logReader) current(data []byte) (int, error) {
	if r.file == nil {
		return 0, nil
	}
	n, err := r.file.Read(data)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read log %q: %w", r.file.Name(), err)
	}
	return n, nil
}

// nextFile tells which file follows the present one.
func (r *logReader) nextFile() (int, bool, error) {
	files, err := logFiles(r.prefix)
	if err != nil {
		return 0, false, err
	}
	for _, f := range files {
		if f.index > r.index || r.file == nil && f.index == r.index {
			return f.index, true, nil
		}
	}
	return 0, false, nil
}

func (r *logReader) open(index int) error {
	file, err := os.Open(r.prefix + strconv.Itoa(index))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // rotated out meanwhile; the next look finds its successor
	}
	if err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	if r.file != nil {
		_ = r.file.Close() // only read
	}
	if index == r.index {
		if _, err := file.Seek(r.skip, io.SeekStart); err != nil {
			return errors.Join(fmt.Errorf("seek in log %q: %w", file.Name(), err), file.Close())
		}
	}
	r.file, r.index = file, index
	return nil
}

// Close ends a waiting Read.
func (r *logReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return fmt.Errorf("close a log: %w", err)
	}
	return nil
}
