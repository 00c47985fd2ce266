package schedulertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

func crash(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	b.Ask(instance, http.MethodPost, "/fail", nil)
	down := b.Await(jobID, "the crash", func(job scheduler.Job) bool { return Find(job, instance.ID).ExitCode == exitFail })
	if got := Find(down, instance.ID); got.Healthy && got.Restarts == 0 {
		t.Errorf("crashed instance = %+v, want it not healthy", got)
	}
	again := b.Await(jobID, "the restart", func(job scheduler.Job) bool {
		got := Find(job, instance.ID)
		return got.Restarts == 1 && got.Healthy
	})
	if got := Find(again, instance.ID); !strings.Contains(got.LastError, "3") || got.State != scheduler.Running {
		t.Errorf("restarted instance = %+v, want it running and telling exit code 3", got)
	}
}

// failure holds that an instance whose restarts are used up has failed, says why, and is followed by another one.
func failure(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeFail))
	job := b.Await(jobID, "a failed instance", func(job scheduler.Job) bool {
		return len(job.Instances) > 0 && job.Instances[0].State == scheduler.Failed
	})
	first := job.Instances[0]
	if first.Restarts != 2 || first.ExitCode != exitFail || !strings.Contains(first.LastError, "3") || first.Healthy {
		t.Errorf("failed instance = %+v, want 2 restarts and exit code 3 told", first)
	}
	job = b.Await(jobID, "its successor", func(job scheduler.Job) bool { return len(job.Instances) > 1 })
	if pause := Find(job, first.ID).FinishedAt; time.Since(pause) < 4*time.Second {
		t.Errorf("the successor came %s after the failure, want the reschedule delay of 5 s", time.Since(pause))
	}
	if log := b.ReadLog(scheduler.LogRequest{InstanceID: first.ID, Task: "worker", Stream: "stderr"}); strings.Count(log, "told to fail") != 3 {
		t.Errorf("stderr of the failed instance = %q, want that of all three runs", log)
	}
}

func health(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	b.Ask(instance, http.MethodPost, "/ready", url.Values{"is": {"false"}})
	job := b.Await(jobID, "bad health", func(job scheduler.Job) bool { return !Find(job, instance.ID).Healthy })
	if got := Find(job, instance.ID); got.State != scheduler.Running || got.Restarts != 0 {
		t.Errorf("unhealthy instance = %+v, want it running on", got)
	}
	b.Ask(instance, http.MethodPost, "/ready", url.Values{"is": {"true"}})
	b.Await(jobID, "good health", func(job scheduler.Job) bool { return Find(job, instance.ID).Healthy })
}

// stoppingFirst holds that an instance is shown as stopping while it still serves, so that gateways turn away first.
func stoppingFirst(b *Bench, t *testing.T, jobID string) {
	job := Job(t, jobID, ModeServe)
	job.TaskGroups[0].ShutdownDelay = new(20 * time.Second)
	b.Applied(job)
	instance := b.Healthy(jobID, 1)[0]
	b.Scaled(jobID, 0)
	seen := b.Await(jobID, "the announcement", func(job scheduler.Job) bool { return Find(job, instance.ID).Stopping })
	if got := Find(seen, instance.ID); !got.Live() {
		t.Errorf("stopping instance = %+v, want it still live", got)
	}
	b.Ask(instance, http.MethodPost, "/fail", nil) // it still answers; and need not be waited for
	b.Await(jobID, "the end", func(job scheduler.Job) bool { return len(Live(job)) == 0 })
}

func stubborn(b *Bench, t *testing.T, jobID string) {
	job := Job(t, jobID, ModeStubborn)
	job.TaskGroups[0].Tasks[0].KillTimeout = new(100 * time.Millisecond)
	b.Applied(job)
	instance := b.Healthy(jobID, 1)[0]
	b.Scaled(jobID, 0)
	b.Await(jobID, "the end", func(job scheduler.Job) bool { return len(Live(job)) == 0 })
	AwaitGone(t, instance.Address)
	if log := b.ReadLog(scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdout"}); !strings.Contains(log, "told to stop") {
		t.Errorf("log = %q, want the stop signal before the kill", log)
	}
}

// processTree holds that what an instance started ends with it, when it stops and when it crashes.
func processTree(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	first := b.Ask(instance, http.MethodPost, "/child", nil)
	if !Listens(t.Context(), first) {
		t.Fatalf("child on %s does not listen", first)
	}
	b.Ask(instance, http.MethodPost, "/fail", nil)
	b.Await(jobID, "the restart", func(job scheduler.Job) bool {
		got := Find(job, instance.ID)
		return got.Restarts == 1 && got.Healthy
	})
	AwaitGone(t, first)
	second := b.Ask(instance, http.MethodPost, "/child", nil)
	b.Scaled(jobID, 0)
	b.Await(jobID, "the end", func(job scheduler.Job) bool { return len(Live(job)) == 0 })
	AwaitGone(t, second)
}
