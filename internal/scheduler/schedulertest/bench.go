package schedulertest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// Registrar is the half of a scheduler that takes orders.
type Registrar interface {
	Apply(context.Context, *api.Job) error
	Scale(ctx context.Context, jobID string, count int) error
	Stop(ctx context.Context, jobID string, purge bool) error
}

// Observer is the half that tells what became of them.
type Observer interface {
	Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error)
	Logs(context.Context, scheduler.LogRequest) (io.ReadCloser, error)
	Nodes(context.Context) ([]scheduler.Node, error)
}

// Scheduler is what the suite tests.
type Scheduler interface {
	Registrar
	Observer
}

// patience bounds every wait of the suite. It is long because test machines are slow, not because anything should be.
const patience = 60 * time.Second

// Job returns a job of one instance that runs this test binary as the program, in that mode. Its durations are the
// shortest that Nomad takes too.
func Job(t testing.TB, id, mode string) *api.Job {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		t.Fatal(err)
	}
	return &api.Job{
		ID: new(id), Type: new("service"), Datacenters: []string{"*"},
		Update: &api.UpdateStrategy{MaxParallel: new(0)},
		TaskGroups: []*api.TaskGroup{{
			Name: new("worker"), Count: new(1),
			RestartPolicy: &api.RestartPolicy{
				Attempts: new(2), Interval: new(time.Minute), Delay: new(100 * time.Millisecond), Mode: new("fail"),
			},
			ReschedulePolicy: &api.ReschedulePolicy{
				Delay: new(5 * time.Second), DelayFunction: new("exponential"), MaxDelay: new(time.Minute), Unlimited: new(true),
			},
			Networks: []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}},
			Services: []*api.Service{{
				Name: id, PortLabel: "http",
				Checks: []api.ServiceCheck{{Name: "ready", Type: "http", Path: hostapi.PathReady, Interval: time.Second, Timeout: 5 * time.Second}},
			}},
			Tasks: []*api.Task{{
				Name: "worker", Driver: "raw_exec",
				Config:      map[string]any{"command": self, "args": []string{ProgramArg, mode, "${NOMAD_ADDR_http}"}},
				Env:         map[string]string{"PLACE": "${NOMAD_ALLOC_ID}@${NOMAD_PORT_http}"},
				KillTimeout: new(20 * time.Second),
			}},
		}},
	}
}

// Bench is a scheduler under test with what tests do to it again and again. Every wait fails the test after a minute.
type Bench struct {
	Scheduler
	t   testing.TB
	ctx context.Context //nolint:containedctx // the test's own, as long as the bench lives
}

// NewBench returns a bench for one test.
func NewBench(t testing.TB, s Scheduler) *Bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	return &Bench{Scheduler: s, t: t, ctx: ctx}
}

// Applied applies the job and fails the test when that is refused.
func (b *Bench) Applied(job *api.Job) {
	b.t.Helper()
	if err := b.Apply(b.ctx, job); err != nil {
		b.t.Fatalf("apply job %q: %v", *job.ID, err)
	}
}

// Scaled scales the job and fails the test when that is refused.
func (b *Bench) Scaled(jobID string, count int) {
	b.t.Helper()
	if err := b.Scale(b.ctx, jobID, count); err != nil {
		b.t.Fatalf("scale job %q to %d: %v", jobID, count, err)
	}
}

// Await watches until the job is as wanted, and returns it then. what is for the failure's message.
func (b *Bench) Await(jobID, what string, wanted func(scheduler.Job) bool) scheduler.Job {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	var last scheduler.Snapshot
	for {
		snapshot, err := b.Watch(ctx, last.Index)
		if err != nil {
			b.t.Fatalf("job %q: waiting for %s: %v; last seen: %+v", jobID, what, err, last.Jobs[jobID])
		}
		if job, ok := snapshot.Jobs[jobID]; ok && wanted(job) {
			return job
		}
		last = snapshot
	}
}

// Healthy waits until exactly that many instances live and all are healthy, and returns them.
func (b *Bench) Healthy(jobID string, count int) []scheduler.Instance {
	b.t.Helper()
	job := b.Await(jobID, "healthy instances", func(job scheduler.Job) bool {
		live := Live(job)
		for _, instance := range live {
			if !instance.Healthy || instance.Stopping {
				return false
			}
		}
		return len(live) == count
	})
	return Live(job)
}

// Find returns the instance of that id; the zero value when the job does not have it.
func Find(job scheduler.Job, id string) scheduler.Instance {
	for _, instance := range job.Instances {
		if instance.ID == id {
			return instance
		}
	}
	return scheduler.Instance{}
}

// Live returns the job's instances that may still serve.
func Live(job scheduler.Job) []scheduler.Instance {
	var live []scheduler.Instance
	for _, instance := range job.Instances {
		if instance.Live() {
			live = append(live, instance)
		}
	}
	return live
}

// Ask sends a request to the program of an instance and returns the body of its answer.
func (b *Bench) Ask(instance scheduler.Instance, method, path string, form url.Values) string {
	b.t.Helper()
	status, body := b.Try(instance, method, path, form)
	if status != http.StatusOK {
		b.t.Fatalf("%s %s of %s: status %d: %s", method, path, instance.ID, status, body)
	}
	return body
}

// Try is Ask for answers of any status.
func (b *Bench) Try(instance scheduler.Instance, method, path string, form url.Values) (status int, body string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	target := "http://" + instance.Address + path + "?" + form.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatalf("%s %s of instance %s: %v", method, path, instance.ID, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatalf("%s %s of instance %s: %v", method, path, instance.ID, err)
	}
	return response.StatusCode, string(text)
}

// AwaitGone waits until nothing listens on the address any more.
func AwaitGone(t testing.TB, address string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for Listens(t.Context(), address) {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("something still listens on %s", address)
		}
	}
}

// Listens reports whether something accepts connections on the address.
func Listens(ctx context.Context, address string) bool {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = connection.Close() // nothing was sent
	return true
}

// ReadLog returns what Logs gives at present.
func (b *Bench) ReadLog(request scheduler.LogRequest) string {
	b.t.Helper()
	reader, err := b.Logs(b.ctx, request)
	if err != nil {
		b.t.Fatalf("logs of %+v: %v", request, err)
	}
	defer func() { _ = reader.Close() }()
	text, err := io.ReadAll(reader)
	if err != nil {
		b.t.Fatalf("read logs of %+v: %v", request, err)
	}
	return string(text)
}

// ReadUntil reads until the text has been seen.
func (b *Bench) ReadUntil(reader io.Reader, text string) {
	b.t.Helper()
	found := make(chan error, 1)
	go func() {
		var seen strings.Builder
		buffer := make([]byte, 1024)
		for !strings.Contains(seen.String(), text) {
			n, err := reader.Read(buffer)
			seen.Write(buffer[:n])
			if err != nil && !strings.Contains(seen.String(), text) {
				found <- err
				return
			}
		}
		found <- nil
	}()
	select {
	case err := <-found:
		if err != nil {
			b.t.Fatalf("log ended before %q: %v", text, err)
		}
	case <-time.After(patience):
		b.t.Fatalf("log did not bring %q", text)
	}
}
