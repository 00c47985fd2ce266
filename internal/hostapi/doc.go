// Package hostapi is the worker link: the wire types that manager and worker exchange, and the worker's client.
//
// Data flows from the store through the manager's hostapi role to a worker (App: what to run and how) and back
// (InstanceReport, Triggers, Records: what became of it). The link is JSON under /hostapi/v1; manager N serves
// workers N and N-1, so fields are only ever added, and both sides ignore what they do not know.
package hostapi
