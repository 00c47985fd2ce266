package local

import (
	"context"
	"io"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// Logs returns what an instance wrote, over all its log files, from the oldest byte that is kept. It works for live and
// for dead instances, also for the last ones of a former run. Following ends with the context, or when the instance is
// dead and everything is read. The caller closes the reader. An unknown instance or task is NotFound.
func (s *Scheduler) Logs(ctx context.Context, request scheduler.LogRequest) (io.ReadCloser, error) {
	if request.Stream != "stdout" && request.Stream != "stderr" {
		return nil, azfunc.Errorf(azfunc.Invalid, "there is no output stream %q; use stdout or stderr", request.Stream)
	}
	if !validName(request.Task) {
		return nil, azfunc.Errorf(azfunc.NotFound, "instance %q has no task %q", request.InstanceID, request.Task)
	}
	live, err := s.logStream(request)
	if err != nil {
		return nil, err
	}
	if !request.Follow {
		live = nil
	}
	prefix := logPrefix(s.machine.dir.logsOf(request.InstanceID), request.Task, request.Stream)
	return openLog(ctx, prefix, live, request.Offset)
}

// logStream finds the stream of an instance that this run knows; nil for one of a former run.
func (s *Scheduler) logStream(request scheduler.LogRequest) (*logStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		for _, i := range j.instances {
			switch {
			case i.info.ID != request.InstanceID:
			case j.spec.task != request.Task:
				return nil, azfunc.Errorf(azfunc.NotFound, "instance %q has no task %q", request.InstanceID, request.Task)
			case request.Stream == "stdout":
				return i.stdout, nil
			default:
				return i.stderr, nil
			}
		}
	}
	if s.machine.dir.hasLogs(request.InstanceID) {
		return nil, nil
	}
	return nil, azfunc.Errorf(azfunc.NotFound, "there is no instance %q, or its logs are gone", request.InstanceID)
}
