package local

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestLog(t *testing.T, limits logLimits, writes ...string) *logStream {
	t.Helper()
	l := newLogStream(t.TempDir(), "worker", "stdout", limits)
	t.Cleanup(l.end)
	for _, text := range writes {
		if _, err := l.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func readAll(t *testing.T, l *logStream, live *logStream, offset int64) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := openLog(ctx, l.prefix, live, offset)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLogRotation(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, logLimits{files: 3, bytes: 4}, "aa", "bb", "cc", "dddddd", "ee", "f")
	files, err := logFiles(l.prefix)
	if err != nil {
		t.Fatal(err)
	}
	want := []logFile{{1, 2}, {2, 6}, {3, 3}} // "cc", "dddddd", "eef"; "aabb" is gone
	if diff := cmp.Diff(want, files, cmp.AllowUnexported(logFile{})); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for offset, want := range map[int64]string{0: "ccddddddeef", 1: "cddddddeef", 2: "ddddddeef", 9: "ef", 11: "", 99: "", -1: "f", -4: "deef", -99: "ccddddddeef"} {
		if got := readAll(t, l, nil, offset); got != want {
			t.Errorf("from %d: %q, want %q", offset, got, want)
		}
	}
}

// TestLogFollowAcrossRotation holds that a reader who keeps up misses nothing, whatever rotates under it.
func TestLogFollowAcrossRotation(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, logLimits{files: 1000, bytes: 64})
	read := make(chan string)
	go func() { read <- readAll(t, l, l, 0) }()
	var want bytes.Buffer
	for i := range 2000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	l.end()
	if got := <-read; got != want.String() {
		t.Errorf("%d bytes followed, want %d", len(got), want.Len())
	}
}

// TestLogOvertaken holds that a slow reader goes on with the oldest file that is left.
func TestLogOvertaken(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, logLimits{files: 2, bytes: 2}, "aa", "bb")
	r, err := openLog(t.Context(), l.prefix, l, 0)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1)
	if _, err := r.Read(buffer); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"cc", "dd", "ee"} {
		if _, err := l.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	l.end()
	rest, err := io.ReadAll(r)
	if err != nil || string(buffer)+string(rest) != "aaddee" {
		t.Errorf("read %q then %q, %v; want the open file's rest and what is kept", buffer, rest, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLogReaderEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(cancel func(), r *logReader){
		"context": func(cancel func(), _ *logReader) { cancel() },
		"close":   func(_ func(), r *logReader) { _ = r.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTestLog(t, logLimits{files: 2, bytes: 2}, "a")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := openLog(ctx, l.prefix, l, 1)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				_, err := r.Read(make([]byte, 1))
				ended <- err
			}()
			end(cancel, r)
			if err := <-ended; err != io.EOF { //nolint:errorlint // readers return io.EOF itself
				t.Errorf("Read = %v, want io.EOF", err)
			}
		})
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		writes []string
		want   string
	}{
		{"nothing", nil, ""},
		{"one", []string{"boom\n"}, "boom"},
		{"last of many", []string{"one\ntwo\r\n", "three\n"}, "three"},
		{"empty lines do not count", []string{"boom\n", "\n", "  \n"}, "boom"},
		{"in pieces", []string{"bo", "om", "\n"}, "boom"},
		{"not ended", []string{"first\nbo", "om"}, "boom"},
		{"blank pieces", []string{"boom\n", "  ", "\n"}, "boom"},
		{"long", []string{strings.Repeat("x", 900), strings.Repeat("y", 900), "\n"}, strings.Repeat("x", 900) + strings.Repeat("y", 124)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := newTestLog(t, logLimits{files: 1, bytes: 1 << 20}, test.writes...).lastLine(); got != test.want {
				t.Errorf("last line = %q, want %q", got, test.want)
			}
		})
	}
}

func TestLogSurvivesAFullDisk(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, logLimits{files: 1, bytes: 1})
	l.prefix = "/dev/null/worker.stdout." // nothing can be opened there
	if _, err := l.Write([]byte("lost\n")); err == nil {
		t.Skip("this system writes below /dev/null")
	}
	if got := l.lastLine(); got != "lost" {
		t.Errorf("last line = %q, want it kept although it could not be written", got)
	}
	done := make(chan struct{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		drain(l, r)
	}()
	if _, err := w.Write(make([]byte, 1<<20)); err != nil { // blocks for ever when nobody reads
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
}
