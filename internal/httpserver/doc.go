// Package httpserver is the base of every HTTP face: it listens, gives each request an id, logs and counts it, turns
// a panic into a 500 and an error into the one answer that all faces share.
//
// A face makes a chi router with NewRouter, puts its routes on it, and hands it to New, which owns the listener from
// Start to Shutdown. Errors go out through WriteError, the only place that maps an azfunc.Code to a status; the
// cause of an error is noted in the request's access-log line, so that it is told once and never to the caller.
package httpserver
