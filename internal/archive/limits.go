package archive

import "github.com/nightshift-functions/nightshift/internal/azfunc"

// Limits bounds what a zip may hold. A zero field means its default.
type Limits struct {
	MaxEntries int   // files and folders, implied folders too; default 65,536
	MaxBytes   int64 // all content unpacked; default 1 GiB
	MaxRatio   int64 // unpacked content to zip size, looked at above ratioFloor only; default 200
}

const (
	defaultMaxEntries = 65536
	defaultMaxBytes   = 1 << 30
	defaultMaxRatio   = 200

	// ratioFloor keeps small zips of very repetitive files out of the ratio rule: deflate reaches 1000 to 1 on zeros,
	// and 64 MiB harms nobody.
	ratioFloor = 64 << 20

	// What names may take, so that the directory of a hostile zip stays small in memory.
	maxNameBytes     = 1024
	maxSegmentBytes  = 255 // what ext4, NTFS and APFS hold
	maxDepth         = 64
	maxAllNamesBytes = 16 << 20
)

func (l Limits) orDefaults() Limits {
	if l.MaxEntries <= 0 {
		l.MaxEntries = defaultMaxEntries
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = defaultMaxRatio
	}
	return l
}

func (l Limits) checkCount(n uint64) error {
	if n <= uint64(l.MaxEntries) {
		return nil
	}
	return azfunc.Errorf(azfunc.TooLarge, "the zip has %d entries, %d is the limit: publish the build output only, without caches and development dependencies", n, l.MaxEntries)
}

// checkSizes looks at what the directory declares; reading compares it with what is really there.
func (l Limits) checkSizes(total, zipSize int64) error {
	if total > l.MaxBytes {
		return azfunc.Errorf(azfunc.TooLarge, "the zip unpacks to %s, %s is the limit: publish the build output only, or ask your administrator to raise the limit", bytesText(total), bytesText(l.MaxBytes))
	}
	if total > ratioFloor && total/l.MaxRatio >= zipSize {
		return azfunc.Errorf(azfunc.TooLarge, "the zip of %s unpacks to %s, more than %d times its size: this is taken for a zip bomb", bytesText(zipSize), bytesText(total), l.MaxRatio)
	}
	return nil
}
