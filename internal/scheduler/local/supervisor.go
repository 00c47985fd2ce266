package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// machine is what every supervisor needs of this machine.
type machine struct {
	dir      *runDir
	launcher *launcher
	tokens   *identities
	identity func(context.Context, IdentityRequest) (string, error)
	client   *http.Client
	log      zerolog.Logger
}

// identityTimeout bounds how long an instance waits for its identities.
const identityTimeout = 30 * time.Second

// supervisor owns one instance from its first start to its last exit.
type supervisor struct {
	machine *machine
	spec    *spec
	id      string
	index   int
	ports   map[string]int
	stdout  *logStream
	stderr  *logStream

	stop <-chan struct{} // closed: end it gracefully
	kill <-chan struct{} // closed: end it at once

	// publish changes what snapshots show of the instance.
	publish func(func(*scheduler.Instance))
}

// outcome is how an instance ended.
type outcome struct {
	failed bool   // by itself, for good: it is to be replaced
	reason string // of a failure, in words
	lived  time.Duration
}

// run does everything. It returns when no process of the instance is left and its folder is gone; its logs stay.
func (v *supervisor) run(ctx context.Context) outcome {
	started := time.Now()
	end := v.live(ctx)
	end.lived = time.Since(started)
	v.stdout.end()
	v.stderr.end()
	if err := v.dir().remove(); err != nil {
		v.machine.log.Warn().Err(err).Str("instance", v.id).Msg("folder of a dead instance stays")
	}
	return end
}

func (v *supervisor) dir() instanceDir {
	return instanceDir{root: v.machine.dir.alloc(v.id), task: v.spec.task}
}

// live prepares the instance, then runs its process again and again until it is told to stop or has failed for good.
func (v *supervisor) live(ctx context.Context) outcome {
	cmd, err := v.prepare(ctx)
	if err != nil {
		return outcome{failed: true, reason: fmt.Sprintf("cannot be prepared: %v", err)}
	}
	var count restartCount
	for {
		reason, stopped := v.runOnce(ctx, cmd)
		if stopped {
			return outcome{}
		}
		var pause time.Duration
		var again bool
		pause, again, count = v.spec.restart.next(count, time.Now(), rand.Float64())
		v.machine.log.Warn().Str("job", v.spec.jobID).Str("instance", v.id).Str("reason", reason).Bool("again", again).Dur("pause", pause).Msg("instance ended by itself")
		if !again {
			return outcome{failed: true, reason: reason}
		}
		if v.told(pause) {
			return outcome{}
		}
		v.publish(func(i *scheduler.Instance) { i.Restarts++ })
	}
}

// told waits for the pause and reports whether the instance was told to stop meanwhile.
func (v *supervisor) told(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-v.stop:
		return true
	case <-v.kill:
		return true
	case <-timer.C:
		return false
	}
}

// toldNow reports whether the instance has been told to stop.
func (v *supervisor) toldNow() bool {
	select {
	case <-v.stop:
		return true
	case <-v.kill:
		return true
	default:
		return false
	}
}

// prepare makes folders and identities and fills in the command.
func (v *supervisor) prepare(ctx context.Context) (command, error) {
	cmd := command{dir: v.dir().taskDir(), uid: v.uid(), stdout: v.stdout, stderr: v.stderr}
	if cmd.uid >= 0 {
		if err := checkPassable(v.dir().root); err != nil {
			return cmd, err
		}
	}
	if err := os.Mkdir(v.machine.dir.logsOf(v.id), privateMode); err != nil {
		return cmd, fmt.Errorf("make the folder of an instance's logs: %w", err)
	}
	tokens, err := v.identities(ctx)
	if err != nil {
		return cmd, err
	}
	if err := v.dir().create(tokens, cmd.uid); err != nil {
		return cmd, err
	}
	cmd.expanded, err = v.spec.expand(variables(v.spec, placement{
		allocID: v.id, index: v.index, ports: v.ports,
		allocDir: v.dir().alloc(), taskDir: v.dir().local(), secrets: v.dir().secrets(),
	}))
	return cmd, err
}

func (v *supervisor) identities(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	tokens := map[string]string{}
	for _, name := range v.spec.identities {
		token, err := v.machine.identity(ctx, IdentityRequest{AllocID: v.id, JobID: v.spec.jobID, Name: name})
		if err != nil {
			return nil, fmt.Errorf("ask for identity %q: %w", name, err)
		}
		tokens[name] = token
	}
	return tokens, nil
}

// uid is the task's account, or -1 for our own.
func (v *supervisor) uid() int {
	if uid, err := strconv.Atoi(v.spec.user); err == nil {
		return uid
	}
	return -1
}

// runOnce runs the process once. stopped tells that it was ended because the instance was told to stop; else reason
// tells in words why it ended.
func (v *supervisor) runOnce(ctx context.Context, cmd command) (reason string, stopped bool) {
	if v.toldNow() {
		return "", true
	}
	p, err := v.machine.launcher.start(ctx, cmd)
	if err != nil {
		v.ended(exit{code: -1}, err.Error())
		return err.Error(), false
	}
	v.publish(func(i *scheduler.Instance) {
		i.State, i.StartedAt, i.FinishedAt = scheduler.Running, time.Now(), time.Time{}
	})
	endChecks := v.startChecks(ctx)
	defer endChecks()
	select {
	case <-p.ended:
	case <-v.stop:
		return "", v.shutDown(p)
	case <-v.kill:
		return "", v.shutDown(p)
	}
	endChecks() // before the end is published: a late answer must not make a dead instance healthy
	reason = p.exit.String()
	if line := v.stderr.lastLine(); line != "" {
		reason += ": " + line
	}
	v.ended(p.exit, reason)
	return reason, false
}

// startChecks begins to watch the instance's health; the returned function ends it and waits until it has ended.
func (v *supervisor) startChecks(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchHealth(ctx, v.machine.client, v.spec.checks, v.ports, func(healthy bool) {
			if ctx.Err() == nil {
				v.publish(func(i *scheduler.Instance) { i.Healthy = healthy })
			}
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// shutDown ends the process gracefully: time for those who send requests to hear of it, then the stop signal, then
// the kill timeout, then the end of the whole tree. That the instance is stopping was published before.
func (v *supervisor) shutDown(p *process) bool {
	if v.patience(p, v.spec.shutdownDelay) {
		return true
	}
	p.interrupt()
	if v.patience(p, v.spec.killTimeout) {
		return true
	}
	p.kill()
	<-p.ended
	v.machine.log.Warn().Str("job", v.spec.jobID).Str("instance", v.id).Dur("killTimeout", v.spec.killTimeout).Msg("instance was killed, it did not stop in time")
	return true
}

// patience waits for at most that long and reports whether the process has ended; a kill cuts it short.
func (v *supervisor) patience(p *process, duration time.Duration) (ended bool) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
	case <-v.kill:
	}
	return false
}

// ended publishes the end of a process that will perhaps be started again.
func (v *supervisor) ended(e exit, reason string) {
	v.publish(func(i *scheduler.Instance) {
		i.State, i.Healthy, i.ExitCode, i.LastError, i.FinishedAt = scheduler.Pending, false, e.code, reason, time.Now()
	})
}
