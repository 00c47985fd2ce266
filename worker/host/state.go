package host

import "github.com/nightshift-functions/nightshift/internal/hostapi"

// State is how far an instance has come and what is wanted of it. Everything that depends on it is decided here.
type State struct {
	Loaded   bool          // the functions are loaded
	Phase    hostapi.Phase // what rollout wants
	Failed   bool          // it cannot serve, now or ever
	Stopping bool          // it was told to end: SIGTERM or a command
	Stopped  bool          // nothing runs any more
}

// Instance is the state as the manager knows it.
func (s State) Instance() hostapi.InstanceState {
	switch {
	case s.Failed:
		return hostapi.StateFailed
	case s.Stopped:
		return hostapi.StateStopped
	case s.Stopping:
		return hostapi.StateDraining
	case !s.Loaded:
		return hostapi.StateStarting
	case s.Phase == hostapi.Active:
		return hostapi.StateActive
	case s.Phase == hostapi.Draining:
		return hostapi.StateDraining
	}
	return hostapi.StateStandby
}

// Ready is the answer to the readiness check. A draining revision is ready: the route decides who gets requests, and
// requests that are under way must not lose their instance.
func (s State) Ready() bool { return s.Loaded && !s.Failed && !s.Stopping && !s.Stopped }

// Serving reports whether requests are run: also those that come while the instance stops.
func (s State) Serving() bool { return s.Loaded && !s.Failed && !s.Stopped }

// Listening reports whether triggers other than HTTP run.
func (s State) Listening() bool { return s.Ready() && s.Phase == hostapi.Active }

// Deployed reports whether the step from one state to the next is a revision's going live, as opposed to an instance
// that comes up in a revision that is live: only then do timers with runOnStartup run.
func Deployed(before, after State) bool {
	return before.Loaded && before.Phase == hostapi.Standby && after.Listening()
}
