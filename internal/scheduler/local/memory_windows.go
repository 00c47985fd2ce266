package local

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryMB is the machine's memory; 0 when it cannot be told.
func memoryMB() int64 {
	var kilobytes uint64
	ok, _, _ := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetPhysicallyInstalledSystemMemory").Call(uintptr(unsafe.Pointer(&kilobytes)))
	if ok == 0 {
		return 0
	}
	return int64(kilobytes / 1024)
}
