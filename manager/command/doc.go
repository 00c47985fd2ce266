// Package command is the manager's command line: the only reader of the environment, the only place that catches
// signals and decides about exit codes. Every flag can be given as NIGHTSHIFT_<FLAG> with dashes as underscores; the
// flag wins. Commands end with 0, with 1 when something went wrong, with 2 when the command line is wrong.
package command
