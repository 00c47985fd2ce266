package record

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

const (
	flushInterval = time.Second
	batchSize     = 500   // sent in one call; reaching it sends at once
	maxWaiting    = 20000 // of each kind; about 10 MB
	maxMessage    = 32 << 10
	// maxBatchText is the text of one call: however it is escaped, it stays below what the manager takes in one. A batch
	// that it refuses would be sent again for ever.
	maxBatchText = 1 << 20
	// maxWaitingText bounds what long messages may fill.
	maxWaitingText = 32 << 20
	maxTraceParent = 128
	lastFlush      = 3 * time.Second
)

// Link is where records go.
type Link interface {
	Invocations(ctx context.Context, b hostapi.InvocationBatch) error
	Logs(ctx context.Context, b hostapi.LogBatch) error
}

// Recorder collects records. Its methods never block and are safe for concurrent use.
type Recorder struct {
	link     Link
	instance string
	log      zerolog.Logger
	full     chan struct{} // holds a token when a batch is complete

	mu          sync.Mutex
	levels      map[string]string
	invocations []hostapi.Invocation
	lines       []hostapi.LogLine
	text        int // bytes of text in both
	counter     uint64
	dropped     int
	successes   budget
	plain       budget // lines of information level and below
	started     string // makes line ids differ between runs of an instance
}

// New makes a Recorder; Run sends what it collects.
func New(link Link, instanceID string, log zerolog.Logger) *Recorder {
	return &Recorder{
		link: link, instance: instanceID, log: log, full: make(chan struct{}, 1),
		successes: budget{perSecond: successesPerSecond}, plain: budget{perSecond: linesPerSecond},
		started: strconv.FormatInt(time.Now().UnixMilli(), 36),
	}
}

// SetLevels sets host.json's logging.logLevel: category to the lowest level kept.
func (r *Recorder) SetLevels(levels map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.levels = levels
}

// Invocation takes a finished invocation. Of successful ones only so many a second are kept; the others are counted.
func (r *Recorder) Invocation(i hostapi.Invocation) {
	i.InstanceID = r.instance
	i.Error = cut(i.Error)
	if len(i.TraceParent) > maxTraceParent { // it is the caller's own
		i.TraceParent = ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i.Success && !r.successes.take(time.Now()) {
		return
	}
	if len(r.invocations) >= maxWaiting || r.text >= maxWaitingText {
		r.dropped++
		return
	}
	r.text += invocationText(i)
	r.invocations = append(r.invocations, i)
	r.signal(len(r.invocations))
}

// Log takes a log line; id, time and instance are filled in.
func (r *Recorder) Log(l hostapi.LogLine) {
	l.Message = cut(l.Message)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !Keeps(r.levels, l.Category, l.Level) || (rank(l.Level) <= rank("information") && !r.plain.take(time.Now())) {
		return
	}
	if len(r.lines) >= maxWaiting || r.text >= maxWaitingText {
		r.dropped++
		return
	}
	r.append(l)
}

func (r *Recorder) append(l hostapi.LogLine) {
	r.counter++
	l.ID = r.instance + "-" + r.started + "-" + strconv.FormatUint(r.counter, 10)
	l.At, l.InstanceID = time.Now().UTC(), r.instance
	r.text += lineText(l)
	r.lines = append(r.lines, l)
	r.signal(len(r.lines))
}

func (r *Recorder) signal(waiting int) {
	if waiting < batchSize {
		return
	}
	select {
	case r.full <- struct{}{}:
	default:
	}
}

func invocationText(i hostapi.Invocation) int { return len(i.Function) + len(i.Error) }
func lineText(l hostapi.LogLine) int          { return len(l.Category) + len(l.Function) + len(l.Message) }

// fits returns how many items from the front make one batch.
func fits[T any](list []T, text func(T) int) int {
	total := 0
	for n, item := range list {
		if total += text(item); n == batchSize || (n > 0 && total > maxBatchText) {
			return n
		}
	}
	return len(list)
}

func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "... (cut)"
}

// Run sends batches until ctx ends, then tries once more for a few seconds.
func (r *Recorder) Run(ctx context.Context) {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-r.full:
		case <-ticker.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			r.Flush(last)
			return
		}
		r.Flush(ctx)
	}
}

// Flush sends what waits. What cannot be sent stays for the next time. Only one goroutine may call it at a time.
func (r *Recorder) Flush(ctx context.Context) {
	for {
		invocations, lines := r.batch()
		if len(invocations) == 0 && len(lines) == 0 {
			return
		}
		if err := r.send(ctx, invocations, lines); err != nil {
			r.log.Debug().Err(err).Msg("records wait for the manager")
			return
		}
	}
}

func (r *Recorder) batch() ([]hostapi.Invocation, []hostapi.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < maxWaiting {
		r.tell("warning", r.dropped, "%d invocation records and log lines were dropped: the manager did not take them in time")
		r.tell("information", r.successes.takeLeftOut(), "%d more invocations succeeded than are recorded one by one")
		r.tell("information", r.plain.takeLeftOut(), "%d more log lines were written than are kept; raise logging.logLevel in host.json to choose which")
		r.dropped = 0
	}
	return r.invocations[:fits(r.invocations, invocationText)], r.lines[:fits(r.lines, lineText)]
}

func (r *Recorder) tell(level string, count int, format string) {
	if count > 0 {
		r.append(hostapi.LogLine{Level: level, Category: "Host.General", Message: fmt.Sprintf(format, count)})
	}
}

func (r *Recorder) send(ctx context.Context, invocations []hostapi.Invocation, lines []hostapi.LogLine) error {
	if len(invocations) > 0 {
		if err := r.link.Invocations(ctx, hostapi.InvocationBatch{Invocations: invocations}); err != nil {
			return fmt.Errorf("send %d invocations: %w", len(invocations), err)
		}
		r.mu.Lock()
		r.invocations = rest(r.invocations, len(invocations))
		r.text -= sum(invocations, invocationText)
		r.mu.Unlock()
	}
	if len(lines) > 0 {
		if err := r.link.Logs(ctx, hostapi.LogBatch{Lines: lines}); err != nil {
			return fmt.Errorf("send %d log lines: %w", len(lines), err)
		}
		r.mu.Lock()
		r.lines = rest(r.lines, len(lines))
		r.text -= sum(lines, lineText)
		r.mu.Unlock()
	}
	return nil
}

func sum[T any](list []T, text func(T) int) (total int) {
	for _, item := range list {
		total += text(item)
	}
	return total
}

// rest drops what was sent; an empty list starts on new memory, because the sent part may still be read.
func rest[T any](list []T, sent int) []T {
	if len(list) == sent {
		return nil
	}
	return list[sent:]
}

// Keeps decides by logging.logLevel whether a line is kept: the longest category that is a prefix (up to a dot) counts,
// then "default", then Information, as in Azure.
func Keeps(levels map[string]string, category, level string) bool {
	threshold, best := "information", -1
	for name, l := range levels {
		switch {
		case strings.EqualFold(name, "default"):
			if best < 0 {
				threshold, best = l, 0
			}
		case len(name) > best && isPrefix(name, category):
			threshold, best = l, len(name)
		}
	}
	return rank(level) >= rank(threshold)
}

func isPrefix(name, category string) bool {
	return len(category) >= len(name) && strings.EqualFold(category[:len(name)], name) &&
		(len(category) == len(name) || category[len(name)] == '.')
}

func rank(level string) int {
	for i, names := range [][]string{{"trace"}, {"debug"}, {"information", "info"}, {"warning"}, {"error"}, {"critical"}, {"none"}} {
		for _, n := range names {
			if strings.EqualFold(n, level) {
				return i
			}
		}
	}
	return 2
}
