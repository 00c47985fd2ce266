package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// Waits of the loop: blockedRetry when ports are wanted that other programs may have given back, idle when nothing
// has a time.
const (
	blockedRetry = 5 * time.Second
	idle         = time.Hour
)

// converge brings all jobs to what is wanted and returns when to look again. The lock is held.
func (s *Scheduler) converge() time.Duration {
	now := time.Now()
	next := idle
	for id, j := range s.jobs {
		blocked := j.blocked
		s.convergeJob(j, now)
		if j.blocked != blocked {
			s.bump()
		}
		if j.blocked != "" {
			next = min(next, blockedRetry)
		}
		for _, r := range j.retries {
			if r.at.After(now) { // a due one waits for ports
				next = min(next, r.at.Sub(now))
			}
		}
		if j.purge && j.dead() {
			s.forget(id)
		}
	}
	s.forgetOldest()
	return next
}

func (s *Scheduler) convergeJob(j *job, now time.Time) {
	want := j.count
	if j.stopped || s.closing {
		want = 0
	}
	var live []*instance
	var candidates []candidate
	for _, i := range j.instances {
		if i.info.Live() && !i.info.Stopping {
			live = append(live, i)
			candidates = append(candidates, candidate{current: i.info.JobVersion == j.version, healthy: i.info.Healthy, seq: i.seq})
		}
	}
	steps := plan(now, want, candidates, j.retries)
	for _, at := range steps.stop {
		s.stopInstance(live[at])
	}
	j.retries, j.blocked = steps.waiting, ""
	for at, row := range steps.start {
		ports, ok := s.ports.take(context.Background(), j.spec.ports)
		if !ok {
			j.blocked = s.noPorts(len(steps.start) - at)
			for _, row := range steps.start[at:] { // keep their places in the row
				j.retries = append(j.retries, retry{at: now, row: row})
			}
			return
		}
		s.startInstance(j, row, ports)
	}
}

func (s *Scheduler) noPorts(instances int) string {
	return fmt.Sprintf("%d more instances need ports, and of the ports %d-%d none is free; stop something, or give the manager a wider range",
		instances, s.config.FirstPort, s.config.LastPort)
}

// stopInstance publishes that the instance stops before anything happens to it. The lock is held.
func (s *Scheduler) stopInstance(i *instance) {
	if !i.info.Stopping {
		i.info.Stopping = true
		i.end(i.stop)
		s.bump()
	}
}

// startInstance hands a new instance to its supervisor. The lock is held.
func (s *Scheduler) startInstance(j *job, row int, ports map[string]int) {
	s.seq++
	i := &instance{
		seq: s.seq, index: j.freeIndex(), row: row, ports: ports,
		stop: make(chan struct{}), kill: make(chan struct{}),
		info: scheduler.Instance{
			ID: uuid.NewString(), JobID: j.spec.jobID, JobVersion: j.version, State: scheduler.Pending,
			NodeID: nodeID, NodeName: s.config.NodeName,
		},
	}
	if len(j.spec.ports) > 0 { // the address is that of the port "http", or of the only one
		label := j.spec.ports[0]
		if slices.Contains(j.spec.ports, "http") {
			label = "http"
		}
		i.info.Address = net.JoinHostPort(host, strconv.Itoa(ports[label]))
	}
	logs := s.machine.dir.logsOf(i.info.ID)
	i.stdout = newLogStream(logs, j.spec.task, "stdout", j.spec.logs)
	i.stderr = newLogStream(logs, j.spec.task, "stderr", j.spec.logs)
	j.instances = append(j.instances, i)
	s.bump()
	v := &supervisor{
		machine: s.machine, spec: j.spec, id: i.info.ID, index: i.index, ports: ports, stdout: i.stdout, stderr: i.stderr,
		stop: i.stop, kill: i.kill,
		publish: func(change func(*scheduler.Instance)) { s.publish(i, change) },
	}
	s.instances.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s.instanceEnded(j, i, v.run(ctx))
	})
}

// freeIndex is the smallest number that no live instance of the job has.
func (j *job) freeIndex() int {
	taken := map[int]bool{}
	for _, i := range j.instances {
		taken[i.index] = taken[i.index] || i.info.Live()
	}
	index := 0
	for taken[index] {
		index++
	}
	return index
}

// instanceEnded publishes the end of an instance, gives back what it held and arranges for its replacement, in one
// step: in between nobody may see the instance missing and start another one at once.
func (s *Scheduler) instanceEnded(j *job, i *instance, end outcome) {
	s.machine.tokens.revoke(i.info.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	i.info.State, i.info.Healthy, i.info.FinishedAt = scheduler.Complete, false, time.Now()
	if end.failed && !i.info.Stopping {
		i.info.State, i.info.LastError = scheduler.Failed, end.reason
		s.replace(j, i, end.lived)
	}
	s.ports.release(i.ports)
	s.trim(j)
	s.bump()
	s.wakeLoop()
}

// replace arranges for the successor of an instance that has failed.
func (s *Scheduler) replace(j *job, i *instance, lived time.Duration) {
	if i.info.JobVersion != j.version {
		return // its successor has been started with the new version
	}
	policy := j.spec.reschedule
	at := time.Now().Add(policy.pause(i.row))
	if policy.never {
		at = time.Now().Add(never)
	}
	j.retries = append(j.retries, retry{at: at, row: policy.after(i.row, lived)})
}

// never is when an instance is replaced whose job wants no replacement; until then its place stays empty.
const never = 100 * 365 * 24 * time.Hour

func (j *job) dead() bool {
	return !slices.ContainsFunc(j.instances, func(i *instance) bool { return i.info.Live() })
}

// trim forgets the oldest dead instances of a job, with their logs.
func (s *Scheduler) trim(j *job) {
	surplus := -s.config.KeepDead
	for _, i := range j.instances {
		if !i.info.Live() {
			surplus++
		}
	}
	j.instances = slices.DeleteFunc(j.instances, func(i *instance) bool {
		if surplus <= 0 || i.info.Live() {
			return false
		}
		surplus--
		s.removeLogs(i)
		return true
	})
}

// forget removes a job whose instances are dead, with their logs.
func (s *Scheduler) forget(id string) {
	for _, i := range s.jobs[id].instances {
		s.removeLogs(i)
	}
	delete(s.jobs, id)
	s.bump()
}

// forgetOldest bounds how many stopped jobs are kept, in case nobody purges them.
func (s *Scheduler) forgetOldest() {
	var stopped []string
	for id, j := range s.jobs {
		if j.stopped && j.dead() {
			stopped = append(stopped, id)
		}
	}
	slices.SortFunc(stopped, func(a, b string) int { return s.jobs[a].stoppedAt.Compare(s.jobs[b].stoppedAt) })
	for _, id := range stopped[:max(0, len(stopped)-s.config.KeepStopped)] {
		s.forget(id)
	}
}

func (s *Scheduler) removeLogs(i *instance) {
	if err := os.RemoveAll(s.machine.dir.logsOf(i.info.ID)); err != nil {
		s.log.Warn().Err(err).Str("instance", i.info.ID).Msg("logs of a forgotten instance stay")
	}
}
