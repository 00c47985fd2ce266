'use strict';

const http2 = require('node:http2');
const net = require('node:net');

// The one gRPC call of a language worker, straight on HTTP/2: a bidirectional
// stream of length-prefixed messages. A general gRPC client would add tens of
// milliseconds to every cold start and one write per message.

const PATH = '/AzureFunctionsRpcMessages.FunctionRpc/EventStream';
const WINDOW_BYTES = 16 * 1024 * 1024;
const HEADER_BYTES = 5;
const STATUS_OK = '0';

/**
 * Opens the event stream. Callbacks: onMessage(buffer) for each message in
 * order, then exactly one onClose(error), error undefined if the host ended the
 * stream in order.
 * @returns {{write(frame: Buffer): void, end(done: () => void): void}}
 */
function connect({ host, port, maxMessageLength, onMessage, onClose }) {
  const closeOnce = once(onClose);
  const session = openSession(host, port, closeOnce);
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    'user-agent': 'nightshift-node-language-worker',
    te: 'trailers',
  });
  const frames = new FrameReader(maxMessageLength, onMessage);
  stream.on('data', (chunk) => {
    try {
      frames.push(chunk);
    } catch (error) {
      closeOnce(error);
    }
  });
  watchEnd(stream, session, closeOnce);
  return new BatchedWriter(stream, session);
}

function openSession(host, port, closeOnce) {
  const session = http2.connect(`http://${authority(host)}:${port}`, {
    createConnection: () => net.connect({ host, port, noDelay: true }),
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
  });
  session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
  session.on('error', closeOnce);
  return session;
}

function authority(host) {
  return host.includes(':') ? `[${host}]` : host;
}

// The gRPC status is in the trailers, or in the headers if the host refused the
// call outright. Its side may end while ours is still open.
function watchEnd(stream, session, closeOnce) {
  let status;
  let reason = '';
  const note = (headers) => {
    status = headers['grpc-status'] ?? status;
    reason = headers['grpc-message'] ?? reason;
  };
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) closeOnce(new Error(`host answered HTTP ${headers[':status']}`));
    note(headers);
  });
  stream.on('trailers', note);
  stream.on('end', () => {
    if (status === undefined) stream.close();
    else closeOnce(statusError(status, reason));
  });
  stream.on('error', closeOnce);
  stream.on('close', () => closeOnce(statusError(status, reason) ?? resetError(stream.rstCode)));
  session.on('close', () => closeOnce(undefined));
}

function statusError(status, reason) {
  if (status === undefined || status === STATUS_OK) return undefined;
  return new Error(`host ended the stream with gRPC status ${status}: ${decodeURIComponent(reason)}`);
}

function resetError(code) {
  return code === http2.constants.NGHTTP2_NO_ERROR ? undefined : new Error(`stream was reset with code ${code}`);
}

function once(callback) {
  let called = false;
  return (...args) => {
    if (called) return;
    called = true;
    callback(...args);
  };
}

/** Cuts the byte stream into messages, without copying those within one chunk. */
class FrameReader {
  constructor(maxMessageLength, onMessage) {
    this.maxMessageLength = maxMessageLength;
    this.onMessage = onMessage;
    this.chunks = [];
    this.buffered = 0;
    this.needed = HEADER_BYTES;
  }

  push(chunk) {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    // Joined only once the waited-for message is complete: large messages stay linear.
    if (this.buffered < this.needed) return;
    const data = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks, this.buffered);
    this.keep(data.subarray(this.deliver(data)));
  }

  deliver(data) {
    let pos = 0;
    for (;;) {
      this.needed = HEADER_BYTES;
      if (data.length - pos < HEADER_BYTES) return pos;
      const length = this.messageLength(data, pos);
      this.needed = HEADER_BYTES + length;
      if (data.length - pos < this.needed) return pos;
      this.onMessage(data.subarray(pos + HEADER_BYTES, pos + this.needed));
      pos += this.needed;
    }
  }

  messageLength(data, pos) {
    if (data[pos] !== 0) throw new Error('host sent a compressed gRPC message, which was not agreed');
    const length = data.readUInt32BE(pos + 1);
    if (length > this.maxMessageLength) {
      throw new Error(`host sent a message of ${length} bytes, the limit is ${this.maxMessageLength}`);
    }
    return length;
  }

  keep(rest) {
    this.buffered = rest.length;
    this.chunks = rest.length > 0 ? [rest] : [];
  }
}

/**
 * Collects the frames of one turn of the event loop into one write: calls that
 * came in one network chunk are mostly answered in the same turn.
 */
class BatchedWriter {
  #stream;
  #session;
  #frames = [];
  #isEnded = false;
  #flush;

  constructor(stream, session) {
    this.#stream = stream;
    this.#session = session;
    this.#flush = () => this.#writeAll();
  }

  /** Sends a frame; after end() nobody listens any more and it is dropped. */
  write(frame) {
    if (this.#isEnded) return;
    if (this.#frames.push(frame) === 1) setImmediate(this.#flush);
  }

  /** Sends what is waiting, closes our side; done runs when it is on the way. */
  end(done) {
    this.#writeAll();
    this.#isEnded = true;
    this.#stream.end(() => this.#session.close(done));
  }

  #writeAll() {
    const frames = this.#frames;
    if (frames.length === 0 || this.#stream.destroyed) return;
    this.#frames = [];
    this.#stream.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
  }
}

module.exports = { connect, FrameReader };
