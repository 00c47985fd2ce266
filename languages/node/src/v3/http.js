'use strict';

const { systemError } = require('../errors');
const { toRpcCookie } = require('../v4/cookies');

/** The request object of function.json apps. */
class LegacyRequest {
  constructor(http) {
    this.method = http.method;
    this.url = http.url;
    this.originalUrl = http.url;
    this.headers = http.headers;
    this.query = http.query;
    this.params = http.params;
    Object.assign(this, readBody(http.body, contentType(http.headers)));
  }

  get(name) {
    return this.headers[name.toLowerCase()];
  }

  get user() {
    return signedInUser(this.headers);
  }

  parseFormBody() {
    throw systemError('parseFormBody is not supported by this language worker yet. Parse req.bufferBody instead.');
  }
}

function contentType(headers) {
  return (headers['content-type'] ?? '').toLowerCase();
}

/** body as the function wants it, rawBody as text, bufferBody as it came. */
function readBody(data, type) {
  if (!data || (data.bytes === undefined && data.string === undefined && data.json === undefined)) return {};
  const bufferBody = data.bytes ?? Buffer.from(data.string ?? data.json);
  const rawBody = decodeText(bufferBody);
  const binary = /^(?:application\/octet-stream|multipart\/)/.test(type);
  return { body: binary ? bufferBody : parsedOrText(rawBody), rawBody, bufferBody };
}

function decodeText(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le', 2);
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', marked ? 3 : 0);
}

function parsedOrText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function signedInUser(headers) {
  const principal = headers['x-ms-client-principal'];
  if (!principal) return null;
  const data = parsedOrText(Buffer.from(principal, 'base64').toString('utf8'));
  if (typeof data !== 'object' || data === null) return null;
  if (data.identityProvider) {
    return { type: 'StaticWebApps', id: data.userId, username: data.userDetails, identityProvider: data.identityProvider, claimsPrincipalData: data };
  }
  return {
    type: 'AppService',
    id: headers['x-ms-client-principal-id'],
    username: headers['x-ms-client-principal-name'],
    identityProvider: headers['x-ms-client-principal-idp'],
    claimsPrincipalData: data,
  };
}

/** The initial context.res: a plain holder of a response, with the Express-like calls. */
class LegacyResponse {
  #done;

  constructor(done) {
    this.#done = done;
    this.headers = {};
    this.cookies = [];
  }

  status(code) {
    this.statusCode = code;
    return this;
  }

  setHeader(name, value) {
    this.headers[name.toLowerCase()] = value;
    return this;
  }

  set(name, value) { return this.setHeader(name, value); }

  header(name, value) { return this.setHeader(name, value); }

  getHeader(name) { return this.headers[name.toLowerCase()]; }

  get(name) { return this.getHeader(name); }

  removeHeader(name) {
    delete this.headers[name.toLowerCase()];
    return this;
  }

  type(value) { return this.setHeader('content-type', value); }

  json(body) {
    this.type('application/json');
    this.send(body);
  }

  send(body) {
    this.end(body);
    return this;
  }

  end(body) {
    if (body !== undefined) this.body = body;
    this.#done();
    return this;
  }

  sendStatus(code) {
    this.status(code);
    return this.end();
  }
}

/** The wire form of a response object. */
function toRpcHttp(response) {
  if (typeof response !== 'object' || response === null) {
    throw systemError('The HTTP response must be an object with properties such as "status", "headers" and "body".');
  }
  const status = response.statusCode ?? (typeof response.status === 'function' ? undefined : response.status);
  const headers = {};
  for (const [name, value] of Object.entries(response.headers ?? {})) headers[name] = String(value);
  return { http: {
    statusCode: status === undefined || status === null ? '' : String(status),
    headers,
    cookies: (response.cookies ?? []).map(toRpcCookie),
    enableContentNegotiation: response.enableContentNegotiation === true,
    body: toBody(response.body),
  } };
}

// An empty body is still sent: without one the object is no response to the host.
function toBody(body) {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { string: body };
  if (ArrayBuffer.isView(body)) return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) };
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body) };
  return { json: JSON.stringify(body) };
}

module.exports = { LegacyRequest, LegacyResponse, toRpcHttp };
