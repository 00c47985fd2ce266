'use strict';

const { WireError } = require('./reader');

// What every message decoder needs: unknown fields, nested messages, maps.

function skipField(r, tag) {
  if (tag < 8 || tag > 0xffffffff) throw new WireError(`field number out of range in tag ${tag}`);
  r.skip(tag & 7);
}

function nested(r, read) {
  const outer = r.enter();
  const value = read(r);
  r.leave(outer);
  return value;
}

// A plain assignment to "__proto__" would change the object instead of filling it.
function put(object, key, value) {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  } else object[key] = value;
}

const emptyText = () => '';

// An entry whose value has only defaults may come without its value.
function mapEntry(r, into, readValue, empty) {
  const outer = r.enter();
  let key = '';
  let value;
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) key = r.string();
    else if (tag >> 3 === 2) value = readValue(r, tag);
    else skipField(r, tag);
  }
  r.leave(outer);
  put(into, key, value ?? empty());
}

function stringValue(r, tag) {
  if (tag === 18) return r.string();
  skipField(r, tag);
  return undefined;
}

module.exports = { skipField, nested, mapEntry, stringValue, emptyText };
