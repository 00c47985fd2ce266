package discovery

import "strings"

// Snapshot is the whole picture. It is never changed after it is published.
type Snapshot struct {
	apps map[string]*App
}

// NewSnapshot builds a snapshot; names are compared without case, as host names are.
func NewSnapshot(apps []App) *Snapshot {
	s := &Snapshot{apps: make(map[string]*App, len(apps))}
	for i := range apps {
		s.apps[strings.ToLower(apps[i].Name)] = &apps[i]
	}
	return s
}

// App finds an app by name; nil when there is none.
func (s *Snapshot) App(name string) *App {
	if s == nil {
		return nil
	}
	if a := s.apps[name]; a != nil {
		return a
	}
	return s.apps[strings.ToLower(name)]
}

// Len is the number of apps.
func (s *Snapshot) Len() int { return len(s.apps) }

// App is what the gateway knows of one app.
type App struct {
	Name       string
	Stopped    bool     // by its owner: 403 "This web app is stopped.", as Azure
	Generation int64    // of the route; a gateway ignores a lower one than it has
	Targets    []Target // weights are relative; empty means no revision has gone live yet
	// Waiting says in words why a target has no endpoint: waiting for capacity, starting, failed with this error.
	Waiting string
}

// Target is one revision that gets a share of the traffic.
type Target struct {
	Revision  int64
	Weight    int
	Endpoints []Endpoint // healthy ones
}

// Endpoint is one healthy instance.
type Endpoint struct {
	InstanceID string
	Address    string // host:port
}
