package hostapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

const (
	// maxAge is how long a document is believed without a nudge: another manager's writes give none here, and the
	// gateway's keys are not in the store.
	maxAge = 10 * time.Second
	// maxDocuments bounds the documents in memory; each holds an app's settings.
	maxDocuments = 1024
)

// documents shares one document between all instances of a revision, because every report of one instance wakes the
// long polls of all of them: of N instances that wake, one reads the store.
type documents struct {
	mu  sync.Mutex
	all map[documentKey]*document
}

type documentKey struct {
	appID    string
	revision int64
}

// document is the App of one revision as it is sent.
type document struct {
	mu      sync.Mutex
	version uint64 // of the app's topic, from before it was read
	readAt  time.Time
	spec    *link.Spec // never changes, so it is read once
	body    []byte
	etag    string
}

// answer is a document at one moment.
type answer struct {
	body []byte
	etag string
}

func (d *documents) entry(key documentKey) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.all[key]; found != nil {
		return found
	}
	if d.all == nil || len(d.all) >= maxDocuments {
		d.all = make(map[documentKey]*document) // all of them can be read again
	}
	made := &document{}
	d.all[key] = made
	return made
}

// document returns the caller's document, read anew if the app may have changed.
func (s *Service) document(ctx context.Context, c caller) (answer, error) {
	d := s.docs.entry(documentKey{c.app.ID, c.Revision})
	d.mu.Lock()
	defer d.mu.Unlock()
	version, now := s.store.Version(store.AppTopic(c.app.ID)), s.cfg.Now()
	if d.body != nil && d.version == version && now.Sub(d.readAt) < maxAge {
		return answer{d.body, d.etag}, nil
	}
	if err := s.read(ctx, d, c); err != nil {
		return answer{}, err
	}
	d.version, d.readAt = version, now
	return answer{d.body, d.etag}, nil
}

func (s *Service) read(ctx context.Context, d *document, c caller) error {
	if d.spec == nil {
		spec, err := s.spec(ctx, c)
		if err != nil {
			return err
		}
		d.spec = &spec
	}
	live, err := s.live(ctx, c)
	if err != nil {
		return err
	}
	body, err := json.Marshal(link.App{Spec: *d.spec, Live: live})
	if err != nil {
		return fmt.Errorf("encode revision %d of app %q: %w", c.Revision, c.App, err)
	}
	sum := sha256.Sum256(body)
	d.body, d.etag = body, `"`+hex.EncodeToString(sum[:16])+`"`
	return nil
}

func (s *Service) spec(ctx context.Context, c caller) (link.Spec, error) {
	rev, err := s.store.Revision(ctx, c.app.ID, c.Revision)
	if err != nil {
		return link.Spec{}, err
	}
	return link.Spec{
		App: c.app.Name, Revision: rev.Number, HostID: HostID(c.app.Name),
		Package:  link.Package{SHA256: rev.PackageSHA256, SizeBytes: rev.PackageSize},
		Settings: rev.Settings, Runtime: runtimeOf(rev), Limits: s.cfg.Limits, PublicURL: s.cfg.PublicURL(c.app.Name),
	}, nil
}

// runtimeOf is what the revision's settings declare, else what its package was taken for when it was published: the
// setting may have been changed since.
func runtimeOf(rev store.Revision) string {
	if declared := strings.ToLower(strings.TrimSpace(azfunc.Setting(rev.Settings, azfunc.RuntimeSetting))); declared != "" {
		return declared
	}
	return rev.Runtime
}

func (s *Service) live(ctx context.Context, c caller) (link.Live, error) {
	phase, err := s.phase(ctx, c)
	if err != nil {
		return link.Live{}, err
	}
	keys, err := s.store.Keys(ctx, c.app.ID)
	if err != nil {
		return link.Live{}, err
	}
	return link.Live{Phase: phase, Keys: hashes(keys), GatewayKeys: s.cfg.GatewayKeys()}, nil
}

// phase is what the caller's instances shall do now.
func (s *Service) phase(ctx context.Context, c caller) (link.Phase, error) {
	app, err := s.store.AppByID(ctx, c.app.ID)
	if err != nil {
		return "", err
	}
	if app.Stopped {
		return link.Draining, nil
	}
	live, err := s.store.Revisions(ctx, app.ID, true)
	if err != nil {
		return "", err
	}
	for _, rev := range live {
		if rev.Number == c.Revision {
			return phaseOf(rev.Phase), nil
		}
	}
	return link.Draining, nil
}

// phaseOf says a revision's place in a rollout in the worker's words. What may no longer have a job drains.
func phaseOf(p store.Phase) link.Phase {
	switch p {
	case store.PhasePending, store.PhaseStandby:
		return link.Standby
	case store.PhaseActive:
		return link.Active
	case store.PhaseDraining, store.PhaseRetired, store.PhaseSuperseded, store.PhaseFailed:
	}
	return link.Draining
}

// hashes sorts an app's keys by what they open. Values stay here.
func hashes(keys []store.Key) link.Keys {
	out := link.Keys{Master: []link.KeyHash{}, Host: []link.KeyHash{}, System: []link.KeyHash{}}
	for _, k := range keys {
		h := link.KeyHash{Name: k.Name, Hash: k.Hash}
		switch k.Kind {
		case "master":
			out.Master = append(out.Master, h)
		case "host":
			out.Host = append(out.Host, h)
		case "system":
			out.System = append(out.System, h)
		case "function":
			if out.Functions == nil {
				out.Functions = make(map[string][]link.KeyHash)
			}
			out.Functions[k.Function] = append(out.Functions[k.Function], h)
		}
	}
	return out
}

// mustBeActive refuses what only the revision that takes the traffic may do: a listener of an old one that has not
// stopped yet must not take a timer from the new one. The error is Conflict, which a worker reads as taken.
func (s *Service) mustBeActive(ctx context.Context, c caller) error {
	phase, err := s.phase(ctx, c)
	if err != nil {
		return err
	}
	if phase != link.Active {
		return azfunc.Errorf(azfunc.Conflict, "revision %d of app %q is %s: its listeners may not run", c.Revision, c.App, phase)
	}
	return nil
}
