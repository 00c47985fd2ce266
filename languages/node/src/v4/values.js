'use strict';

// How @azure/functions 4.x shows wire values to the app, and the way back.

/** The app's view of one TypedData; http is made by makeRequest. */
function fromTypedData(data, makeRequest) {
  if (!data) return undefined;
  if (data.string !== undefined) return parsedOrText(data.string);
  if (data.json !== undefined) return JSON.parse(data.json);
  if (data.bytes !== undefined) return data.bytes;
  if (data.stream !== undefined) return data.stream;
  if (data.http !== undefined) return makeRequest(data.http);
  if (data.int !== undefined) return data.int;
  if (data.double !== undefined) return data.double;
  if (data.collectionBytes) return data.collectionBytes.bytes;
  if (data.collectionString) return data.collectionString.string.map(parsedOrText);
  if (data.collectionDouble) return data.collectionDouble.double;
  return data.collectionSint64?.sint64;
}

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const JSON_START = new Set([...'"[{-0123456789tfn \t\r\n'].map((char) => char.charCodeAt(0)));

// A failed JSON.parse builds an error with a stack: texts that cannot be JSON
// are told by their first character.
function parsedOrText(text) {
  const first = text.charCodeAt(0);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET && first !== QUOTE && !JSON_START.has(first)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Property names as JavaScript writes them, at every depth. */
function toCamelCase(value) {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toCamelCase);
  const result = {};
  for (const [key, member] of Object.entries(value)) result[camelCaseKey(key)] = toCamelCase(member);
  return result;
}

function camelCaseKey(key) {
  return key.charAt(0).toLowerCase() + key.slice(1);
}

/** The TypedData of an output; undefined and null are no output. */
function toTypedData(value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return { string: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { int: value } : { double: value };
  if (Buffer.isBuffer(value)) return { bytes: value };
  if (ArrayBuffer.isView(value)) return { bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  if (value instanceof ArrayBuffer) return { bytes: new Uint8Array(value) };
  return { json: JSON.stringify(value) };
}

module.exports = { fromTypedData, toTypedData, toCamelCase, camelCaseKey };
