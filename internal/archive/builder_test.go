package archive_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
)

// part is one entry of a hand-made zip. Zero fields are what an honest zip tool on Linux would write; the others lie.
type part struct {
	name      string
	data      string
	localName string // "" means name
	deflate   bool
	method    *uint16
	flags     uint16
	mode      uint32 // upper half of the external attributes
	dos       uint32 // lower half
	creator   byte
	size      *uint32 // declared in the directory
	packed    *uint32
	crc       *uint32
	offset    *uint32 // of the local header
	extra     []byte  // extra field in the directory
	share     bool    // no local header of its own: points to the one before
}

type zipBuilder struct {
	parts    []part
	front    string // bytes before the first entry
	gap      string // bytes between directory and end record
	comment  string
	count    *uint16 // in the end record
	dirShift int     // added to the directory's offset in the end record
	disk     uint16
}

func is[T any](v T) *T { return &v }

func or[T any](p *T, v T) T {
	if p != nil {
		return *p
	}
	return v
}

func zipOf(parts ...part) []byte { return zipBuilder{parts: parts}.bytes() }

func (z zipBuilder) bytes() []byte {
	var out, dir bytes.Buffer
	out.WriteString(z.front)
	at := 0
	for _, p := range z.parts {
		packed, method := p.packedData()
		if !p.share {
			at = out.Len()
			p.writeLocal(&out, packed, method)
		}
		p.writeCentral(&dir, packed, method, uint32(at))
	}
	dirAt := out.Len()
	out.Write(dir.Bytes())
	out.WriteString(z.gap)
	count := or(z.count, uint16(len(z.parts)))
	put(&out, uint32(0x06054b50), z.disk, z.disk, count, count, uint32(dir.Len()), uint32(dirAt+z.dirShift), uint16(len(z.comment)))
	out.WriteString(z.comment)
	return out.Bytes()
}

func (p part) packedData() ([]byte, uint16) {
	if !p.deflate {
		return []byte(p.data), or(p.method, 0)
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write([]byte(p.data))
	_ = w.Close()
	return b.Bytes(), or(p.method, 8)
}

func (p part) writeLocal(out *bytes.Buffer, packed []byte, method uint16) {
	name := p.localName
	if name == "" {
		name = p.name
	}
	put(out, uint32(0x04034b50), uint16(20), p.flags, method, uint16(0), uint16(0x5a21), crc32.ChecksumIEEE([]byte(p.data)),
		uint32(len(packed)), uint32(len(p.data)), uint16(len(name)), uint16(0))
	out.WriteString(name)
	out.Write(packed)
}

func (p part) writeCentral(dir *bytes.Buffer, packed []byte, method uint16, at uint32) {
	creator := p.creator
	if creator == 0 && p.mode != 0 {
		creator = 3
	}
	put(dir, uint32(0x02014b50), byte(20), creator, uint16(20), p.flags, method, uint16(0), uint16(0x5a21),
		or(p.crc, crc32.ChecksumIEEE([]byte(p.data))), or(p.packed, uint32(len(packed))), or(p.size, uint32(len(p.data))),
		uint16(len(p.name)), uint16(len(p.extra)), uint16(0), uint16(0), uint16(0), p.mode<<16|p.dos, or(p.offset, at))
	dir.WriteString(p.name)
	dir.Write(p.extra)
}

// extra64 is a zip64 extra field that holds values in the format's order.
func extra64(values ...uint64) []byte {
	var b bytes.Buffer
	put(&b, uint16(1), uint16(8*len(values)), values)
	return b.Bytes()
}

// overlapping is a zip whose second entry lies within the stored content of the first, as David Fifield's bombs do.
func overlapping() []byte {
	inner := zipOf(part{name: "b", data: "inner"})
	local := string(inner[:30+1+5])
	outer := part{name: "a", data: local + "rest"}
	return zipOf(outer, part{name: "b", data: "inner", share: true, offset: is(uint32(30 + 1))})
}

// claims is a zip64 of a few bytes whose end record claims n entries.
func claims(n uint64) []byte {
	var b bytes.Buffer
	b.WriteString("PK\x03\x04")
	put(&b, uint32(0x06064b50), uint64(44), uint16(45), uint16(45), uint32(0), uint32(0), n, n, uint64(0), uint64(4))
	put(&b, uint32(0x07064b50), uint32(0), uint64(4), uint32(1))
	put(&b, uint32(0x06054b50), uint16(0), uint16(0), uint16(0xffff), uint16(0xffff), uint32(0xffffffff), uint32(0xffffffff), uint16(0))
	return b.Bytes()
}

func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v) // a bytes.Buffer never fails
	}
}
