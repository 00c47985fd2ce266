package schedulertest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// Factory returns the scheduler to test and cleans it up with the test.
type Factory func(*testing.T) Scheduler

// Run runs the suite. Its tests run side by side on one scheduler, each with jobs of its own.
func Run(t *testing.T, factory Factory) {
	t.Helper()
	s := factory(t)
	t.Run("suite", func(t *testing.T) {
		for _, test := range []struct {
			name string
			run  func(b *Bench, t *testing.T, jobID string)
		}{
			{"apply", apply},
			{"apply again", applyAgain},
			{"apply changed", applyChanged},
			{"apply keeps the count", applyKeepsCount},
			{"scale", scale},
			{"stop and start again", stopAndStart},
			{"purge", purge},
			{"unknown names", unknownNames},
			{"crash", crash},
			{"failure is final", failure},
			{"health", health},
			{"stopping is told first", stoppingFirst},
			{"stubborn", stubborn},
			{"process tree", processTree},
			{"logs", logs},
			{"logs follow", logsFollow},
			{"watch", watch},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				jobID := "fn-" + strings.ReplaceAll(test.name, " ", "-") + "-" + uuid.NewString()[:8] + ".r1"
				test.run(NewBench(t, s), t, jobID)
			})
		}
	})
}

func apply(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	if instance.State != scheduler.Running || instance.JobID != jobID || instance.StartedAt.IsZero() {
		t.Errorf("instance = %+v, want a running one of job %q", instance, jobID)
	}
	nodes, err := b.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := false
	for _, node := range nodes {
		known = known || node.ID == instance.NodeID && node.Name == instance.NodeName && node.Ready
	}
	if !known {
		t.Errorf("instance is on node %q (%s), which is not among %+v", instance.NodeID, instance.NodeName, nodes)
	}
	_, port, _ := strings.Cut(instance.Address, ":")
	environment := b.Ask(instance, http.MethodGet, "/environment", nil)
	for _, want := range []string{"PLACE=" + instance.ID + "@" + port, "NOMAD_JOB_ID=" + jobID, "NOMAD_ALLOC_ID=" + instance.ID} {
		if !strings.Contains("\n"+environment+"\n", "\n"+want+"\n") {
			t.Errorf("environment lacks %q:\n%s", want, environment)
		}
	}
}

func applyAgain(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	before := b.Await(jobID, "a healthy instance", func(job scheduler.Job) bool { return len(Live(job)) == 1 && Live(job)[0].Healthy })
	b.Applied(Job(t, jobID, ModeServe))
	b.Scaled(jobID, 2) // something to wait for, after which a replacement would have shown
	after := b.Await(jobID, "two healthy instances", func(job scheduler.Job) bool { return len(Live(job)) == 2 && Live(job)[1].Healthy })
	if got := Find(after, before.Instances[0].ID); !got.Healthy || got.Stopping || len(after.Instances) != 2 {
		t.Errorf("after applying the same job again: %+v, want instance %s untouched", after, before.Instances[0].ID)
	}
}

func applyChanged(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	first := b.Healthy(jobID, 1)[0]
	changed := Job(t, jobID, ModeServe)
	changed.TaskGroups[0].Tasks[0].Env["COLOUR"] = "green"
	b.Applied(changed)
	job := b.Await(jobID, "the replacement alone", func(job scheduler.Job) bool {
		live := Live(job)
		return len(live) == 1 && live[0].ID != first.ID && live[0].Healthy
	})
	second := Live(job)[0]
	if second.JobVersion <= first.JobVersion || job.Version != second.JobVersion {
		t.Errorf("versions: instance had %d, has %d, job has %d; want them to grow together", first.JobVersion, second.JobVersion, job.Version)
	}
	if environment := b.Ask(second, http.MethodGet, "/environment", nil); !strings.Contains(environment, "COLOUR=green") {
		t.Errorf("the replacement's environment lacks the change:\n%s", environment)
	}
	AwaitGone(t, first.Address)
}

func applyKeepsCount(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	b.Scaled(jobID, 3)
	b.Healthy(jobID, 3)
	changed := Job(t, jobID, ModeServe)
	changed.Meta = map[string]string{"note": "changed"}
	b.Applied(changed)
	job := b.Await(jobID, "three new instances", func(job scheduler.Job) bool {
		count := 0
		for _, instance := range Live(job) {
			if instance.JobVersion == job.Version && instance.Healthy {
				count++
			}
		}
		return count == 3 && len(Live(job)) == 3
	})
	if job.Count != 3 {
		t.Errorf("count = %d, want the 3 that Scale set", job.Count)
	}
}

func scale(b *Bench, t *testing.T, jobID string) {
	job := Job(t, jobID, ModeServe)
	job.TaskGroups[0].Count = new(0)
	b.Applied(job)
	b.Await(jobID, "no instance", func(job scheduler.Job) bool { return job.Count == 0 && len(job.Instances) == 0 })
	b.Scaled(jobID, 3)
	three := b.Healthy(jobID, 3)
	addresses := map[string]bool{}
	for _, instance := range three {
		addresses[instance.Address] = true
	}
	if len(addresses) != 3 {
		t.Errorf("addresses %v, want three different ones", addresses)
	}
	b.Scaled(jobID, 1)
	kept := b.Healthy(jobID, 1)[0]
	if Find(scheduler.Job{Instances: three}, kept.ID).ID == "" {
		t.Errorf("instance %s stayed, which is none of the three before", kept.ID)
	}
	b.Scaled(jobID, 0)
	b.Await(jobID, "no live instance", func(job scheduler.Job) bool { return len(Live(job)) == 0 })
	AwaitGone(t, kept.Address)
	b.Scaled(jobID, 1)
	b.Healthy(jobID, 1)
	if err := b.Scale(t.Context(), jobID, -1); azfunc.CodeOf(err) != azfunc.Invalid {
		t.Errorf("scale to -1: %v, want Invalid", err)
	}
}

func stopAndStart(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	if err := b.Stop(t.Context(), jobID, false); err != nil {
		t.Fatal(err)
	}
	job := b.Await(jobID, "the end", func(job scheduler.Job) bool { return job.Stopped && len(Live(job)) == 0 })
	if got := Find(job, instance.ID); got.State != scheduler.Complete || got.Healthy || got.FinishedAt.IsZero() {
		t.Errorf("stopped instance = %+v, want it complete", got)
	}
	if log := b.ReadLog(scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdout"}); !strings.Contains(log, "told to stop") {
		t.Errorf("log of the stopped instance = %q, want it whole", log)
	}
	if err := b.Stop(t.Context(), jobID, false); err != nil {
		t.Errorf("stopping a stopped job: %v", err)
	}
	if err := b.Scale(t.Context(), jobID, 2); azfunc.CodeOf(err) != azfunc.Conflict {
		t.Errorf("scaling a stopped job: %v, want Conflict", err)
	}
	b.Applied(Job(t, jobID, ModeServe))
	again := b.Healthy(jobID, 1)[0]
	if again.ID == instance.ID || again.JobVersion <= instance.JobVersion {
		t.Errorf("after the second start: %+v, want a new instance of a new version", again)
	}
}

func purge(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	if err := b.Stop(t.Context(), jobID, true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var index uint64
	for {
		snapshot, err := b.Watch(ctx, index)
		if err != nil {
			t.Fatalf("waiting for job %q to be forgotten: %v", jobID, err)
		}
		if _, there := snapshot.Jobs[jobID]; !there {
			break
		}
		index = snapshot.Index
	}
	AwaitGone(t, instance.Address)
	if err := b.Scale(ctx, jobID, 1); azfunc.CodeOf(err) != azfunc.NotFound {
		t.Errorf("scaling a forgotten job: %v, want NotFound", err)
	}
}

func unknownNames(b *Bench, t *testing.T, jobID string) {
	_, noInstance := b.Logs(t.Context(), scheduler.LogRequest{InstanceID: uuid.NewString(), Task: "worker", Stream: "stdout"})
	_, path := b.Logs(t.Context(), scheduler.LogRequest{InstanceID: "../../../etc", Task: "worker", Stream: "stdout"})
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	_, noTask := b.Logs(t.Context(), scheduler.LogRequest{InstanceID: instance.ID, Task: "other", Stream: "stdout"})
	_, noStream := b.Logs(t.Context(), scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdin"})
	got := map[string]azfunc.Code{
		"scale":       azfunc.CodeOf(b.Scale(t.Context(), "no-such-job", 1)),
		"stop":        azfunc.CodeOf(b.Stop(t.Context(), "no-such-job", false)),
		"instance":    azfunc.CodeOf(noInstance),
		"instance id": azfunc.CodeOf(path),
		"task":        azfunc.CodeOf(noTask),
		"stream":      azfunc.CodeOf(noStream),
	}
	want := map[string]azfunc.Code{
		"scale": azfunc.NotFound, "stop": azfunc.NotFound, "instance": azfunc.NotFound, "instance id": azfunc.NotFound,
		"task": azfunc.NotFound, "stream": azfunc.Invalid,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func watch(b *Bench, t *testing.T, jobID string) {
	first, err := b.Watch(t.Context(), 0)
	if err != nil || first.Index == 0 {
		t.Fatalf("watch from 0 = index %d, %v; want a snapshot at once", first.Index, err)
	}
	b.Applied(Job(t, jobID, ModeServe))
	b.Healthy(jobID, 1)
	second, err := b.Watch(t.Context(), first.Index)
	if err != nil || second.Index <= first.Index {
		t.Fatalf("watch after %d = index %d, %v; want a greater one", first.Index, second.Index, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if late, err := b.Watch(ctx, second.Index+1<<40); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("watch beyond the index = %d, %v; want it to wait until the context ends", late.Index, err)
	}
	_, there := first.Jobs[jobID]
	if there {
		t.Error("an old snapshot changed")
	}
}

func logs(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	request := scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdout", Follow: true}
	follow, err := b.Logs(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = follow.Close() }()
	b.Ask(instance, http.MethodPost, "/print", url.Values{"text": {"the last words"}})
	b.ReadUntil(follow, "the last words\n") // so it has arrived
	request.Follow = false
	whole := b.ReadLog(request)
	if !strings.HasPrefix(whole, "listening on ") || !strings.HasSuffix(whole, "the last words\n") {
		t.Errorf("log = %q", whole)
	}
	for offset, want := range map[int64]string{-6: "words\n", int64(len(whole)) - 6: "words\n", -1 << 40: whole, int64(len(whole)): ""} {
		request.Offset = offset
		if got := b.ReadLog(request); got != want {
			t.Errorf("log from %d = %q, want %q", offset, got, want)
		}
	}
	request.Offset, request.Stream = 0, "stderr"
	if got := b.ReadLog(request); got != "" {
		t.Errorf("stderr = %q, want nothing", got)
	}
}

func logsFollow(b *Bench, t *testing.T, jobID string) {
	b.Applied(Job(t, jobID, ModeServe))
	instance := b.Healthy(jobID, 1)[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdout", Follow: true}
	canceled, err := b.Logs(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	follow, err := b.Logs(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	b.Ask(instance, http.MethodPost, "/print", url.Values{"text": {"one"}})
	b.ReadUntil(follow, "one\n")
	b.Ask(instance, http.MethodPost, "/print", url.Values{"text": {"two"}})
	b.ReadUntil(follow, "two\n")
	b.ReadUntil(canceled, "two\n")
	cancel()
	if n, err := canceled.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("reading after the context's end = %d, %v; want an end", n, err)
	}
	if err := errors.Join(follow.Close(), canceled.Close()); err != nil {
		t.Error(err)
	}
}
