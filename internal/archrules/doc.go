// Package archrules holds the test that states who may import whom. Imports go down only: main, command, server or
// host, the roles' packages, drivers and jobspecs, internal.
package archrules
