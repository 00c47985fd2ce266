package scheduler

import (
	"time"
)

// Snapshot is all jobs at one moment. Index grows with every change; it is only good for Watch.
type Snapshot struct {
	Index uint64
	Jobs  map[string]Job // by job id
}

// Job is one registered job.
type Job struct {
	ID      string
	Version uint64 // grows with every Apply that changed something
	Count   int    // wanted instances of the group "worker"
	Stopped bool
	// Blocked says in a person's words why instances that are wanted cannot be placed; empty when nothing waits.
	Blocked   string
	Instances []Instance // live ones and the last dead ones, oldest first
}

// State of an instance.
type State string

// An instance is pending until its process runs, and ends as complete (stopped by us, or exit 0) or failed.
const (
	Pending  State = "pending"
	Running  State = "running"
	Complete State = "complete"
	Failed   State = "failed"
)

// Instance is one placed copy: one Nomad allocation.
type Instance struct {
	ID         string // allocation id
	JobID      string
	JobVersion uint64
	NodeID     string
	NodeName   string
	State      State
	Address    string // host:port of the group's port "http"; empty before it is known
	Healthy    bool   // running, and every service check passes
	Stopping   bool   // told to stop: readiness is withdrawn, in-flight work ends
	Restarts   int
	ExitCode   int    // of the last run, when it ended by itself
	LastError  string // why it last failed, in words
	StartedAt  time.Time
	FinishedAt time.Time
}

// Live reports whether the instance may still serve.
func (i Instance) Live() bool { return i.State == Pending || i.State == Running }

// Node is a machine that runs instances.
type Node struct {
	ID         string
	Name       string
	OS         string // kernel.name: linux, windows
	Arch       string
	Eligible   bool
	Draining   bool
	Ready      bool
	CPUCores   int
	MemoryMB   int64
	Attributes map[string]string
}

// LogRequest names what Logs returns.
type LogRequest struct {
	InstanceID string
	Task       string // "worker"
	Stream     string // stdout or stderr
	Offset     int64  // bytes; negative counts from the end
	Follow     bool   // go on with what is written later, until the context ends
}
