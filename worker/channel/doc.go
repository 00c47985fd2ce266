// Package channel runs language workers: the processes that load an app's functions and answer FunctionRpc.
//
// A worker.config.json (Find) says how to start one. A Channel is one process with its stream, from spawn over init,
// index and load to its end. A Pool keeps as many channels as the app asks for, hands them to invocations in turn, and
// replaces those that die while the restart budget lasts. Messages a language worker did not announce it understands
// are never sent: some die of them.
package channel
