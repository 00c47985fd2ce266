// Package channeltest is a language worker for tests: a test binary that starts itself with "fakeworker MODE" as its
// first arguments plays it. Mode "good" offers a small app, the others misbehave in one way each.
package channeltest
