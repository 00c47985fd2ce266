'use strict';

const { systemError } = require('../errors');
const { toRpcCookie } = require('./cookies');

const NULL_BODY = new Set([204, 205, 304]);
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const TEXT_TYPE = 'text/plain;charset=UTF-8';
const JSON_TYPE = 'application/json';

/**
 * The wire form of what an HTTP function returned. Plain objects with plain
 * members are encoded at once; whatever is unusual (streams, Blob, FormData,
 * Headers, a status to be refused) goes through the library's HttpResponse and
 * comes back as a promise.
 */
function toRpcHttp(library, result) {
  if (result === undefined || result === null) return undefined;
  if (typeof result !== 'object') {
    throw systemError('The HTTP response must be an object with optional properties "body", "status", "headers", and "cookies".');
  }
  return plainResponse(library, result) ?? fullResponse(library, result);
}

function plainResponse(library, init) {
  const prototype = Object.getPrototypeOf(init);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const { status = 200 } = init;
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  const headers = plainHeaders(init.headers);
  const body = headers && plainBody(init, status, headers);
  if (!body) return undefined;
  return { http: {
    statusCode: String(status),
    headers,
    cookies: init.cookies ? init.cookies.map(toRpcCookie) : undefined,
    enableContentNegotiation: Boolean(init.enableContentNegotiation),
    body,
  } };
}

function plainHeaders(given) {
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Object.getPrototypeOf(given) !== Object.prototype) return undefined;
  const headers = {};
  for (const name of Object.keys(given)) {
    const value = headerText(given[name]);
    const lower = name.toLowerCase();
    if (value === undefined || !TOKEN.test(name) || Object.hasOwn(headers, lower)) return undefined;
    headers[lower] = value;
  }
  return headers;
}

function headerText(value) {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined;
  const text = String(value);
  return HEADER_VALUE.test(text) ? text : undefined;
}

/** The body, or undefined for one that is not plain; completes the headers. */
function plainBody(init, status, headers) {
  if (NULL_BODY.has(status)) return { utf8: '' };
  const { jsonBody, body } = init;
  if (jsonBody !== undefined && jsonBody !== null) {
    const text = JSON.stringify(jsonBody);
    if (text === undefined) return undefined;
    headers['content-type'] ??= JSON_TYPE;
    return { utf8: text };
  }
  if (body === undefined || body === null) return { utf8: '' };
  if (typeof body === 'string') {
    headers['content-type'] ??= TEXT_TYPE;
    return { utf8: body };
  }
  if (Buffer.isBuffer(body) || body instanceof Uint8Array) return { bytes: body };
  return undefined;
}

async function fullResponse(library, result) {
  const response = result instanceof library.HttpResponse ? result : new library.HttpResponse(result);
  const headers = {};
  for (const [name, value] of response.headers.entries()) headers[name] = value;
  return { http: {
    statusCode: String(response.status),
    headers,
    cookies: response.cookies.map(toRpcCookie),
    enableContentNegotiation: response.enableContentNegotiation,
    body: { bytes: new Uint8Array(await response.arrayBuffer()) },
  } };
}

module.exports = { toRpcHttp };
