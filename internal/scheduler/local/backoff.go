package local

import (
	"time"

	"github.com/hashicorp/nomad/api"
)

// restartPolicy says when a process that ended by itself is started again in place: Nomad's restart block.
type restartPolicy struct {
	attempts int           // within interval
	interval time.Duration // counted from the first failure
	delay    time.Duration // before each attempt, and up to a quarter more
	wait     bool          // mode "delay": after the attempts wait for the interval's end; mode "fail": give up
}

// restartCount is how many attempts the present interval has seen.
type restartCount struct {
	since    time.Time
	attempts int
}

// next decides what follows a process's end: whether it is started again, and after how long. random is in [0,1).
func (p restartPolicy) next(count restartCount, now time.Time, random float64) (pause time.Duration, again bool, _ restartCount) {
	if count.since.IsZero() || now.Sub(count.since) >= p.interval {
		count = restartCount{since: now}
	}
	count.attempts++
	if count.attempts <= p.attempts {
		return p.delay + time.Duration(random*float64(p.delay)/4), true, count
	}
	if !p.wait {
		return 0, false, count
	}
	return max(p.interval-now.Sub(count.since), p.delay), true, count
}

// reschedulePolicy says when a new instance takes the place of one that has failed: Nomad's reschedule block.
type reschedulePolicy struct {
	never       bool
	delay       time.Duration
	exponential bool
	maxDelay    time.Duration
}

// pause returns how long the instance that follows the n-th failed one in a row waits, n counted from 0. With 5 s and
// at most 60 s that is 5, 10, 20, 40, 60, 60 ...
func (p reschedulePolicy) pause(n int) time.Duration {
	pause := p.delay
	for ; p.exponential && n > 0 && pause < p.maxDelay; n-- {
		pause *= 2
	}
	if p.exponential {
		pause = min(pause, p.maxDelay)
	}
	return pause
}

// after returns the place in the row of failures of the instance that follows one of place n which lived for that
// long: one that outlived the longest pause starts a new row.
func (p reschedulePolicy) after(n int, lived time.Duration) int {
	if lived > max(p.maxDelay, p.delay) {
		return 0
	}
	return n + 1
}

// readRestart fills in Nomad's defaults for service jobs.
func readRestart(path string, block *api.RestartPolicy) (restartPolicy, error) {
	if block == nil {
		block = &api.RestartPolicy{}
	}
	p := restartPolicy{
		attempts: value(block.Attempts, 2),
		interval: value(block.Interval, 30*time.Minute),
		delay:    value(block.Delay, 15*time.Second),
	}
	switch mode := value(block.Mode, api.RestartPolicyModeFail); mode {
	case api.RestartPolicyModeFail:
	case api.RestartPolicyModeDelay:
		p.wait = true
	default:
		return p, invalid(path+".Mode", "is %q or %q, not %q", api.RestartPolicyModeFail, api.RestartPolicyModeDelay, mode)
	}
	if p.attempts < 0 || p.interval < 0 || p.delay < 0 {
		return p, invalid(path, "cannot hold negative values")
	}
	return p, nil
}

// readReschedule fills in Nomad's defaults for service jobs. A limited number of attempts is not honoured here: either
// a failed instance is replaced for ever, or never.
func readReschedule(path string, block *api.ReschedulePolicy) (reschedulePolicy, error) {
	if block == nil {
		block = &api.ReschedulePolicy{}
	}
	p := reschedulePolicy{
		never:    !value(block.Unlimited, true),
		delay:    value(block.Delay, 30*time.Second),
		maxDelay: value(block.MaxDelay, time.Hour),
	}
	switch function := value(block.DelayFunction, "exponential"); function {
	case "exponential":
		p.exponential = true
	case "constant":
	default:
		return p, invalid(path+".DelayFunction", "the local scheduler knows \"exponential\" and \"constant\", not %q", function)
	}
	if value(block.Attempts, 0) != 0 {
		return p, invalid(path+".Attempts", "the local scheduler replaces failed instances for ever or never; use unlimited")
	}
	if p.delay <= 0 || p.maxDelay < p.delay && p.exponential {
		return p, invalid(path, "needs a delay, and a longest delay that is not shorter")
	}
	return p, nil
}
