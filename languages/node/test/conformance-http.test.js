'use strict';

const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { TestHost } = require('../testhost/host');
const { writeApp, httpOf, textOf } = require('../testhost/app');

// Every case runs on the lean path, and again on the library's own model (an
// idle hook-free app differs in nothing else), so that both give one answer.

const APP = `
const { app, HttpResponse, HttpRequest } = require('@azure/functions');
const http = (name, handler, more) => app.http(name, { authLevel: 'anonymous', methods: ['GET', 'POST'], handler, ...more });
http('hello', async (request) => ({ body: 'Hello ' + request.query.get('name') }));
http('json', () => ({ jsonBody: { a: [1, 'ü'] } }));
http('jsonTyped', () => ({ jsonBody: 1, headers: { 'Content-Type': 'application/vnd.x+json', 'X-Number': 5 } }));
http('noContent', () => ({ status: 204, body: 'dropped' }));
http('status600', () => ({ status: 600 }));
http('statusText', () => ({ status: '201' }));
http('returnsText', () => 'text');
http('returnsNothing', () => undefined);
http('returnsNull', () => null);
http('bytes', () => ({ body: Buffer.from([0, 255, 1]) }));
http('form', () => ({ body: new URLSearchParams({ a: 'b c' }) }));
http('stream', () => ({ body: (async function* () { yield Buffer.from('one'); yield Buffer.from('two'); })() }));
http('native', () => new Response('native', { status: 202, headers: { 'x-a': 'b' } }));
http('responseClass', () => new HttpResponse({ status: 203, body: 'class', cookies: [{ name: 'n', value: 'v' }] }));
http('headersClass', () => ({ headers: new Headers({ 'X-H': '1' }), body: 'x' }));
http('badHeader', () => ({ headers: { 'bad name': 'x' } }));
http('sameHeader', () => ({ headers: { 'X-A': '1', 'x-a': '2' } }));
http('cookies', () => ({ cookies: [
  { name: 'c1', value: 'v1', httpOnly: true, sameSite: 'Lax', maxAge: 60 },
  { name: 'c2', value: 'v2', domain: 'd', path: '/p', secure: false, sameSite: 'None', expires: new Date(86400000) },
], body: 'x' }));
http('badCookie', () => ({ cookies: [{ name: 5, value: 'v' }] }));
http('echo', async (request) => ({ jsonBody: {
  method: request.method, url: request.url, params: request.params, query: [...request.query], header: request.headers.get('X-Custom'),
  empty: request.headers.get('x-empty'), cookie: request.headers.get('cookie'), text: await request.text(), used: request.bodyUsed,
  isRequest: request instanceof HttpRequest, name: request.constructor.name, user: request.user,
} }), { route: 'echo/{id}' });
http('readers', async (request) => {
  const copy = request.clone();
  const [json, again] = [await request.json(), await copy.json()];
  let second;
  try { await request.text(); second = 'read twice'; } catch (error) { second = error.constructor.name; }
  return { jsonBody: { json, again, second, used: request.bodyUsed } };
});
http('readTwice', async (request) => {
  const first = await request.text();
  try { return { body: await request.text() }; } catch (error) { return { body: first + ':' + error.constructor.name }; }
});
http('buffers', async (request) => ({ jsonBody: { length: (await request.arrayBuffer()).byteLength } }));
http('formData', async (request) => ({ jsonBody: [...await request.formData()] }));
http('bodyStream', async (request) => { let text = ''; for await (const chunk of request.body) text += Buffer.from(chunk); return { body: text }; });
http('headerChange', async (request) => { request.headers.set('x-new', '1'); return { body: request.clone().headers.get('x-new') }; });
http('boom', () => { throw new TypeError('kaboom'); });
http('rejectsText', async () => { throw 'text'; });
http('throwsNull', () => { throw null; });
http('throwsObject', () => { throw { a: 1 }; });
http('readOnlyMessage', () => { throw Object.freeze(new Error('frozen')); });
http('hostileError', () => { const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw new Error('no'); } }); throw e; });
http('badThenable', () => ({ get then() { throw new Error('no then'); } }));
http('bigint', () => ({ jsonBody: 1n }));
http('principal', (request) => ({ jsonBody: request.user }));
http('late', () => { app.http('other', { handler: () => ({}) }); });
http('big', async (request) => ({ body: Buffer.alloc(Number(await request.text()), 'x') }));
http('options', (request, context) => { context.options.trigger.methods = 'changed'; return { jsonBody: [context.functionName, context.options.trigger.authLevel, context.traceContext.traceParent.length] }; });
`;

const PRINCIPAL = Buffer.from(JSON.stringify({ identityProvider: 'aad', userId: 'u1', userDetails: 'Ann' })).toString('base64');

for (const [path, entry] of [['lean path', undefined], ['library path', require.resolve('../testhost/library-path')]]) {
  test(path, async (t) => {
    let host;
    before(async () => {
      host = await TestHost.start({ entry });
      await host.serve(writeApp({ 'index.js': APP }));
    });
    after(() => host.stop());
    const ok = async (name, http) => httpOf(await host.get(name, http));
    const failed = async (name, http) => {
      const response = await host.get(name, http);
      assert.equal(response.result.status ?? 'Failure', 'Failure', JSON.stringify(response));
      return response.result.exception;
    };
    const post = (text, headers) => ({ method: 'POST', body: { bytes: Buffer.from(text) },
      nullable_headers: Object.fromEntries(Object.entries(headers ?? {}).map(([k, v]) => [k, { value: v }])) });

    await t.test('C.1 1: hello is 200 and text/plain', async () => {
      const http = await ok('hello', { nullable_query: { name: { value: 'Go' } } });
      assert.equal(http.status_code, '200');
      assert.deepEqual(http.headers, { 'content-type': 'text/plain;charset=UTF-8' });
      assert.equal(textOf(http), 'Hello Go');
    });
    await t.test('C.1 2: jsonBody is application/json', async () => {
      const http = await ok('json');
      assert.equal(http.headers['content-type'], 'application/json');
      assert.equal(textOf(http), '{"a":[1,"ü"]}');
      const typed = await ok('jsonTyped');
      assert.deepEqual(typed.headers, { 'content-type': 'application/vnd.x+json', 'x-number': '5' });
    });
    await t.test('C.1 3: 204 with a body is empty', async () => {
      const http = await ok('noContent');
      assert.equal(http.status_code, '204');
      assert.equal(textOf(http), '');
      assert.equal(http.headers?.['content-type'], undefined);
    });
    await t.test('C.1 4: status 600 fails', async () => {
      assert.match((await failed('status600')).stack_trace, /RangeError/);
      assert.equal((await ok('statusText')).status_code, '201');
    });
    await t.test('C.1 5: a text result fails', async () => {
      assert.match((await failed('returnsText')).message, /must be an object/);
    });
    await t.test('C.1 6: no result is success without return value', async () => {
      for (const name of ['returnsNothing', 'returnsNull']) {
        const response = await host.get(name);
        assert.equal(response.result.status, 'Success');
        assert.equal(response.return_value, undefined);
      }
    });
    await t.test('bodies of every kind', async () => {
      const bytes = await ok('bytes');
      assert.deepEqual([...bytes.body.bytes], [0, 255, 1]);
      assert.equal(bytes.headers?.['content-type'], undefined);
      const form = await ok('form');
      assert.equal(textOf(form), 'a=b+c');
      assert.equal(form.headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8');
      assert.equal(textOf(await ok('stream')), 'onetwo');
      const native = await ok('native');
      assert.equal(native.status_code, '202');
      assert.equal(native.headers['x-a'], 'b');
      assert.equal(textOf(native), 'native');
      const own = await ok('responseClass');
      assert.equal(own.status_code, '203');
      assert.equal(own.cookies[0].name, 'n');
      assert.equal((await ok('headersClass')).headers['x-h'], '1');
    });
    await t.test('headers are checked and joined', async () => {
      assert.match((await failed('badHeader')).stack_trace, /TypeError/);
      assert.equal((await ok('sameHeader')).headers['x-a'], '1, 2');
    });
    await t.test('cookies', async () => {
      const { cookies } = await ok('cookies');
      assert.deepEqual(cookies, [
        { name: 'c1', value: 'v1', http_only: { value: true }, same_site: 'Lax', max_age: { value: 60 } },
        { name: 'c2', value: 'v2', domain: { value: 'd' }, path: { value: '/p' }, secure: { value: false },
          same_site: 'ExplicitNone', expires: { value: { seconds: 86400 } } },
      ]);
      assert.match((await failed('badCookie')).message, /'string' type was expected.*cookie.name/);
    });
    await t.test('request: method, url, route values, query, headers, text', async () => {
      const http = await ok('echo', { ...post('héllo', { 'x-custom': 'v', 'x-empty': '', cookie: 'a=b' }),
        url: 'http://localhost/api/echo/7?a=1', nullable_params: { id: { value: '7' } }, nullable_query: { a: { value: '1' } } });
      assert.deepEqual(JSON.parse(textOf(http)), {
        method: 'POST', url: 'http://localhost/api/echo/7?a=1', params: { id: '7' }, query: [['a', '1']], header: 'v', empty: '',
        cookie: 'a=b', text: 'héllo', used: true, isRequest: true, name: 'HttpRequest', user: null,
      });
    });
    await t.test('request: plain maps are taken when the nullable ones are empty', async () => {
      const http = await ok('echo', { method: 'get', url: 'http://h/x y', headers: { 'x-custom': 'p' }, query: { q: '2' }, params: { id: '1' } });
      const seen = JSON.parse(textOf(http));
      assert.deepEqual([seen.method, seen.url, seen.header, seen.query, seen.params, seen.text, seen.used],
        ['GET', 'http://h/x%20y', 'p', [['q', '2']], { id: '1' }, '', false]);
    });
    await t.test('request: json, clone, second read', async () => {
      const http = await ok('readers', post('\ufeff{"x":1}', { 'content-type': 'application/json' }));
      assert.deepEqual(JSON.parse(textOf(http)), { json: { x: 1 }, again: { x: 1 }, second: 'TypeError', used: true });
      assert.equal(textOf(await ok('readTwice', post('once'))), 'once:TypeError');
    });
    await t.test('request: buffers, forms, streams, changed headers', async () => {
      assert.equal(textOf(await ok('buffers', post('12345'))), '{"length":5}');
      const form = post('a=1&b=x+y', { 'content-type': 'application/x-www-form-urlencoded' });
      assert.equal(textOf(await ok('formData', form)), '[["a","1"],["b","x y"]]');
      assert.equal(textOf(await ok('bodyStream', post('streamed'))), 'streamed');
      assert.equal(textOf(await ok('headerChange', post('x'))), '1');
    });
    await t.test('a GET body is dropped with a warning', async () => {
      const http = await ok('echo', { ...post('gone'), method: 'GET' });
      assert.equal(JSON.parse(textOf(http)).text, '');
      assert.ok(host.logs(({ message }) => /Discarding the body/.test(message)).length > 0);
    });
    await t.test('signed-in user', async () => {
      const http = await ok('principal', { nullable_headers: { 'x-ms-client-principal': { value: PRINCIPAL } } });
      const user = JSON.parse(textOf(http));
      assert.deepEqual([user.type, user.id, user.username], ['StaticWebApps', 'u1', 'Ann']);
    });
    await t.test('C.1 27: whatever is thrown becomes a failure', async () => {
      const boom = await failed('boom');
      assert.equal(boom.message, 'kaboom');
      assert.match(boom.stack_trace, /TypeError: kaboom\n {4}at .*index\.js/);
      // Tells that the path meant is the path taken.
      assert.equal(/InvocationModel/.test(boom.stack_trace), path === 'library path');
      assert.equal((await failed('rejectsText')).message, 'text');
      assert.equal((await failed('throwsNull')).message, 'Unknown error');
      assert.equal((await failed('throwsObject')).message, '{"a":1}');
      assert.equal((await failed('readOnlyMessage')).message, 'frozen');
      assert.equal((await failed('hostileError')).message, 'Unknown error');
      assert.match((await failed('bigint')).message, /BigInt/);
      assert.equal((await failed('badThenable')).message, 'no then');
    });
    await t.test('C.1 14: registering inside a handler fails', async () => {
      assert.match((await failed('late')).message, /only be registered during app startup/);
      assert.ok(host.logs(({ level, log_category: c }) => level === 'Error' && c === 'System').length > 0);
    });
    await t.test('context and options; a change stays in its call', async () => {
      for (let i = 0; i < 2; i++) assert.equal(textOf(await ok('options')), '["options","anonymous",55]');
    });
    await t.test('large bodies both ways', async () => {
      const http = await ok('big', post(String(5 * 1024 * 1024)));
      assert.equal(http.body.bytes.length, 5 * 1024 * 1024);
      const sent = await ok('buffers', { method: 'POST', body: { bytes: Buffer.alloc(20 * 1024 * 1024) } });
      assert.equal(textOf(sent), '{"length":20971520}');
    });
    await t.test('C.1 31: 1000 pipelined calls keep their answers apart', async () => {
      const calls = Array.from({ length: 1000 }, (_, i) => ok('hello', { nullable_query: { name: { value: `n${i}` } } }));
      (await Promise.all(calls)).forEach((http, i) => assert.equal(textOf(http), `Hello n${i}`));
    });
    await t.test('an unknown function fails its call', async () => {
      const response = await host.invoke('nowhere', []);
      assert.match(response.result.exception.message, /"nowhere" is not loaded/);
    });
    await t.test('an unknown binding name fails its call', async () => {
      const response = await host.invoke('hello', [{ name: 'wrong', data: { string: 'x' } }]);
      assert.match(response.result.exception.message, /Failed to find binding "wrong" in bindings "httpTrigger/);
    });
    await t.test('worker status is answered', async () => {
      assert.deepEqual(await host.status(), {});
    });
  });
}
