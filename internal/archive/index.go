package archive

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Flags, methods and systems of the format that matter here.
const (
	flagEncrypted = 1 << 0
	flagPatched   = 1 << 5
	flagStrong    = 1 << 6
	flagMasked    = 1 << 13

	methodStored  = 0
	methodDeflate = 8

	creatorUnix  = 3
	creatorMacOS = 19
)

// Entry is one file or folder of a zip.
type Entry struct {
	Name     string // clean, relative, slash-separated, without a slash at its end
	Dir      bool
	Size     int64 // unpacked, as declared; reading fails when it is not true
	Packed   int64
	HasMode  bool // the zip was made where files have modes, so Executable is meant
	Modified time.Time

	Executable bool

	method     uint16
	crc        uint32
	dataOffset int64
}

// Index is a checked zip: its entries in the order of the zip, and the content behind them. It is safe for concurrent
// use as far as the reader behind it is.
type Index struct {
	Entries    []Entry
	TotalBytes int64    // all content unpacked
	Warnings   []string // sentences for the deployment's log

	r      io.ReaderAt
	byName map[string]int
	closer io.Closer
}

// Open checks the zip in a file; the caller closes the index. Errors are those of Check, or of the file system.
func Open(path string, limits Limits) (*Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		var x *Index
		if x, err = Check(f, info.Size(), limits); err == nil {
			x.closer = f
			return x, nil
		}
	}
	_ = f.Close() // read only: nothing can be lost
	return nil, err
}

// Close closes the file of an index that Open made; of one that Check made it does nothing.
func (x *Index) Close() error {
	if x.closer == nil {
		return nil
	}
	if err := x.closer.Close(); err != nil {
		return fmt.Errorf("close package: %w", err)
	}
	return nil
}

// Check reads the structure of the zip in r: its directory and the header of every entry, no content. What it accepts,
// Extract can write on any node. The error is Invalid or TooLarge with a sentence for the publisher, unless r itself
// failed. Content is compared with its checksums by Verify, Extract and ReadFile.
func Check(r io.ReaderAt, size int64, limits Limits) (*Index, error) {
	limits = limits.orDefaults()
	if err := checkMagic(r, size); err != nil {
		return nil, err
	}
	headers, d, err := readDirectory(r, size, limits)
	if err != nil {
		return nil, err
	}
	x := &Index{r: r, byName: make(map[string]int, len(headers))}
	if err := x.takeNames(headers, limits); err != nil {
		return nil, err
	}
	if err := checkPlaces(r, headers, int64(d.offset)); err != nil {
		return nil, err
	}
	for i := range x.Entries {
		x.Entries[i].dataOffset = headers[i].dataOffset
	}
	x.dropRoots()
	if err := limits.checkSizes(x.TotalBytes, size); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(x.Entries, func(e Entry) bool { return !e.Dir }) {
		return nil, azfunc.Errorf(azfunc.Invalid, "the zip holds folders only, no file: publish a zip of what is inside the app's folder")
	}
	return x, nil
}

// takeNames makes an entry of every header, in order.
func (x *Index) takeNames(headers []header, limits Limits) error {
	windows, err := backslashes(headers)
	if err != nil {
		return err
	}
	if windows {
		x.Warnings = append(x.Warnings, `the zip separates folders with backslashes; they were read as slashes, but create it with a current tool`)
	}
	t := newTree(limits)
	for i := range headers {
		e, err := headers[i].entry(windows)
		if err != nil {
			return err
		}
		if e.Dir {
			err = t.addFolder(e.Name)
		} else {
			err = t.addFile(e.Name)
		}
		if err != nil {
			return err
		}
		if e.Size > limits.MaxBytes-x.TotalBytes {
			return limits.checkSizes(saturated(x.TotalBytes, e.Size), 0)
		}
		x.TotalBytes += e.Size
		x.Entries = append(x.Entries, e)
	}
	x.Warnings = append(x.Warnings, t.twins...)
	return nil
}

func saturated(a, b int64) int64 {
	if sum := a + b; sum > 0 {
		return sum
	}
	return 1<<63 - 1
}

// dropRoots leaves out entries for the root folder itself, which some tools write, and indexes the rest.
func (x *Index) dropRoots() {
	x.Entries = slices.DeleteFunc(x.Entries, func(e Entry) bool { return e.Name == "" })
	for i := range x.Entries {
		x.byName[x.Entries[i].Name] = i
	}
}

// checkPlaces reads every local header and makes sure that no two entries share bytes: zip bombs get their size from
// entries that all point into the same data.
func checkPlaces(r io.ReaderAt, headers []header, directoryAt int64) error {
	buf := make([]byte, localLen+maxNameBytes)
	order := make([]*header, len(headers))
	for i := range headers {
		if err := headers[i].checkLocal(r, directoryAt, buf); err != nil {
			return err
		}
		order[i] = &headers[i]
	}
	slices.SortFunc(order, func(a, b *header) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(order); i++ {
		if last := order[i-1]; last.dataOffset+last.packed > order[i].offset {
			return refuse(order[i].displayName, "it shares bytes with %q, as zip bombs do; create the zip again", last.displayName)
		}
	}
	return nil
}

// Find returns the entry of that exact name.
func (x *Index) Find(name string) (Entry, bool) {
	i, ok := x.byName[name]
	if !ok {
		return Entry{}, false
	}
	return x.Entries[i], true
}

// ReadFile returns the content of a file that is at most maxBytes long. The error is NotFound, TooLarge, or Invalid
// when the content is damaged.
func (x *Index) ReadFile(name string, maxBytes int64) ([]byte, error) {
	e, ok := x.Find(name)
	if !ok || e.Dir {
		return nil, azfunc.Errorf(azfunc.NotFound, "the zip holds no file %q: %w", name, fs.ErrNotExist)
	}
	if e.Size > maxBytes {
		return nil, azfunc.Errorf(azfunc.TooLarge, "zip entry %q has %s, %s is the limit for it", name, bytesText(e.Size), bytesText(maxBytes))
	}
	return io.ReadAll(x.open(e))
}
