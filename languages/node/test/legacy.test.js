'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { TestHost } = require('../testhost/host');
const { writeApp, textOf } = require('../testhost/app');

const HTTP = { req: { type: 'httpTrigger', direction: 'in' }, res: { type: 'http', direction: 'out' } };
const HTTP_RETURN = { req: { type: 'httpTrigger', direction: 'in' }, $return: { type: 'http', direction: 'out' } };
const QUEUE = { msg: { type: 'queueTrigger', direction: 'in' }, a: { type: 'queue', direction: 'out' }, b: { type: 'blob', direction: 'out' } };
const PLAIN = { msg: { type: 'queueTrigger', direction: 'in' } };

async function startApp(t, files, packageJson = {}) {
  const host = await TestHost.start();
  t.after(() => host.stop());
  const directory = writeApp(files, packageJson);
  await host.init(directory);
  assert.equal((await host.metadata(directory)).use_default_metadata_indexing, true);
  const load = (name, bindings, more) => host.load(`id-${name}`, {
    name, directory: `${directory}/${name}`, script_file: `${directory}/${name}.js`, bindings, ...more,
  });
  return { host, load };
}

const run = (host, name, data, more) => host.invoke(`id-${name}`, data, more);
const request = (http) => [{ name: 'req', data: { http: { method: 'GET', url: 'http://h/api', ...http } } }];
const message = (text) => [{ name: 'msg', data: { string: text } }];
const succeeded = (response) => {
  assert.equal(response.result.status, 'Success', JSON.stringify(response.result));
  return response;
};

test('C.1 23: the function is found in what the script exports', async (t) => {
  const { host, load } = await startApp(t, {
    'direct.js': "module.exports = async (context, m) => 'direct ' + m;",
    'run.js': "module.exports = { other: 1, run: async () => 'run' };",
    'index.js': "module.exports = { other: 1, index: async () => 'index' };",
    'single.js': "module.exports = { whatever: async () => 'single' };",
    'default.js': "exports.__esModule = true; exports.default = async () => 'default';",
    'named.js': "module.exports = { value: 5, run: async () => 'no', mine: async function () { return 'mine ' + this.value; } };",
    'absent.js': 'module.exports = { run: async () => 1 };',
    'none.js': "module.exports = { a: 1, b: 2 };",
    'number.js': 'module.exports = { a: 1 };',
    'broken.js': 'const = 1;',
  });
  for (const [name, want] of [['direct', 'direct x'], ['run', 'run'], ['index', 'index'], ['single', 'single'], ['default', 'default']]) {
    assert.equal((await load(name, PLAIN)).result.status, 'Success', name);
    assert.equal(succeeded(await run(host, name, message('x'))).return_value.string, want);
  }
  await load('named', PLAIN, { entry_point: 'mine' });
  assert.equal((await run(host, 'named', message('x'))).return_value.string, 'mine 5');
  const failure = async (name, more) => (await load(name, PLAIN, more)).result.exception.message;
  assert.match(await failure('none'), /unable to load function none: 'Unable to determine entry point/);
  assert.match(await failure('absent', { entry_point: 'mine' }), /Unable to determine function: 'mine'/);
  assert.match(await failure('number'), /not a function/);
  assert.match(await failure('broken'), /unable to load function broken: 'Unexpected token/);
  assert.match(await failure('missing'), /unable to load function missing: 'Cannot find module/);
});

test('C.1 23: an ES module script', async (t) => {
  const { host, load } = await startApp(t, { 'esm.js': "export default async (context, m) => 'esm ' + m;" }, { type: 'module' });
  await load('esm', PLAIN);
  assert.equal(succeeded(await run(host, 'esm', message('x'))).return_value.string, 'esm x');
});

test('C.1 24: every way to give an HTTP response', async (t) => {
  const { host, load } = await startApp(t, {
    'done.js': "module.exports = (context) => { context.done(null, { res: { status: 201, body: 'done' } }); };",
    'res.js': "module.exports = async (context, req) => { context.res = { status: 202, headers: { 'X-A': 1 }, body: { q: req.query.q, id: req.params.id } }; };",
    'send.js': "module.exports = (context) => { context.res.status(203).set('X-B', 'b').send('sent'); };",
    'json.js': "module.exports = (context) => { context.res.json({ a: 1 }); };",
    'sendStatus.js': 'module.exports = (context) => { context.res.sendStatus(204); };',
    'bindings.js': "module.exports = async (context) => { context.bindings.res = { body: Buffer.from('b'), cookies: [{ name: 'n', value: 'v' }] }; };",
    'empty.js': 'module.exports = async (context) => { context.res = { status: 200 }; };',
    'text.js': "module.exports = async (context) => { context.res = 'text'; };",
    'failing.js': "module.exports = (context) => { context.done(new Error('given up')); };",
    'throwing.js': "module.exports = async () => { throw 'text'; };",
  });
  const http = async (name, more) => {
    await load(name, HTTP);
    const { output_data: [{ name: output, data }] } = succeeded(await run(host, name, request(more)));
    assert.equal(output, 'res');
    return data.http;
  };
  const done = await http('done');
  assert.deepEqual([done.status_code, done.body], ['201', { string: 'done' }]);
  const res = await http('res', { nullable_query: { q: { value: '1' } }, nullable_params: { id: { value: '7' } } });
  assert.deepEqual([res.status_code, res.headers, res.body], ['202', { 'X-A': '1' }, { json: '{"q":"1","id":"7"}' }]);
  const sent = await http('send');
  assert.deepEqual([sent.status_code, sent.headers, sent.body], ['203', { 'x-b': 'b' }, { string: 'sent' }]);
  const json = await http('json');
  assert.deepEqual([json.headers, json.body], [{ 'content-type': 'application/json' }, { json: '{"a":1}' }]);
  assert.equal((await http('sendStatus')).status_code, '204');
  const bound = await http('bindings');
  assert.deepEqual([textOf(bound), bound.cookies[0].name], ['b', 'n']);
  assert.deepEqual((await http('empty')).body, {});
  for (const [name, text] of [['text', /must be an object/], ['failing', /^given up$/], ['throwing', /^text$/]]) {
    await load(name, HTTP);
    assert.match((await run(host, name, request())).result.exception.message, text);
  }
});

test('C.1 24: $return, and an object of outputs', async (t) => {
  const { host, load } = await startApp(t, {
    'returned.js': "module.exports = async () => ({ status: 201, body: 'r' });",
    'outputs.js': "module.exports = async (context) => { context.bindings.b = 'from bindings'; return { a: { n: 1 } }; };",
    'value.js': 'module.exports = async () => 5;',
  });
  await load('returned', HTTP_RETURN);
  const { return_value: { http } } = succeeded(await run(host, 'returned', request()));
  assert.deepEqual([http.status_code, textOf(http)], ['201', 'r']);
  await load('outputs', QUEUE);
  const outputs = succeeded(await run(host, 'outputs', message('x')));
  assert.deepEqual(outputs.output_data, [{ name: 'a', data: { json: '{"n":1}' } }, { name: 'b', data: { string: 'from bindings' } }]);
  assert.equal(outputs.return_value, undefined);
  await load('value', PLAIN);
  assert.deepEqual((await run(host, 'value', message('x'))).return_value, { int: 5 });
});

test('C.1 24: done twice, and done beside a promise, are log lines', async (t) => {
  const { host, load } = await startApp(t, {
    'twice.js': "module.exports = (context) => { context.done(null, 'first'); context.done(null, 'second'); };",
    'both.js': "module.exports = async (context) => { context.done(null, 'done'); return 'promise'; };",
    'quiet.js': "module.exports = async (context) => { context.suppressAsyncDoneError = true; context.done(null, 'done'); };",
  });
  for (const [name, want, lines] of [['twice', 'first', 1], ['both', 'done', 1], ['quiet', 'done', 0]]) {
    await load(name, PLAIN);
    const response = succeeded(await run(host, name, message('x')));
    assert.equal(response.return_value.string, want);
    await host.status();
    const errors = host.logs(({ invocation_id: id, level, log_category: c }) => id === response.invocation_id && level === 'Error' && c === 'System');
    assert.equal(errors.length, lines, name);
  }
});

test('C.1 25: body, rawBody and bufferBody', async (t) => {
  const { host, load } = await startApp(t, {
    'body.js': "module.exports = async (context, req) => ({ body: JSON.stringify([Buffer.isBuffer(req.body) ? 'buffer' : req.body ?? null, req.rawBody ?? null, req.bufferBody ? req.bufferBody.length : null, req.get('Content-Type') ?? null]) });",
  });
  await load('body', HTTP_RETURN);
  const seen = async (type, text) => {
    const headers = type ? { 'content-type': { value: type } } : {};
    const http = { method: 'POST', nullable_headers: headers, body: text === undefined ? undefined : { bytes: Buffer.from(text) } };
    return JSON.parse(textOf(succeeded(await run(host, 'body', request(http))).return_value.http));
  };
  assert.deepEqual(await seen('application/json', '{"a":1}'), [{ a: 1 }, '{"a":1}', 7, 'application/json']);
  assert.deepEqual(await seen('text/plain', 'plain'), ['plain', 'plain', 5, 'text/plain']);
  assert.deepEqual(await seen('text/plain', '\ufeffmarked'), ['marked', 'marked', 9, 'text/plain']);
  assert.deepEqual(await seen('multipart/form-data; boundary=x', '--x'), ['buffer', '--x', 3, 'multipart/form-data; boundary=x']);
  assert.deepEqual(await seen('application/octet-stream', '5'), ['buffer', '5', 1, 'application/octet-stream']);
  assert.deepEqual(await seen(undefined, undefined), [null, null, null, null]);
});

test('context of a function.json function', async (t) => {
  const { host, load } = await startApp(t, {
    'ctx.js': `module.exports = async function (context, message, extra) {
      context.log('info', 1); context.log.error('e'); context.log.warn('w'); context.log.verbose('v');
      setImmediate(() => context.log('too late'));
      const { executionContext, bindingData, bindingDefinitions, bindings, traceContext } = context;
      return JSON.stringify({ message, extra, executionContext, bindingData, bindingDefinitions, bindings, traceContext });
    };`,
  });
  const bindings = { msg: { type: 'queueTrigger', direction: 'in' }, extra: { type: 'table', direction: 'in' } };
  await load('ctx', bindings);
  const data = [...message('{"m":1}'), { name: 'extra', data: { json: '[2]' } }];
  const response = succeeded(await run(host, 'ctx', data, {
    metadata: { DequeueCount: { json: '2' } }, retry: { retry_count: 1, max_retry_count: 2 }, trace: { trace_parent: 'tp', trace_state: 'ts' },
  }));
  const seen = JSON.parse(response.return_value.string);
  assert.deepEqual([seen.message, seen.extra, seen.bindings], [{ m: 1 }, [2], { msg: { m: 1 }, extra: [2] }]);
  assert.equal(seen.executionContext.functionName, 'ctx');
  assert.match(seen.executionContext.functionDirectory, /ctx$/);
  assert.equal(seen.executionContext.retryContext.retryCount, 1);
  assert.deepEqual(seen.bindingData, { invocationId: response.invocation_id, dequeueCount: 2 });
  assert.deepEqual(seen.bindingDefinitions, [{ name: 'msg', type: 'queueTrigger', direction: 'in' }, { name: 'extra', type: 'table', direction: 'in' }]);
  assert.deepEqual(seen.traceContext, { traceparent: 'tp', tracestate: 'ts', attributes: {} });
  await host.when(({ rpc_log: log }) => log?.message === 'too late');
  const logs = host.logs(({ invocation_id: id }) => id === response.invocation_id).map(({ level = 'Trace', message: text }) => [level, text.slice(0, 8)]);
  assert.deepEqual(logs, [['Information', 'info 1'], ['Error', 'e'], ['Warning', 'w'], ['Trace', 'v'], ['Warning', 'Warning:'], ['Information', 'too late']]);
});
