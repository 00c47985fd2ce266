package local

import "golang.org/x/sys/unix"

// memoryMB is the machine's memory; 0 when it cannot be told.
func memoryMB() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit) / megabyte)
}
