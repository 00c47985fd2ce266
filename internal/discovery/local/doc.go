// Package local makes the gateway's picture from two sources in reach of the process: routes from the store and
// instances from the scheduler.
//
// Run follows both; whenever one may have changed, the whole picture is folded anew (fold.go, pure; about a
// millisecond for 2000 apps) and, if it differs, published by one atomic swap. Refresh does the same at once, for
// rollout after a route change. A source that fails costs nothing but freshness: the last picture stays.
//
// An instance becomes an endpoint when it runs, is healthy and has not been told to stop. It stays one until it is
// told to stop, ends, restarts or moves: a failing health check alone does not remove it, because a busy instance
// that misses a check still serves better than none, and one that does not is set aside by the gateway at its first
// failed connect. What is wedged for good is the scheduler's to restart, and that removes it here.
package local
