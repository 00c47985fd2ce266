'use strict';

const http = require('node:http');

const INVOCATION_ID = 'x-ms-invocation-id';
const LOOPBACK = '127.0.0.1';

/**
 * Watches the HTTP server that a library starts for streamed HTTP functions.
 * The library listens on every interface without any authentication and leaves
 * the response of a failed call open for ever; both are mended here.
 */
class HttpProxyWatch {
  #responses = new Map();

  /** Runs start, which may create one server, and adopts that server. */
  async during(start) {
    const { createServer } = http;
    http.createServer = (...args) => {
      const server = createServer.apply(http, args);
      this.#adopt(server);
      return server;
    };
    try {
      return await start();
    } finally {
      http.createServer = createServer;
    }
  }

  #adopt(server) {
    const { listen } = server;
    server.listen = (...args) => {
      const callback = args.find((arg) => typeof arg === 'function');
      const port = typeof args[0] === 'number' ? args[0] : 0;
      return listen.call(server, { port, host: LOOPBACK }, callback);
    };
    server.prependListener('request', (request, response) => {
      const id = request.headers[INVOCATION_ID];
      if (typeof id !== 'string') {
        response.writeHead(400).end();
        return;
      }
      this.#responses.set(id, response);
      response.once('close', () => this.#responses.delete(id));
    });
  }

  /** Closes the response of a failed call, if there is one. */
  async abandon(invocation, model) {
    const response = this.#responses.get(invocation.invocationId);
    if (!response || response.destroyed) return;
    if (!response.headersSent) await askLibrary(invocation, model);
    if (response.writableEnded) return;
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end();
  }
}

// Answering through the library also frees what it keeps for the call.
async function askLibrary(invocation, model) {
  try {
    await model.getResponse(invocation.userContext, { status: 500 });
  } catch {
    // The library had let go of the response already: it is closed by the caller.
  }
}

module.exports = { HttpProxyWatch };
