'use strict';

/** A frame that is not valid protobuf. */
class WireError extends Error {
  constructor(message) {
    super(message);
    this.name = 'WireError';
  }
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const SHORT_STRING = 40;
// Below this size bytes are copied out, so that a few kept bytes do not keep a
// whole network chunk alive.
const COPY_BELOW = 4096;
const MAX_DEPTH = 64;

/**
 * Reads one protobuf message. Every read is checked against the end of the
 * innermost message, so a truncated or garbled frame ends in a WireError.
 */
class Reader {
  constructor(buffer, pos = 0, end = buffer.length) {
    this.buffer = buffer;
    this.pos = pos;
    this.end = end;
    this.depth = 0;
  }

  more() {
    return this.pos < this.end;
  }

  /** Enters a length-delimited message; returns what leave() needs. */
  enter() {
    const length = this.varint();
    const outer = this.end;
    const end = this.pos + length;
    if (end > outer) throw new WireError(`nested message of ${length} bytes passes the end`);
    if (++this.depth > MAX_DEPTH) throw new WireError('messages are nested too deeply');
    this.end = end;
    return outer;
  }

  leave(outer) {
    this.pos = this.end;
    this.end = outer;
    this.depth--;
  }

  /** Non-negative value up to 2^53; higher bits are lost, as in a JS number. */
  varint() {
    const { buffer, end } = this;
    if (this.pos >= end) throw new WireError('message ends inside a number');
    const first = buffer[this.pos++];
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let i = 1; i < 10; i++) {
      if (this.pos >= end) throw new WireError('message ends inside a number');
      const byte = buffer[this.pos++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new WireError('number is longer than ten bytes');
  }

  bigVarint() {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.pos >= this.end) throw new WireError('message ends inside a number');
      const byte = this.buffer[this.pos++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('number is longer than ten bytes');
  }

  int32() {
    return Number(BigInt.asIntN(32, this.bigVarint()));
  }

  /** Zigzag 64-bit; beyond 2^53 the nearest number. */
  sint64() {
    const start = this.pos;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    this.pos = start;
    const big = this.bigVarint();
    return Number((big >> 1n) ^ -(big & 1n));
  }

  double() {
    if (this.pos + 8 > this.end) throw new WireError('message ends inside a double');
    const value = this.buffer.readDoubleLE(this.pos);
    this.pos += 8;
    return value;
  }

  length() {
    const length = this.varint();
    if (this.pos + length > this.end) throw new WireError(`value of ${length} bytes passes the end`);
    return length;
  }

  string() {
    const length = this.length();
    const start = this.pos;
    this.pos += length;
    if (length <= SHORT_STRING) {
      const short = this.ascii(start, this.pos);
      if (short !== null) return short;
    }
    return this.buffer.utf8Slice(start, this.pos);
  }

  // Crossing into C++ costs more than joining a few characters here.
  ascii(start, end) {
    const { buffer } = this;
    let text = '';
    for (let i = start; i < end; i++) {
      const byte = buffer[i];
      if (byte >= 0x80) return null;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  bytes() {
    const length = this.length();
    const start = this.pos;
    this.pos += length;
    const slice = this.buffer.subarray(start, this.pos);
    return length < COPY_BELOW ? Buffer.from(slice) : slice;
  }

  /** Skips one field's value; groups are not part of proto3. */
  skip(wireType) {
    let length = 0;
    if (wireType === VARINT) this.varint();
    else if (wireType === BYTES) length = this.varint();
    else if (wireType === FIXED64) length = 8;
    else if (wireType === FIXED32) length = 4;
    else throw new WireError(`unknown wire type ${wireType}`);
    if (this.pos + length > this.end) throw new WireError('field passes the end of its message');
    this.pos += length;
  }
}

module.exports = { Reader, WireError };
