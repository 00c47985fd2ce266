'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { TestHost } = require('../testhost/host');
const { writeApp } = require('../testhost/app');

const APP = `
const { app } = require('@azure/functions');
app.setup({ enableHttpStream: true });
app.http('echo', { methods: ['POST'], handler: async (request) => ({ status: 201, headers: { 'x-a': request.headers.get('x-in') },
  body: (async function* () { for await (const chunk of request.body) yield Buffer.from(chunk).toString().toUpperCase(); yield request.params.id; })() }) });
app.http('boom', { handler: () => { throw new Error('kaboom'); } });
app.http('midway', { handler: () => ({ body: (async function* () { yield 'start'; throw new Error('broke off'); })() }) });
app.storageQueue('queue', { queueName: 'q', connection: 'C', handler: (message) => 'got ' + message });
`;

test('C.1 30: streamed HTTP', async (t) => {
  const host = await TestHost.start();
  t.after(() => host.stop());
  await host.serve(writeApp({ 'index.js': APP }));
  const uri = host.initialized.capabilities.HttpUri;
  const forward = (name, invocationId, init) => fetch(new URL(`/api/${name}`, uri), { ...init, duplex: 'half', headers: {
    ...init?.headers, 'x-ms-invocation-id': invocationId, 'x-forwarded-host': 'example.com', 'x-forwarded-proto': 'https',
  } });
  const exchange = async (name, init, metadata) => {
    const invocationId = randomUUID();
    const [called, forwarded] = await Promise.all([
      host.call1(name, { http: {} }, { invocationId, metadata }),
      forward(name, invocationId, init)
        .then(async (response) => ({ response, text: await response.text() }))
        .catch((error) => ({ error })),
    ]);
    return { called, ...forwarded };
  };

  await t.test('HttpUri is announced, and the server listens on one address only', async () => {
    assert.match(uri, /^http:\/\/localhost:\d+\/$/);
    // A server on all interfaces would answer on every loopback address.
    await assert.rejects(fetch(uri.replace('localhost', '127.0.0.2')), ({ cause }) => cause.code === 'ECONNREFUSED');
  });
  await t.test('body goes in and out as a stream', async () => {
    const body = new Blob(['abc']).stream();
    const { called, response, text } = await exchange('echo', { method: 'POST', body },
      { id: { string: '7' }, Headers: { json: '{"x-in":"seen"}' } });
    assert.equal(called.result.status, 'Success');
    assert.equal(called.return_value, undefined);
    assert.deepEqual([response.status, response.headers.get('x-a'), text], [201, 'seen', 'ABC7']);
  });
  await t.test('a throwing function closes its response with 500', async () => {
    const { called, response } = await exchange('boom');
    assert.equal(called.result.exception.message, 'kaboom');
    assert.equal(response.status, 500);
  });
  await t.test('a body that breaks off breaks the response off', async () => {
    const { called, error } = await exchange('midway');
    assert.equal(called.result.exception.message, 'broke off');
    assert.ok(error instanceof TypeError);
  });
  await t.test('a request without invocation id is refused', async () => {
    assert.equal((await fetch(new URL('/api/echo', uri))).status, 400);
  });
  await t.test('other triggers still come by gRPC', async () => {
    assert.equal((await host.call1('queue', { string: 'x' })).return_value.string, 'got x');
  });
});
