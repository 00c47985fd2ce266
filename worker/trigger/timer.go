package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/ncrontab"
)

const (
	// maxNap bounds one wait, so that a clock that was set is noticed.
	maxNap = time.Minute
	// The waits between attempts to reach the manager.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Ledger is the manager's book of due times that were claimed.
type Ledger interface {
	Schedule(ctx context.Context, function string) (hostapi.Schedule, error)
	Claim(ctx context.Context, function string, o hostapi.Occurrence) error
}

// Timer fires one function on its schedule.
type Timer struct {
	Function   string
	InstanceID string
	Schedule   *ncrontab.Schedule
	// UseMonitor: what was missed while nothing ran is caught up once. Azure's host does not watch timers that are due
	// again within a minute.
	UseMonitor bool
	Ledger     Ledger
	// Fire runs the function and returns when it has ended; its failure is its own business.
	Fire func(ctx context.Context, payload string)
	Log  zerolog.Logger
}

// Run fires the function until ctx ends; a run that has begun is finished. With onStartup the function runs once at
// once, if no other instance does so in the same second.
func (t *Timer) Run(ctx context.Context, onStartup bool) {
	last, ok := t.last(ctx)
	if !ok {
		return
	}
	now := time.Now()
	if due, missed := t.missed(last, now); missed {
		last = t.attempt(ctx, last, due, true)
	} else if onStartup {
		last = t.attempt(ctx, last, now.Truncate(time.Second), false)
	} else if last.IsZero() && t.watched(now) {
		t.begin(ctx, now)
	}
	for ctx.Err() == nil {
		due := t.Schedule.Next(time.Now())
		if due.IsZero() {
			t.Log.Warn().Str("schedule", t.Schedule.String()).Msg("timer is never due")
			return
		}
		if !until(ctx, due) {
			return
		}
		last = t.attempt(ctx, last, due, false)
	}
}

// missed returns the last due time that passed since the timer fired last.
func (t *Timer) missed(last, now time.Time) (time.Time, bool) {
	if last.IsZero() || !t.watched(now) {
		return time.Time{}, false
	}
	return t.Schedule.Latest(last, now)
}

func (t *Timer) watched(now time.Time) bool { return t.UseMonitor && !t.Schedule.Frequent(now) }

// begin notes with the manager from when on a new timer is watched: without it nobody could tell that its first due
// times were missed. Azure's host writes a status when it first sees a timer. The moment lies off the full second, so
// that it is never one that the timer is due at. A failure costs only this safety and is not waited for.
func (t *Timer) begin(ctx context.Context, now time.Time) {
	moment := now.Truncate(time.Millisecond)
	if moment.Equal(moment.Truncate(time.Second)) {
		moment = moment.Add(time.Millisecond)
	}
	err := t.Ledger.Claim(ctx, t.Function, hostapi.Occurrence{Due: moment.UTC(), InstanceID: t.InstanceID, Attempt: uuid.NewString()})
	if err != nil && azfunc.CodeOf(err) != azfunc.Conflict {
		t.Log.Warn().Err(err).Msg("timer cannot note when it began")
	}
}

// last asks the manager when the timer fired last, for as long as it takes.
func (t *Timer) last(ctx context.Context) (time.Time, bool) {
	delay := firstRetry
	for {
		s, err := t.Ledger.Schedule(ctx, t.Function)
		if err == nil {
			return s.Last, true
		}
		t.Log.Warn().Err(err).Msg("timer cannot read when it fired last")
		if !nap(ctx, delay) {
			return time.Time{}, false
		}
		delay = min(2*delay, lastRetry)
	}
}

// attempt claims a due time and fires. While the manager is away nothing fires; once it is back the latest of the due
// times that passed is claimed, as past due. It returns the due time last claimed by anybody.
func (t *Timer) attempt(ctx context.Context, last, due time.Time, pastDue bool) time.Time {
	delay, name := firstRetry, uuid.NewString()
	for {
		err := t.Ledger.Claim(ctx, t.Function, hostapi.Occurrence{Due: due.UTC(), InstanceID: t.InstanceID, PastDue: pastDue, Attempt: name})
		switch {
		case err == nil:
			t.Fire(context.WithoutCancel(ctx), t.payload(last, due, pastDue))
			return due
		case azfunc.CodeOf(err) == azfunc.Conflict:
			return due // another instance fires it
		}
		t.Log.Warn().Err(err).Time("due", due).Msg("timer cannot claim its due time")
		if !nap(ctx, delay) {
			return last
		}
		delay = min(2*delay, lastRetry)
		pastDue = true
		if later, ok := t.Schedule.Latest(due, time.Now()); ok {
			due = later
		}
	}
}

// until waits for a moment of the wall clock; false when ctx ended before.
func until(ctx context.Context, due time.Time) bool {
	for {
		left := time.Until(due)
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !nap(ctx, min(left, maxNap)) {
			return false
		}
	}
}

func nap(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// timerInfo is what a timer function gets, in Azure's spelling.
type timerInfo struct {
	Schedule       scheduleInfo
	ScheduleStatus *scheduleStatus
	IsPastDue      bool
}

type scheduleInfo struct{ AdjustForDST bool }

type scheduleStatus struct{ Last, Next, LastUpdated string }

func (t *Timer) payload(last, due time.Time, pastDue bool) string {
	info := timerInfo{Schedule: scheduleInfo{AdjustForDST: true}, IsPastDue: pastDue}
	if t.UseMonitor {
		zone := t.Schedule.Next(due)
		in := func(at time.Time) string {
			if at.IsZero() {
				return "0001-01-01T00:00:00"
			}
			return at.In(zone.Location()).Format("2006-01-02T15:04:05-07:00")
		}
		info.ScheduleStatus = &scheduleStatus{Last: in(last), Next: in(zone), LastUpdated: in(last)}
	}
	raw, err := json.Marshal(info)
	if err != nil {
		return fmt.Sprintf(`{"IsPastDue":%t}`, pastDue)
	}
	return string(raw)
}

// TimerPayload is what a timer function gets when somebody runs it by hand.
func TimerPayload() string {
	return `{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}`
}
