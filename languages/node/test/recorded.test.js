'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { TestHost } = require('../testhost/host');
const { writeApp } = require('../testhost/app');

// A recorded conversation between a host and the official language worker. The
// host's side is said again, word for word; our answers must be the recorded
// ones but for what names a process, a version or a source line.

const RECORDED = path.join(__dirname, '..', 'testdata', 'recorded-v4.jsonl');
const RECORDED_APP = '/srv/apps/v4app';
const APP = `
const { app, output, trigger } = require('@azure/functions');
app.http('hello', { methods: ['GET', 'POST'], authLevel: 'anonymous', route: 'hello/{id:int?}', handler: async (request, context) => {
  context.log('Http function processed request for url "' + request.url + '"');
  const body = request.method === 'POST' ? await request.json() : null;
  return { status: 201, headers: { 'X-Multi': 'one' }, cookies: [{ name: 'c1', value: 'v1', maxAge: 60, httpOnly: true, sameSite: 'Lax' }],
    jsonBody: { hi: request.query.get('name'), params: request.params, body } };
} });
app.http('streamy', { methods: ['POST'], authLevel: 'function', handler: async () => ({}) });
app.http('boom', { authLevel: 'anonymous', handler: () => { throw new TypeError('kaboom'); } });
app.timer('tick', { schedule: '0 */5 * * * *', runOnStartup: false, useMonitor: true,
  retry: { strategy: 'exponentialBackoff', maxRetryCount: 5, minimumInterval: { seconds: 10 }, maximumInterval: { minutes: 15 } },
  handler: (timer, context) => { context.warn('timer', timer); } });
app.storageQueue('work', { queueName: 'work', connection: 'AzureWebJobsStorage',
  return: output.storageBlob({ path: 'o/{rand-guid}', connection: 'AzureWebJobsStorage' }),
  extraOutputs: [output.storageQueue({ queueName: 'out', connection: 'AzureWebJobsStorage' })],
  retry: { strategy: 'fixedDelay', maxRetryCount: 3, delayInterval: { seconds: 5 } },
  handler: (message, context) => {
    context.error('dequeue', context.triggerMetadata, context.retryContext);
    context.extraOutputs.set(context.options.extraOutputs[0], [{ m: 1 }, { m: 2 }]);
    return 'returned ' + JSON.stringify(message);
  } });
app.generic('events', { trigger: trigger.generic({ type: 'kafkaTrigger', name: 'events', brokerList: '%KAFKA%', topic: 't', cardinality: 'MANY', dataType: 'string' }),
  handler: (events, context) => { context.log('n=' + events.length, events); } });
`;

function readRecorded() {
  return fs.readFileSync(RECORDED, 'utf8').trim().split('\n').map((line) => JSON.parse(line, (_, value) => (
    value?.$bytes_base64 === undefined ? value : Buffer.from(value.$bytes_base64, 'base64'))));
}

/** Both sides in one form: no names of oneofs, no default values, no process' own data. */
function comparable(value, directory) {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map((each) => comparable(each, directory));
  if (typeof value !== 'object' || value === null) return value === directory ? '<app>' : replaceApp(value, directory);
  const result = {};
  for (const [key, member] of Object.entries(value)) {
    const inner = comparable(member, directory);
    if (!isNoise(key, member, inner)) result[key] = inner;
  }
  return result;
}

function replaceApp(value, directory) {
  return typeof value === 'string' ? value.split(directory).join('<app>') : value;
}

const PROCESS_DATA = new Set(['stack_trace', 'worker_version', 'runtime_version', 'worker_bitness', 'request_id', 'rpc_data']);

function isNoise(key, member, inner) {
  if (PROCESS_DATA.has(key) || inner === undefined || inner === false && key !== 'value') return true;
  // Zero values may or may not be written out.
  if (inner === 'in' || inner === 'exponential_backoff') return true;
  // The recorder wrote the name of the member of a oneof beside it.
  return ['data', 'bool', 'double', 'string'].includes(key) && ['data', 'bytes', 'http', 'json', 'string', 'value'].includes(member);
}

const ANSWERS = ['worker_init_response', 'function_metadata_response', 'function_load_response', 'invocation_response', 'worker_status_response'];

function replay(host, line, directory) {
  const { dir, request_id: requestId, ...content } = line;
  const text = JSON.parse(JSON.stringify(content).split(RECORDED_APP).join(directory), (_, value) => (
    value?.type === 'Buffer' ? Buffer.from(value.data) : value));
  host.send(text, requestId);
}

test('the recorded conversation is answered as recorded', async (t) => {
  const directory = writeApp({ 'src/functions/all.js': APP }, { main: 'src/functions/*.js' });
  const host = await TestHost.start();
  t.after(() => host.stop());
  let compared = 0;
  for (const line of readRecorded()) {
    if (line.dir === 'host->worker') {
      replay(host, line, directory);
      continue;
    }
    const kind = ANSWERS.find((name) => line[name]);
    if (!kind) continue;
    const answer = await host.next(kind, (_, { request_id: id }) => id === line.request_id);
    assert.deepEqual(comparable(answer[kind], directory), comparable(line[kind], RECORDED_APP), `${kind} ${line.request_id}`);
    compared++;
  }
  assert.equal(compared, 15);
  assert.equal(await host.exited, 0);
  const logs = (messages) => messages.filter(({ rpc_log: log }) => log?.invocation_id && log.message && log.category)
    .map(({ rpc_log: { invocation_id: id, category, level, message } }) => [id, category, level, message]);
  const ours = logs(host.messages).filter(([, , , message]) => !message.startsWith('Failed to find binding'));
  assert.deepEqual(ours, logs(readRecorded()));
});
