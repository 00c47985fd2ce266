'use strict';

// Protobuf is written backwards, from the end of a slab towards its start: when
// a nested message is complete its length is known, so its prefix is simply
// written next. No size pass, no shifting, and the gRPC frame header comes last.

const SLAB_BYTES = 64 * 1024;
const SHORT_STRING = 48;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

class Writer {
  constructor() {
    this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.pos = SLAB_BYTES;
    this.end = SLAB_BYTES;
  }

  /** Starts a message. What an earlier, failed one left behind is dropped. */
  begin() {
    this.pos = this.end;
  }

  /**
   * Ends the message and returns it with its gRPC header in front. The slab
   * below it is used for later messages; the returned bytes are never reused.
   */
  finishFrame() {
    const length = this.end - this.pos;
    this.reserve(5);
    const { slab } = this;
    slab.writeUInt32BE(length, this.pos -= 4);
    slab[--this.pos] = 0;
    const frame = slab.subarray(this.pos, this.end);
    this.end = this.pos;
    return frame;
  }

  /** Bytes written so far; give it to close() to wrap what follows. */
  mark() {
    return this.end - this.pos;
  }

  /** Wraps everything written since mark as length-delimited field. */
  close(field, mark) {
    this.varint(this.end - this.pos - mark);
    this.varint((field << 3) | BYTES);
  }

  reserve(bytes) {
    if (this.pos < bytes) this.grow(bytes);
  }

  grow(bytes) {
    const written = this.end - this.pos;
    const size = Math.max(SLAB_BYTES, written + bytes + SLAB_BYTES / 2);
    const slab = Buffer.allocUnsafeSlow(size);
    this.slab.copy(slab, size - written, this.pos, this.end);
    this.slab = slab;
    this.end = size;
    this.pos = size - written;
  }

  /** A non-negative integer up to 2^53. */
  varint(value) {
    this.reserve(10);
    if (value < 0x80) {
      this.slab[--this.pos] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    this.pos -= length;
    let at = this.pos;
    while (value >= 0x80) {
      this.slab[at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.slab[at] = value;
  }

  /** A two's complement or zigzag 64-bit value given as BigInt. */
  bigVarint(value) {
    this.reserve(10);
    const bytes = [];
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    for (let i = bytes.length - 1; i >= 0; i--) this.slab[--this.pos] = bytes[i];
  }

  bool(field, value) {
    this.uint(field, value ? 1 : 0);
  }

  uint(field, value) {
    this.varint(value);
    this.varint((field << 3) | VARINT);
  }

  /** int32 and int64 fields; negative values take ten bytes. */
  int(field, value) {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) this.varint(value);
    else this.bigVarint(BigInt(value));
    this.varint((field << 3) | VARINT);
  }

  sint(field, value) {
    this.sintValue(value);
    this.varint((field << 3) | VARINT);
  }

  sintValue(value) {
    if (value >= 0 && value < 2 ** 52) this.varint(value * 2);
    else if (value < 0 && value > -(2 ** 52)) this.varint(-value * 2 - 1);
    else {
      const big = BigInt(value);
      this.bigVarint((big << 1n) ^ (big >> 63n));
    }
  }

  double(field, value) {
    this.reserve(8);
    this.slab.writeDoubleLE(value, this.pos -= 8);
    this.varint((field << 3) | FIXED64);
  }

  bytes(field, value) {
    const { byteLength } = value;
    this.reserve(byteLength);
    this.pos -= byteLength;
    this.slab.set(value, this.pos);
    this.varint(byteLength);
    this.varint((field << 3) | BYTES);
  }

  string(field, value) {
    const length = this.stringValue(value);
    this.varint(length);
    this.varint((field << 3) | BYTES);
  }

  stringValue(value) {
    if (value.length <= SHORT_STRING && this.ascii(value)) return value.length;
    const length = Buffer.byteLength(value);
    this.reserve(length);
    this.pos -= length;
    this.slab.utf8Write(value, this.pos, length);
    return length;
  }

  // Crossing into C++ costs more than copying a few dozen characters here.
  ascii(value) {
    const { length } = value;
    this.reserve(length);
    const start = this.pos - length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.slab[start + i] = code;
    }
    this.pos = start;
    return true;
  }

  /** map<string,string>, in the order of the object's keys. */
  stringMap(field, map) {
    const keys = Object.keys(map);
    for (let i = keys.length - 1; i >= 0; i--) {
      const mark = this.mark();
      this.string(2, String(map[keys[i]]));
      this.string(1, keys[i]);
      this.close(field, mark);
    }
  }
}

module.exports = { Writer };
