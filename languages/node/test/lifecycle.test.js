'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { TestHost } = require('../testhost/host');
const { writeApp, httpOf, textOf } = require('../testhost/app');

const HTTP = (name, text) => `require('@azure/functions').app.http('${name}', { handler: () => ({ body: ${text} }) });`;
const LIBRARY = path.dirname(require.resolve('@azure/functions/package.json'));

async function startHost(t, options) {
  const host = await TestHost.start(options);
  t.after(() => host.stop());
  return host;
}

const failureOf = ({ result }) => {
  assert.equal(result.status ?? 'Failure', 'Failure');
  return result.exception;
};

// An app with its own copy of the library, as package managers lay it out.
function withLibrary(directory) {
  const target = path.join(directory, 'node_modules', '@azure', 'functions');
  fs.cpSync(LIBRARY, target, { recursive: true });
  for (const name of ['cookie', '@azure/functions-extensions-base']) {
    fs.cpSync(path.join(LIBRARY, '..', '..', name), path.join(directory, 'node_modules', name), { recursive: true });
  }
  return directory;
}

test('C.1 13: a duplicate function name is an entry error and fails metadata', async (t) => {
  const host = await startHost(t);
  const directory = writeApp({ 'index.js': HTTP('same', "'1'") + HTTP('same', "'2'") });
  assert.equal((await host.init(directory)).result.status, 'Success');
  const failure = failureOf(await host.metadata(directory));
  assert.match(failure.message, /unable to load entry point "index\.js": .*"same" has already been registered/);
});

test('C.1 20: the main pattern loads every file it matches, once', async (t) => {
  const host = await startHost(t);
  const functions = await host.serve(writeApp({
    'dist/a.js': HTTP('a', "'a'"),
    'dist/functions/one.js': HTTP('one', "'1'"),
    'dist/functions/two.js': HTTP('two', "'2'"),
    'dist/functions/.hidden.js': HTTP('hidden', "'3'"),
    'dist/other.js': HTTP('other', "'4'"),
  }, { main: 'dist/{a,functions/*}.js' }));
  assert.deepEqual(Object.keys(functions).sort(), ['a', 'one', 'two']);
  assert.equal(functions.one.script_file, 'one.js');
  assert.match(functions.one.directory, /dist.functions$/);
  assert.equal(textOf(httpOf(await host.get('two'))), '2');
});

const ESM = "import { app } from '@azure/functions';\n"
  + "app.http('esm', { handler: async () => ({ body: `esm ${typeof app.http}` }) });\n"
  + "app.http('dynamic', { handler: async () => ({ body: String((await import('@azure/functions')).app === app) }) });";

for (const [name, files, packageJson] of [
  ['.mjs', { 'index.mjs': ESM }, { main: 'index.mjs' }],
  ['type module', { 'src/index.js': ESM }, { main: 'src/*.js', type: 'module' }],
  ['.cjs in a module package', { 'index.cjs': HTTP('esm', "'esm function'") + HTTP('dynamic', "'true'") }, { main: 'index.cjs', type: 'module' }],
]) {
  for (const own of [false, true]) {
    test(`C.1 21: an ES module app registers: ${name}, ${own ? 'own library' : 'no node_modules'}`, async (t) => {
      const host = await startHost(t);
      const directory = writeApp(files, packageJson);
      const functions = await host.serve(own ? withLibrary(directory) : directory);
      assert.deepEqual(Object.keys(functions).sort(), ['dynamic', 'esm'], host.stderr);
      assert.equal(textOf(httpOf(await host.get('esm'))), 'esm function');
      assert.equal(textOf(httpOf(await host.get('dynamic'))), 'true');
      // The lean path finds the classes of the library however it was loaded.
      const { stack_trace: stack } = failureOf(await host.invoke('esm', [{ name: 'wrong', data: { string: 'x' } }]));
      assert.match(stack, /FunctionPlan/);
    });
  }
}

test("the app's own copy of the library is used when there is one", async (t) => {
  const host = await startHost(t);
  await host.serve(withLibrary(writeApp({ 'index.js': HTTP('where', "require.resolve('@azure/functions')") })));
  assert.match(textOf(httpOf(await host.get('where'))), /node-app-.*node_modules/);
});

test('C.1 22: a syntax error in an entry file', async (t) => {
  const host = await startHost(t);
  const directory = writeApp({ 'index.js': 'const = 1;' });
  assert.equal((await host.init(directory)).result.status, 'Success');
  const failure = failureOf(await host.metadata(directory));
  assert.match(failure.message, /^Worker was unable to load entry point "index\.js": Unexpected token/);
  assert.match(failure.stack_trace, /index\.js:1\s+const = 1;/);
  assert.match(host.stderr, /SyntaxError/);
  assert.match(host.stderr, /index\.js:1/);
  assert.match(failureOf(await host.load('any', { name: 'any' })).message, /unable to load entry point/);
  assert.ok(host.logs(({ level, message }) => level === 'Error' && /unable to load entry point/.test(message)).length > 0);
});

test('an entry file that is missing, and one that matches nothing', async (t) => {
  for (const main of ['missing.js', 'none/*.js']) {
    const host = await startHost(t);
    const directory = writeApp({}, { main });
    await host.init(directory);
    assert.match(failureOf(await host.metadata(directory)).message, /zero files/);
    assert.match(host.stderr, /zero files/);
  }
});

test('an entry error beside function.json files leaves indexing to the host', async (t) => {
  const host = await startHost(t);
  const directory = writeApp({ 'index.js': 'throw new Error("early")', 'f/function.json': '{}' });
  await host.init(directory);
  const metadata = await host.metadata(directory);
  assert.equal(metadata.use_default_metadata_indexing, true);
  assert.match(failureOf(await host.load('f', { name: 'f' })).message, /early/);
});

test('no package.json and a broken one are warnings', async (t) => {
  for (const [files, reason] of [[{}, /file does not exist/], [{ 'package.json': '{' }, /JSON/], [{ 'package.json': '[]' }, /not an object/]]) {
    const host = await startHost(t);
    const directory = writeApp(files, null);
    assert.equal((await host.init(directory)).result.status, 'Success');
    assert.equal((await host.metadata(directory)).use_default_metadata_indexing, true);
    const [warning] = host.logs(({ level }) => level === 'Warning');
    assert.match(warning.message, reason);
  }
});

test('C.1 26: a placeholder becomes the app', async (t) => {
  const placeholder = writeApp({ 'index.js': `${HTTP('old', "'old'")}\nrequire('@azure/functions').app.hook.preInvocation(() => { throw new Error('old hook'); });` });
  const source = "const { app } = require('@azure/functions');\napp.setup({ capabilities: { Mine: true } });\n"
    + "app.http('new', { handler: () => ({ jsonBody: [process.cwd(), process.env.OLD ?? null, process.env.NEW, new Date(0).getHours()] }) });";
  const esm = source.replace(/const (.*) = require\((.*)\)/, 'import $1 from $2');
  for (const app of [writeApp({ 'index.js': source }), withLibrary(writeApp({ 'index.js': source })),
    writeApp({ 'index.mjs': esm }, { main: 'index.mjs' })]) {
    const host = await startHost(t, { cwd: placeholder, env: { OLD: '1', TZ: 'UTC' } });
    await host.serve(placeholder);
    assert.match(failureOf(await host.get('old')).message, /old hook/);
    const answer = await host.reload(app, { NEW: 'yes', PATH: process.env.PATH, TZ: 'Asia/Tokyo' });
    assert.equal(answer.result.status, 'Success');
    assert.equal(answer.capabilities_update_strategy, 'replace');
    assert.equal(answer.capabilities.Mine, 'true', host.stderr);
    assert.equal(answer.worker_metadata.custom_properties.modelVersion, '4.16.5');
    const { function_metadata_results: found } = await host.metadata(app);
    assert.deepEqual(found.map(({ name }) => name), ['new'], host.stderr);
    host.functions = { ...host.functions, new: found[0] };
    assert.deepEqual(JSON.parse(textOf(httpOf(await host.get('new')))), [app, null, 'yes', 9]);
    assert.match(failureOf(await host.get('old')).message, /not loaded/);
  }
});

test('C.1 26: an ES module placeholder becomes an ES module app', async (t) => {
  const host = await startHost(t);
  const module = (name) => writeApp({ 'index.mjs': `import { app } from '@azure/functions'; app.setup({ capabilities: { N: '${name}' } }); app.http('${name}', { handler: () => ({}) });` }, { main: 'index.mjs' });
  await host.serve(module('first'));
  const second = module('second');
  const answer = await host.reload(second, { PATH: process.env.PATH });
  assert.equal(answer.capabilities.N, 'second', host.stderr);
  const { function_metadata_results: found } = await host.metadata(second);
  assert.deepEqual(found.map(({ name }) => name), ['second']);
});

test('reloading variables alone keeps the directory', async (t) => {
  const host = await startHost(t);
  await host.init('');
  assert.equal((await host.reload('', { A: 'b' })).result.status, 'Success');
});

test('reloading into a directory that is not there fails', async (t) => {
  const host = await startHost(t);
  await host.init('');
  assert.match(failureOf(await host.reload('/no/such/directory', {})).message, /ENOENT/);
});

for (const [name, source] of [
  ['unhandled rejection', "Promise.reject(new Error('lost'))"],
  ['uncaught exception', "setImmediate(() => { throw new Error('lost'); })"],
]) {
  test(`C.1 28: ${name} ends the process with 1`, async (t) => {
    const host = await startHost(t);
    await host.serve(writeApp({ 'index.js': HTTP('f', `(${source}, '')`) }));
    host.get('f').catch(() => {});
    assert.equal(await host.exited, 1);
    assert.match(host.stderr, /^LanguageWorkerConsoleLog\[error\] Worker uncaught exception: Error: lost {4}.*index\.js.*\n$/);
  });
}

test('console output of the app is passed on as it is', async (t) => {
  const host = await startHost(t);
  await host.serve(writeApp({ 'index.js': `console.log('out'); console.error('err'); ${HTTP('f', "''")}` }));
  await host.terminate();
  assert.equal(host.stdout, 'out\n');
  assert.equal(host.stderr, 'err\n');
});

test('the end of the stream ends the process with 0', async (t) => {
  const host = await startHost(t);
  await host.serve(writeApp({ 'index.js': `setInterval(() => {}, 1000); ${HTTP('f', "''")}` }));
  host.call.end();
  assert.equal(await host.exited, 0);
});

test('a host that goes away ends the process', async (t) => {
  const host = await startHost(t);
  await host.serve(writeApp({ 'index.js': `setInterval(() => {}, 1000); ${HTTP('f', "''")}` }));
  host.server.forceShutdown();
  assert.ok([0, 1].includes(await host.exited));
});

test('a gRPC error ends the process with 1', async (t) => {
  const host = await startHost(t);
  host.call.emit('error', { code: 8, details: 'go away' });
  assert.equal(await host.exited, 1);
  assert.match(host.stderr, /^LanguageWorkerConsoleLog\[error\] .*gRPC status 8: go away/);
});

test('unknown messages are logged, others are ignored', async (t) => {
  const host = await startHost(t);
  host.send({ worker_heartbeat: {} });
  host.send({ file_change_event_request: {} });
  host.send({ invocation_cancel: { invocation_id: 'x' } });
  host.send({ worker_warmup_request: {} });
  await host.status();
  const logs = host.logs();
  assert.equal(logs.length, 1);
  assert.match(logs[0].message, /no handler for message "field 33"/);
});

test('either family of arguments is enough', async (t) => {
  const old = ({ port, workerId, requestId }) => ['--host', '127.0.0.1', '--port', String(port), '--workerId', workerId,
    '--requestId', requestId, '--grpcMaxMessageLength', '1000'];
  const current = ({ port, workerId, requestId }) => [`--functions-uri=http://127.0.0.1:${port}/`, '--functions-worker-id', workerId,
    '--functions-request-id', requestId, '--functions-grpc-max-message-length', '1000'];
  for (const launch of [old, current]) {
    const host = await startHost(t, { launch });
    const { start_stream: stream, request_id: requestId } = await host.next('start_stream');
    assert.deepEqual([stream.worker_id, requestId], [host.workerId, host.requestId]);
  }
});

test('a message above the limit ends the process', async (t) => {
  const launch = ({ port, workerId, requestId }) => ['--functions-uri', `http://127.0.0.1:${port}`, '--functions-worker-id', workerId,
    '--functions-request-id', requestId, '--functions-grpc-max-message-length', '1000'];
  const host = await startHost(t, { launch });
  host.send({ worker_init_request: { host_version: 'x'.repeat(2000) } });
  assert.equal(await host.exited, 1);
  assert.match(host.stderr, /message of \d+ bytes, the limit is 1000/);
});

test('wrong arguments and an unreachable host are errors', async () => {
  const run = async (...args) => {
    const child = spawn(process.execPath, [path.join(__dirname, '..', 'src', 'main.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => { stderr += chunk; });
    const [code] = await once(child, 'close');
    return { code, stderr };
  };
  const missing = await run('--functions-uri', 'http://127.0.0.1:1/');
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /missing or invalid arguments: workerId, requestId, maxMessageLength/);
  const refused = await run('--host', '127.0.0.1', '--port', '1', '--workerId', 'w', '--requestId', 'r', '--grpcMaxMessageLength', '9');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ECONNREFUSED/);
});
