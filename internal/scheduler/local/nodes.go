package local

import (
	"context"
	"runtime"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// nodeID is the id of the one node that there is.
const nodeID = "local"

// Nodes returns this machine, under the names of Nomad's attributes.
func (s *Scheduler) Nodes(context.Context) ([]scheduler.Node, error) {
	return []scheduler.Node{{
		ID: nodeID, Name: s.config.NodeName, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Eligible: true, Ready: true, CPUCores: runtime.NumCPU(), MemoryMB: memoryMB(),
		Attributes: map[string]string{
			"kernel.name":     runtime.GOOS,
			"cpu.arch":        runtime.GOARCH,
			"unique.hostname": s.config.NodeName,
			"driver.raw_exec": "1",
		},
	}}, nil
}
