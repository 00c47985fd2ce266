package archive

import (
	"fmt"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// File types as Unix keeps them in the upper half of a zip's external attributes, and two attributes of DOS.
const (
	unixTypeMask = 0xf000
	unixRegular  = 0x8000
	unixFolder   = 0x4000
	unixLink     = 0xa000
	unixExecute  = 0o111
	dosFolder    = 0x10
	dosReparse   = 0x400
)

// entry turns a header into an entry, or says why it cannot be taken.
func (h *header) entry(windows bool) (Entry, error) {
	name := h.name
	if windows {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	h.displayName = name
	clean, err := cleanPath(name)
	if err != nil {
		return Entry{}, err
	}
	if err := h.checkStorage(); err != nil {
		return Entry{}, err
	}
	e := Entry{
		Name: clean, Size: h.size, Packed: h.packed, Modified: dosTime(h.date, h.time),
		method: h.method, crc: h.crc, Dir: strings.HasSuffix(name, "/") || clean == "",
	}
	if err := h.applyMode(&e); err != nil {
		return Entry{}, err
	}
	e.Executable = e.Executable && !e.Dir
	if e.Dir && e.Size > 0 {
		return Entry{}, refuse(name, "it is a folder that has content of its own; create the zip again")
	}
	return e, nil
}

// checkStorage refuses content that cannot be unpacked.
func (h *header) checkStorage() error {
	switch {
	case h.flags&(flagEncrypted|flagStrong|flagMasked) != 0:
		return refuse(h.displayName, "it is encrypted; publish a zip without a password")
	case h.flags&flagPatched != 0:
		return refuse(h.displayName, "it is a patch, not a file; create the zip again")
	case h.method != methodStored && h.method != methodDeflate:
		return refuse(h.displayName, "it is compressed with %s; create the zip with the usual method, deflate", methodName(h.method))
	case h.method == methodStored && h.packed != h.size:
		return refuse(h.displayName, "it is stored as it is but declares two sizes; create the zip again")
	}
	return nil
}

func methodName(method uint16) string {
	names := map[uint16]string{6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES encryption"}
	if name, ok := names[method]; ok {
		return name
	}
	return fmt.Sprintf("the unknown method %d", method)
}

// applyMode reads the attributes of the system that made the zip. Links are refused, because a link is how content
// reaches out of its folder and Windows nodes need a privilege to make one.
func (h *header) applyMode(e *Entry) error {
	if h.creator != creatorUnix && h.creator != creatorMacOS {
		if h.external&dosReparse != 0 {
			return refuse(h.displayName, "it is a link; put the file itself into the zip")
		}
		e.Dir = e.Dir || h.external&dosFolder != 0
		return nil
	}
	mode := h.external >> 16
	e.HasMode = mode != 0
	e.Executable = mode&unixExecute != 0
	switch mode & unixTypeMask {
	case 0, unixRegular:
		return nil
	case unixFolder:
		e.Dir = true
		return nil
	case unixLink:
		return refuse(h.displayName, `it is a symbolic link; put the file itself into the zip ("zip -r" without -y does)`)
	}
	return azfunc.Errorf(azfunc.Invalid, "zip entry %q: it is a device, pipe or socket, which cannot be published", h.displayName)
}

// dosTime reads MS-DOS date and time, which carry no time zone; they count as UTC. Nonsense becomes the zero time.
func dosTime(date, clock uint16) time.Time {
	year, month, day := int(date>>9)+1980, time.Month(date>>5&0xf), int(date&0x1f)
	if month < time.January || month > time.December || day == 0 {
		return time.Time{}
	}
	return time.Date(year, month, day, int(clock>>11), int(clock>>5&0x3f), int(clock&0x1f)*2, 0, time.UTC)
}
