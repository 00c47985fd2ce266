//go:build !linux && !windows

package local

// memoryMB is the machine's memory; 0 because it cannot be told here.
func memoryMB() int64 { return 0 }
