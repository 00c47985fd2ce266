// Package customhandler runs apps that bring their own web server: the host starts it, waits until it answers, and
// hands it invocations by HTTP.
//
// A call becomes either a POST of JSON with the trigger's data (Run: the default contract), or, for functions that are
// HTTP in and out only and when host.json says so, the caller's own request, streamed both ways (Forward).
package customhandler
