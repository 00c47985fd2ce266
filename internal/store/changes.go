package store

import (
	"context"
	"sync"
)

// The topics that a reader can wait on; AppTopic makes those of single apps.
const (
	// TopicApps changes with what a rollout looks at in any app: the app itself, its revisions and their phases, and
	// the states of its instances, but not with every heartbeat.
	TopicApps = "apps"
	// TopicRoutes changes with what Routes returns.
	TopicRoutes = "routes"
)

// AppTopic changes with what a worker or somebody waiting for a deployment of the app wants to see: phases, keys,
// deployments and their logs, reports of instances.
func AppTopic(appID string) string { return "app/" + appID }

// maxTopics bounds the memory of changes: beyond it, topics that nobody waits on are forgotten.
const maxTopics = 4096

// changes counts the changes of topics and wakes who waits. All topics share one counter: a topic's version is the
// counter's value at its last change. A forgotten topic answers with the floor, which is not below any forgotten
// version, so forgetting can wake a reader in vain but never leaves one asleep.
type changes struct {
	mu      sync.Mutex
	counter uint64
	floor   uint64
	topics  map[string]*topic
}

type topic struct {
	version uint64
	waiters int
	changed chan struct{} // closed at the next change
}

func newChanges() *changes { return &changes{topics: make(map[string]*topic)} }

// Version returns the topic's version. It differs from one got earlier when the topic may have changed since.
func (db *DB) Version(topic string) uint64 { return db.changes.version(topic) }

// Wait returns the topic's version as soon as it is not after: at once when it changed already, or when after comes
// from an earlier process. It returns ctx's error when ctx ends first.
//
// Read the version before the data: v := Version(t); read; Wait(ctx, t, v) misses nothing.
func (db *DB) Wait(ctx context.Context, topic string, after uint64) (uint64, error) {
	for {
		version, changed, leave := db.changes.join(topic)
		if version != after {
			leave()
			return version, nil
		}
		select {
		case <-ctx.Done():
			leave()
			return version, ctx.Err()
		case <-changed:
			leave()
		}
	}
}

func (c *changes) version(name string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.topics[name]; t != nil {
		return t.version
	}
	return c.floor
}

// join counts a waiter in, so that the topic is not forgotten under it; leave counts it out.
func (c *changes) join(name string) (version uint64, changed <-chan struct{}, leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topic(name)
	t.waiters++
	return t.version, t.changed, func() {
		c.mu.Lock()
		t.waiters--
		c.mu.Unlock()
	}
}

func (c *changes) bump(names []string) {
	if len(names) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter++
	for _, name := range names {
		t := c.topic(name)
		t.version = c.counter
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

func (c *changes) topic(name string) *topic {
	t := c.topics[name]
	if t == nil {
		c.forget()
		t = &topic{version: c.floor, changed: make(chan struct{})}
		c.topics[name] = t
	}
	return t
}

// forget makes room. Raising the floor to the counter covers every version there ever was.
func (c *changes) forget() {
	if len(c.topics) < maxTopics {
		return
	}
	for name, t := range c.topics {
		if t.waiters == 0 {
			delete(c.topics, name)
			c.floor = c.counter
		}
	}
}
