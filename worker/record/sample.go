package record

import "time"

// Azure's host samples its telemetry to 20 items a second by default (host.json, samplingSettings), because telling
// everything costs more than doing it: storing each of some thousand invocations a second took as much processor time
// as gateway and worker together. Failures and warnings are always told.
const (
	successesPerSecond = 100
	linesPerSecond     = 500 // of information level and below
)

// budget lets so many items of each second pass and counts the others.
type budget struct {
	perSecond int
	second    int64
	passed    int
	leftOut   int
}

func (b *budget) take(now time.Time) bool {
	if second := now.Unix(); second != b.second {
		b.second, b.passed = second, 0
	}
	if b.passed >= b.perSecond {
		b.leftOut++
		return false
	}
	b.passed++
	return true
}

// takeLeftOut returns how many did not pass since it was asked last.
func (b *budget) takeLeftOut() int {
	n := b.leftOut
	b.leftOut = 0
	return n
}
