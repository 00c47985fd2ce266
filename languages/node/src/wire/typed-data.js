'use strict';

const { skipField, nested, mapEntry, stringValue, emptyText } = require('./fields');

// TypedData: the values that go into a function.

const emptyData = () => ({});

/** Exactly one member is present: models tell the kinds apart by that. */
function readTypedData(r) {
  let data = {};
  while (r.more()) {
    const tag = r.varint();
    switch (tag) {
      case 10: data = { string: r.string() }; break;
      case 18: data = { json: r.string() }; break;
      case 26: data = { bytes: r.bytes() }; break;
      case 34: data = { stream: r.bytes() }; break;
      case 42: data = { http: nested(r, readHttp) }; break;
      case 48: data = { int: r.sint64() }; break;
      case 57: data = { double: r.double() }; break;
      case 66: data = { collectionBytes: { bytes: nested(r, readBytesList) } }; break;
      case 74: data = { collectionString: { string: nested(r, readStringList) } }; break;
      case 82: data = { collectionDouble: { double: nested(r, readDoubleList) } }; break;
      case 90: data = { collectionSint64: { sint64: nested(r, readSintList) } }; break;
      case 98: data = { modelBindingData: nested(r, readModelBindingData) }; break;
      case 106: data = { collectionModelBindingData: { modelBindingData: nested(r, readModelBindingList) } }; break;
      default: skipField(r, tag);
    }
  }
  return data;
}

function readBytesList(r) {
  const list = [];
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) list.push(r.bytes());
    else skipField(r, tag);
  }
  return list;
}

function readStringList(r) {
  const list = [];
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) list.push(r.string());
    else skipField(r, tag);
  }
  return list;
}

// Repeated numbers come packed (one length-delimited run) or one by one.
function readDoubleList(r) {
  const list = [];
  while (r.more()) {
    const tag = r.varint();
    if (tag === 9) list.push(r.double());
    else if (tag === 10) readPacked(r, list, () => r.double());
    else skipField(r, tag);
  }
  return list;
}

function readSintList(r) {
  const list = [];
  while (r.more()) {
    const tag = r.varint();
    if (tag === 8) list.push(r.sint64());
    else if (tag === 10) readPacked(r, list, () => r.sint64());
    else skipField(r, tag);
  }
  return list;
}

function readPacked(r, list, readOne) {
  const outer = r.enter();
  while (r.more()) list.push(readOne());
  r.leave(outer);
}

function readModelBindingData(r) {
  const data = { version: '', source: '', contentType: '', content: Buffer.alloc(0) };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) data.version = r.string();
    else if (tag === 18) data.source = r.string();
    else if (tag === 26) data.contentType = r.string();
    else if (tag === 34) data.content = r.bytes();
    else skipField(r, tag);
  }
  return data;
}

function readModelBindingList(r) {
  const list = [];
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) list.push(nested(r, readModelBindingData));
    else skipField(r, tag);
  }
  return list;
}

function readNullableString(r) {
  let value = '';
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) value = r.string();
    else skipField(r, tag);
  }
  return value;
}

function nullableStringValue(r, tag) {
  if (tag === 18) return nested(r, readNullableString);
  skipField(r, tag);
  return undefined;
}

/**
 * An HTTP request. The nullable maps, when they hold something, win over the
 * plain ones; either way models read plain maps of text.
 */
function readHttp(r) {
  const http = { method: '', url: '', headers: {}, body: undefined, params: {}, query: {} };
  const nullable = { headers: undefined, params: undefined, query: undefined };
  while (r.more()) {
    const tag = r.varint();
    switch (tag) {
      case 10: http.method = r.string(); break;
      case 18: http.url = r.string(); break;
      case 26: mapEntry(r, http.headers, stringValue, emptyText); break;
      case 34: http.body = nested(r, readTypedData); break;
      case 82: mapEntry(r, http.params, stringValue, emptyText); break;
      case 122: mapEntry(r, http.query, stringValue, emptyText); break;
      case 162: mapEntry(r, nullable.headers ??= {}, nullableStringValue, emptyText); break;
      case 170: mapEntry(r, nullable.params ??= {}, nullableStringValue, emptyText); break;
      case 178: mapEntry(r, nullable.query ??= {}, nullableStringValue, emptyText); break;
      default: skipField(r, tag);
    }
  }
  http.headers = nullable.headers ?? http.headers;
  http.params = nullable.params ?? http.params;
  http.query = nullable.query ?? http.query;
  return http;
}

function typedDataValue(r, tag) {
  if (tag === 18) return nested(r, readTypedData);
  skipField(r, tag);
  return undefined;
}

module.exports = { readTypedData, typedDataValue, emptyData };
