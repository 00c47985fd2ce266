// Package discovery holds the gateway's picture of the world: which app answers to a name, which revisions take its
// traffic, and where their healthy instances are.
//
// Routes come from the store and endpoints from the scheduler (discovery/local) or Consul (discovery/consul). Both
// are folded into an immutable Snapshot that is swapped atomically, so that the request path takes no lock and asks
// nobody.
package discovery
