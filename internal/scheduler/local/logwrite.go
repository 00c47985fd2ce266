package local

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// logLimits bounds what one stream of an instance keeps on disk.
type logLimits struct {
	files int
	bytes int64 // of one file
}

// logStream writes one output stream of an instance to <task>.<stream>.0, .1, ... as Nomad does, keeps the newest files
// and wakes readers that follow. It outlives restarts of the process. Safe for concurrent use.
type logStream struct {
	prefix string // path without the number
	limits logLimits

	mu      sync.Mutex
	file    *os.File
	index   int
	size    int64
	line    []byte // the last line that is not empty, bounded; it tells why a process died
	open    bool   // line has not ended yet
	changed chan struct{}
	ended   bool
}

const maxKeptLine = 1024

func newLogStream(dir, task, stream string, limits logLimits) *logStream {
	return &logStream{prefix: logPrefix(dir, task, stream), limits: limits, changed: make(chan struct{})}
}

func logPrefix(dir, task, stream string) string { return filepath.Join(dir, task+"."+stream+".") }

// Write appends to the current file, after starting a new one when it would grow beyond the limit.
func (l *logStream) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(data)
	if err := l.makeRoom(int64(len(data))); err != nil {
		return 0, err
	}
	n, err := l.file.Write(data)
	l.size += int64(n)
	l.wake()
	if err != nil {
		return n, fmt.Errorf("write log %q: %w", l.file.Name(), err)
	}
	return n, nil
}

func (l *logStream) makeRoom(size int64) error {
	if l.file != nil && (l.size == 0 || l.size+size <= l.limits.bytes) {
		return nil
	}
	next := l.index
	if l.file != nil {
		next++
	}
	file, err := os.OpenFile(l.prefix+strconv.Itoa(next), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the next log file: %w", err)
	}
	if l.file != nil {
		_ = l.file.Close() // written without buffers; nothing can be lost by it
	}
	l.file, l.index, l.size = file, next, 0
	if oldest := next - l.limits.files; oldest >= 0 {
		if err := os.Remove(l.prefix + strconv.Itoa(oldest)); err != nil {
			return fmt.Errorf("remove the oldest log file: %w", err)
		}
	}
	return nil
}

// remember keeps the last line that is not empty.
func (l *logStream) remember(data []byte) {
	for part := range bytes.Lines(data) {
		text := bytes.TrimRight(part, "\r\n")
		switch {
		case l.open:
			l.line = append(l.line, text[:min(len(text), maxKeptLine-len(l.line))]...)
		case len(bytes.TrimSpace(text)) > 0:
			l.line = append(l.line[:0], text[:min(len(text), maxKeptLine)]...)
			l.open = true
		}
		if part[len(part)-1] == '\n' {
			l.open = false
		}
	}
}

// lastLine returns the last line that is not empty, at most its first kilobyte.
func (l *logStream) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.line)
}

func (l *logStream) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// state returns a channel that is closed at the next change, and whether nothing will be written any more.
func (l *logStream) state() (changed <-chan struct{}, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed, l.ended
}

// end closes the stream for good: its instance is dead.
func (l *logStream) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if l.file != nil {
		_ = l.file.Close() // written without buffers; nothing can be lost by it
	}
	l.wake()
}
