'use strict';

const NO_BODY = new Set(['GET', 'HEAD']);
// The Fetch standard upper-cases these methods and no others.
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;

/**
 * A class that looks like the library's HttpRequest and passes as one, but
 * builds Request, Headers and streams only when they are asked for: most
 * functions look at the query, a header or the text.
 */
function lazyRequestClass(library) {
  class HttpRequest {
    #init;
    #real;
    #headers;
    #url;
    #user;
    #used = false;

    constructor(init) {
      this.#init = init;
      this.query = new URLSearchParams(init.query);
      this.params = init.params;
    }

    // Everything unusual is the library's own class's business.
    #native() {
      if (this.#real) return this.#real;
      const init = this.#headers ? { ...this.#init, headers: Object.fromEntries(this.#headers) } : this.#init;
      this.#real = new library.HttpRequest(init);
      if (this.#used) this.#real.arrayBuffer().catch(() => {});
      return this.#real;
    }

    #bytes() {
      const { body } = this.#init;
      if (!body) return null;
      return body.bytes ?? (body.string ? Buffer.from(body.string) : null);
    }

    // The body, once, as a Fetch Body: a second read fails.
    #take() {
      const bytes = this.#bytes();
      if (bytes === null) return Buffer.alloc(0);
      if (this.#used) throw new TypeError('Body is unusable: Body has already been read');
      this.#used = true;
      return bytes;
    }

    get method() {
      const { method } = this.#init;
      return NORMALIZED.test(method) ? method.toUpperCase() : method;
    }

    get url() {
      return this.#url ??= new URL(this.#init.url).href;
    }

    get headers() {
      return this.#headers ??= this.#real ? this.#real.headers : new Headers(this.#init.headers);
    }

    get user() {
      if (this.#user === undefined) {
        const signedIn = this.headers.has('x-ms-client-principal');
        this.#user = signedIn ? this.#native().user : null;
      }
      return this.#user;
    }

    get body() {
      return this.#native().body;
    }

    get bodyUsed() {
      return this.#real ? this.#real.bodyUsed : this.#used;
    }

    async arrayBuffer() {
      if (this.#real) return this.#real.arrayBuffer();
      return new Uint8Array(this.#take()).buffer;
    }

    async text() {
      if (this.#real) return this.#real.text();
      return decodeText(this.#take());
    }

    async json() {
      if (this.#real) return this.#real.json();
      return JSON.parse(decodeText(this.#take()));
    }

    async blob() {
      return this.#native().blob();
    }

    async formData() {
      return this.#native().formData();
    }

    clone() {
      return this.#native().clone();
    }
  }
  Object.setPrototypeOf(HttpRequest.prototype, library.HttpRequest.prototype);
  return HttpRequest;
}

function decodeText(bytes) {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.utf8Slice(hasMark ? 3 : 0, bytes.length);
}

/** Makes requests for one copy of the library. */
function requestMaker(library) {
  const LazyRequest = lazyRequestClass(library);
  return (http) => {
    // The library drops such a body and says so; a text body sets a content type.
    const unusual = http.body && (NO_BODY.has(http.method.toUpperCase()) || http.body.bytes === undefined);
    return unusual || !http.url ? new library.HttpRequest(http) : new LazyRequest(http);
  };
}

module.exports = { requestMaker };
