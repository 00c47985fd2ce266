// Package rpc is the host's end of FunctionRpc: a gRPC server without TLS on loopback that language workers connect
// to, one stream each.
//
// Data flows from a language worker's process into Stream.Deliver (one call per message, in order) and from Stream.Send
// through one writer to the process. A stream counts only when its first message is a StartStream with an id that
// somebody expects, and each id is good for one stream.
package rpc

//go:generate ./generate.sh
