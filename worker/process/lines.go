package process

import (
	"bytes"
	"strings"
	"sync"
)

const (
	// maxLine is where a line without an end is cut: output is for people and must not fill memory.
	maxLine = 32 << 10
	// TailLines is how many lines of standard error are kept.
	TailLines = 50
)

// lineWriter cuts a stream of bytes into lines. exec writes to it from one goroutine.
type lineWriter struct {
	line func(string)
	rest []byte
}

func newLineWriter(line func(string)) *lineWriter { return &lineWriter{line: line} }

func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		w.rest = append(w.rest, b[:i]...)
		w.flush()
		b = b[i+1:]
	}
	w.rest = append(w.rest, b...)
	if len(w.rest) >= maxLine {
		w.flush()
	}
	return n, nil
}

// Close hands on what came after the last line end.
func (w *lineWriter) Close() error {
	if len(w.rest) > 0 {
		w.flush()
	}
	return nil
}

func (w *lineWriter) flush() {
	text := strings.ToValidUTF8(strings.TrimSuffix(string(w.rest), "\r"), "\uFFFD")
	w.rest = w.rest[:0]
	w.line(text)
}

// tail keeps the last lines.
type tail struct {
	mu   sync.Mutex
	kept []string
}

func (t *tail) add(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, line)
	if len(t.kept) > 2*TailLines { // drop in batches, so that a chatty program does not copy per line
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-TailLines:]...)
	}
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := max(0, len(t.kept)-TailLines)
	return append([]string(nil), t.kept[from:]...)
}
