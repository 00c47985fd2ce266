package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Sizes and signatures of the zip format's records (APPNOTE 4.3).
const (
	endLen           = 22
	end64Len         = 56
	locatorLen       = 20
	centralLen       = 46
	localLen         = 30
	endSig           = 0x06054b50
	end64Sig         = 0x06064b50
	locatorSig       = 0x07064b50
	centralSig       = 0x02014b50
	localSig         = 0x04034b50
	zip64Extra       = 0x0001
	marker16, mark32 = math.MaxUint16, math.MaxUint32 // "look in the zip64 record"
)

// header is one entry as the central directory declares it.
type header struct {
	name        string
	flags       uint16
	method      uint16
	time, date  uint16
	crc         uint32
	packed      int64
	size        int64
	offset      int64 // of the local header
	creator     byte  // the system whose attributes external holds
	external    uint32
	dataOffset  int64 // filled by checkLocal
	displayName string
}

// directory is where the central directory lies.
type directory struct {
	entries uint64
	offset  uint64
	size    uint64
}

// readDirectory finds the central directory and reads its entries, at most limits.MaxEntries.
func readDirectory(r io.ReaderAt, size int64, limits Limits) ([]header, directory, error) {
	d, err := findDirectory(r, size)
	if err != nil {
		return nil, d, err
	}
	if err := limits.checkCount(d.entries); err != nil {
		return nil, d, err
	}
	if d.entries > d.size/centralLen {
		return nil, d, damaged("it declares %d entries, its directory has no room for them", d.entries)
	}
	if d.entries == 0 {
		return nil, d, azfunc.Errorf(azfunc.Invalid, "the zip is empty: publish a zip of what is inside the app's folder, with host.json at its top")
	}
	headers, err := readHeaders(bufio.NewReader(io.NewSectionReader(r, int64(d.offset), int64(d.size))), d.entries)
	return headers, d, err
}

// findDirectory reads the end record. It must be the last thing in the file and the directory must end where it
// begins: with room in between or around, two readers could see two different zips.
func findDirectory(r io.ReaderAt, size int64) (directory, error) {
	tail := make([]byte, min(size, endLen+math.MaxUint16))
	tailStart := size - int64(len(tail))
	if _, err := r.ReadAt(tail, tailStart); err != nil && !errors.Is(err, io.EOF) {
		return directory{}, fmt.Errorf("read the end of the zip: %w", err)
	}
	i := findEnd(tail)
	if i < 0 {
		return directory{}, azfunc.Errorf(azfunc.Invalid, "the zip is cut off or damaged: the directory at its end is missing; create it again and upload all of it")
	}
	end, endAt := tail[i:], tailStart+int64(i)
	d := directory{entries: uint64(le16(end[10:])), size: uint64(le32(end[12:])), offset: uint64(le32(end[16:]))}
	if d.entries == marker16 || d.size == mark32 || d.offset == mark32 {
		at, found, err := find64(r, endAt, &d)
		if err != nil {
			return d, err
		}
		if found {
			return d, d.checkPlace(at)
		}
	}
	if le16(end[4:]) != 0 || le16(end[6:]) != 0 || le16(end[8:]) != le16(end[10:]) {
		return d, azfunc.Errorf(azfunc.Invalid, "the zip is one part of several: publish it as a single file")
	}
	return d, d.checkPlace(endAt)
}

// findEnd returns where in tail the end record lies whose comment reaches exactly to the end of the file; -1 if none.
func findEnd(tail []byte) int {
	for i := len(tail) - endLen; i >= 0; i-- {
		if le32(tail[i:]) == endSig && i+endLen+int(le16(tail[i+20:])) == len(tail) {
			return i
		}
	}
	return -1
}

// find64 reads the zip64 end record in front of the end record at endAt and returns where it lies; found is false
// when there is none, which is right for a zip of exactly 65,535 entries.
func find64(r io.ReaderAt, endAt int64, d *directory) (at int64, found bool, err error) {
	locator := make([]byte, locatorLen)
	if endAt < locatorLen {
		return 0, false, nil
	}
	if _, err := r.ReadAt(locator, endAt-locatorLen); err != nil {
		return 0, false, fmt.Errorf("read the zip64 locator: %w", err)
	}
	if le32(locator) != locatorSig {
		return 0, false, nil
	}
	at = endAt - locatorLen - end64Len
	record := make([]byte, end64Len)
	if at < 0 || le64(locator[8:]) != uint64(at) || le32(locator[4:]) != 0 || le32(locator[16:]) != 1 {
		return 0, false, damaged("its zip64 record is not where it should be")
	}
	if _, err := r.ReadAt(record, at); err != nil {
		return 0, false, fmt.Errorf("read the zip64 record: %w", err)
	}
	if le32(record) != end64Sig || le64(record[4:]) != end64Len-12 || le64(record[24:]) != le64(record[32:]) {
		return 0, false, damaged("its zip64 record is not as the format wants it")
	}
	d.entries, d.size, d.offset = le64(record[32:]), le64(record[40:]), le64(record[48:])
	return at, true, nil
}

// checkPlace compares where the directory ends with where the record that follows it begins.
func (d directory) checkPlace(end int64) error {
	sum := d.offset + d.size
	if sum < d.offset || sum > uint64(end) {
		return damaged("its directory lies outside the file")
	}
	if extra := uint64(end) - sum; extra > 0 {
		return damaged("%d bytes stand where none belong, in front of the zip or of its end record", extra)
	}
	return nil
}

func readHeaders(r *bufio.Reader, count uint64) ([]header, error) {
	var headers []header
	names := 0
	for i := range count {
		h, err := readHeader(r)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the zip: %w", i+1, err)
		}
		if names += len(h.name); names > maxAllNamesBytes {
			return nil, azfunc.Errorf(azfunc.TooLarge, "the names in the zip take more than %s together", bytesText(maxAllNamesBytes))
		}
		headers = append(headers, h)
	}
	if _, err := r.Peek(1); !errors.Is(err, io.EOF) {
		return nil, damaged("its directory holds more entries than it declares")
	}
	return headers, nil
}

func readHeader(r *bufio.Reader) (header, error) {
	var b [centralLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return header{}, damaged("its directory is cut off")
	}
	if le32(b[:]) != centralSig {
		return header{}, damaged("its directory holds something that is not an entry")
	}
	nameLen, extraLen, commentLen := int(le16(b[28:])), int(le16(b[30:])), int(le16(b[32:]))
	h := header{
		creator: b[5], flags: le16(b[8:]), method: le16(b[10:]), time: le16(b[12:]), date: le16(b[14:]), crc: le32(b[16:]),
		packed: int64(le32(b[20:])), size: int64(le32(b[24:])), external: le32(b[38:]), offset: int64(le32(b[42:])),
	}
	variable := make([]byte, nameLen+extraLen)
	if _, err := io.ReadFull(r, variable); err != nil {
		return header{}, damaged("its directory is cut off")
	}
	if _, err := r.Discard(commentLen); err != nil {
		return header{}, damaged("its directory is cut off")
	}
	if nameLen > maxNameBytes {
		return header{}, refuse(string(variable[:64])+"...", "its path is longer than %d bytes; use shorter names", maxNameBytes)
	}
	h.name = string(variable[:nameLen])
	if disk := le16(b[34:]); disk != 0 && disk != marker16 {
		return header{}, refuse(h.name, "it lies in another part of a split zip; publish the zip as a single file")
	}
	return h, h.readZip64(variable[nameLen:])
}

// readZip64 replaces the fields that the short record could not hold, in the format's order: size, packed, offset.
func (h *header) readZip64(extra []byte) error {
	var fields []byte
	for len(extra) >= 4 {
		id, n := le16(extra), int(le16(extra[2:]))
		if n > len(extra)-4 {
			break
		}
		if id == zip64Extra && fields == nil {
			fields = extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	for _, field := range []*int64{&h.size, &h.packed, &h.offset} {
		if *field != mark32 {
			continue
		}
		if len(fields) < 8 || le64(fields) > math.MaxInt64 {
			return refuse(h.name, "its size does not fit the format; create the zip again")
		}
		*field, fields = int64(le64(fields)), fields[8:]
	}
	return nil
}

// checkLocal reads the local header and refuses an entry that says there something else than in the directory: of such
// a zip, two programs would unpack two different things.
func (h *header) checkLocal(r io.ReaderAt, directoryAt int64, buf []byte) error {
	need := localLen + len(h.name)
	if h.offset > directoryAt-int64(need) {
		return refuse(h.displayName, "its content lies outside the zip; the zip is cut off or damaged, create it again")
	}
	b := buf[:need]
	if _, err := r.ReadAt(b, h.offset); err != nil {
		return fmt.Errorf("read the header of zip entry %q: %w", h.displayName, err)
	}
	if le32(b) != localSig || le16(b[8:]) != h.method || int(le16(b[26:])) != len(h.name) || !bytes.Equal(b[localLen:], []byte(h.name)) {
		return refuse(h.displayName, "the zip's directory and the entry itself disagree; the zip is damaged, create it again")
	}
	if le16(b[6:])&flagEncrypted != h.flags&flagEncrypted {
		return refuse(h.displayName, "the zip's directory and the entry itself disagree about encryption; create the zip again")
	}
	h.dataOffset = h.offset + int64(need) + int64(le16(b[28:]))
	if h.packed > directoryAt-h.dataOffset {
		return refuse(h.displayName, "its content lies outside the zip; the zip is cut off or damaged, create it again")
	}
	return nil
}

func damaged(format string, args ...any) error {
	return azfunc.Errorf(azfunc.Invalid, "the zip is damaged: %s; create it again", fmt.Sprintf(format, args...))
}

// refuse names the entry and says why the zip is not taken.
func refuse(name, format string, args ...any) error {
	return azfunc.Errorf(azfunc.Invalid, "zip entry %q: %s", name, fmt.Sprintf(format, args...))
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
