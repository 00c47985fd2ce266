// Package command is the worker's command line: it reads arguments and environment, wires the parts, and turns errors
// into exit codes. Nothing else in the worker reads the environment.
package command
