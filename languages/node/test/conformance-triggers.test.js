'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { TestHost } = require('../testhost/host');
const { writeApp } = require('../testhost/app');

const APP = `
const { app, input, output } = require('@azure/functions');
const seen = {};
const queueOut = output.storageQueue({ queueName: 'out', connection: 'C' });
const blobOut = output.generic({ type: 'blob', name: 'named', path: 'o/x' });
const blobIn = input.storageBlob({ path: 'i/x', connection: 'C' });
const show = (value) => Buffer.isBuffer(value) ? 'bytes:' + value.toString('hex') : value;
app.storageQueue('queue', { queueName: 'q', connection: 'C', handler: (message, context) =>
  JSON.stringify({ message, type: typeof message, metadata: context.triggerMetadata, retry: context.retryContext }) });
app.storageQueue('numbers', { queueName: 'n', connection: 'C', handler: (message) => eval(String(message)) });
app.storageQueue('outputs', { queueName: 'o', connection: 'C', extraOutputs: [queueOut, blobOut], extraInputs: [blobIn],
  handler: (message, context) => {
    const text = show(context.extraInputs.get(blobIn));
    if (message === 'object') context.extraOutputs.set(queueOut, [{ m: 1 }, { m: 2 }]);
    if (message === 'name') context.extraOutputs.set('named', text);
  } });
app.timer('timer', { schedule: '0 */5 * * * *', handler: (timer, context) => { context.log(JSON.stringify(timer)); context.log(typeof context.triggerMetadata); } });
app.generic('any', { trigger: { type: 'kafkaTrigger', name: 'events' }, handler: (value) => JSON.stringify({ value: Array.isArray(value) ? value.map(show) : show(value) ?? 'nothing' }) });
app.storageQueue('logs', { queueName: 'l', connection: 'C', handler: async (message, context) => {
  context.trace('t'); context.debug('d'); context.info('i %s', 1); context.warn('w', { a: 1 }); context.error('e'); context.log('l%s');
  setImmediate(() => context.log('too late'));
} });
`;

const typed = (response) => {
  assert.equal(response.result.status, 'Success', JSON.stringify(response));
  return response.return_value;
};

for (const [path, entry] of [['lean path', undefined], ['library path', require.resolve('../testhost/library-path')]]) {
  test(path, async (t) => {
    const host = await TestHost.start({ entry });
    t.after(() => host.stop());
    await host.serve(writeApp({ 'index.js': APP }));

    await t.test('C.1 7: queue text arrives parsed if it is JSON', async () => {
      const cases = { '{"a":1}': { a: 1 }, abc: 'abc', '': '', 5: 5, '"q"': 'q', nope: 'nope', ' 1': 1, '[1': '[1', null: null };
      for (const [text, want] of Object.entries(cases)) {
        const { message } = JSON.parse(typed(await host.call1('queue', { string: text })).string);
        assert.deepEqual(message, want, text);
      }
    });
    await t.test('C.1 8: results become int, double, string, bytes or JSON without a return binding', async () => {
      const cases = [['5', { int: 5 }], ['-3', { int: -3 }], ['0.5', { double: 0.5 }], ['2**52', { int: 2 ** 52 }], ['-(2**53)', { int: -(2 ** 53) }],
        ['1e300', { double: 1e300 }], ['`x`', { string: 'x' }], ['``', { string: '' }], ['[1]', { json: '[1]' }], ['true', { json: 'true' }], ['0', { int: 0 }]];
      for (const [expression, want] of cases) {
        assert.deepEqual(typed(await host.call1('numbers', { string: JSON.stringify(expression) })), want, expression);
      }
      const bytes = typed(await host.call1('numbers', { string: '"new Uint16Array([1])"' }));
      assert.deepEqual([...bytes.bytes], [1, 0]);
      assert.equal(typed(await host.call1('numbers', { string: '"undefined"' })), undefined);
    });
    await t.test('C.1 9: extra outputs by object and by name; unset ones are absent', async () => {
      const { bindings } = host.functions.outputs;
      const queue = Object.keys(bindings).find((name) => name.startsWith('queueOutput'));
      const blob = Object.keys(bindings).find((name) => name.startsWith('blobInput'));
      const inputs = [{ name: blob, data: { bytes: Buffer.from([1, 2]) } }];
      const byObject = await host.call1('outputs', { string: 'object' }, { inputs });
      assert.deepEqual(byObject.output_data, [{ name: queue, data: { json: '[{"m":1},{"m":2}]' } }]);
      const byName = await host.call1('outputs', { string: 'name' }, { inputs });
      assert.deepEqual(byName.output_data, [{ name: 'named', data: { string: 'bytes:0102' } }]);
      const none = await host.call1('outputs', { string: 'none' }, { inputs });
      assert.equal(none.output_data, undefined);
    });
    await t.test('C.1 10: trigger metadata and retry context', async () => {
      const response = await host.call1('queue', { string: 'x' }, {
        metadata: { DequeueCount: { json: '1' }, Id: { string: 'abc' }, Nested: { json: '{"UpperCase":[{"Inner":1}]}' } },
        retry: { retry_count: 1, max_retry_count: 3, exception: { message: 'first try failed' } },
      });
      const seen = JSON.parse(typed(response).string);
      assert.deepEqual(seen.metadata, { dequeueCount: 1, id: 'abc', nested: { upperCase: [{ inner: 1 }] } });
      assert.deepEqual(seen.retry, { retryCount: 1, maxRetryCount: 3, exception: { message: 'first try failed', source: '', stackTrace: '' } });
      const plain = JSON.parse(typed(await host.call1('queue', { string: 'x' })).string);
      assert.equal(plain.retry, undefined);
    });
    await t.test('C.1 11: timer keys are camel-cased', async () => {
      const response = await host.call1('timer', { json: '{"Schedule":{"AdjustForDST":true},"IsPastDue":false}' });
      assert.equal(response.result.status, 'Success');
      const logs = host.logs(({ invocation_id: id }) => id === response.invocation_id).map(({ message }) => message);
      assert.deepEqual(logs, ['{"schedule":{"adjustForDST":true},"isPastDue":false}', 'undefined']);
    });
    await t.test('every kind of input data', async () => {
      const cases = [
        [{ json: '{"A":1}' }, { A: 1 }], [{ bytes: Buffer.from('ab') }, 'bytes:6162'], [{ stream: Buffer.from('c') }, 'bytes:63'],
        [{ int: -7 }, -7], [{ double: 1.5 }, 1.5], [{ collection_string: { string: ['{"a":1}', 'plain'] } }, [{ a: 1 }, 'plain']],
        [{ collection_bytes: { bytes: [Buffer.from([9])] } }, ['bytes:09']], [{ collection_double: { double: [0.25, 2] } }, [0.25, 2]],
        [{ collection_sint64: { sint64: [-1, 2 ** 40] } }, [-1, 2 ** 40]], [{}, 'nothing'],
      ];
      for (const [data, want] of cases) {
        assert.deepEqual(JSON.parse(typed(await host.call1('any', data)).string).value, want, JSON.stringify(data));
      }
      const bad = await host.call1('any', { json: '{' });
      assert.match(bad.result.exception.stack_trace, /SyntaxError/);
    });
    await t.test('C.1 19: log levels, and a log after completion', async () => {
      const { invocation_id: id } = await host.call1('logs', { string: 'x' });
      await host.when(({ rpc_log: log }) => log?.message === 'too late');
      const logs = host.logs(({ invocation_id: of }) => of === id);
      assert.deepEqual(logs.slice(0, 6).map(({ level = 'Trace', message }) => [level, message]), [
        ['Trace', 't'], ['Debug', 'd'], ['Information', 'i 1'], ['Warning', 'w { a: 1 }'], ['Error', 'e'], ['Information', 'l%s'],
      ]);
      assert.deepEqual(logs.slice(6).map(({ level, log_category: category, category: name }) => [level, category, name]),
        [['Warning', 'System', 'logs.Invocation'], ['Information', undefined, 'logs.Invocation']]);
    });
  });
}

test('C.1 12: binding names are equal in two processes', async (t) => {
  const directory = writeApp({ 'index.js': APP });
  const described = [];
  for (let i = 0; i < 2; i++) {
    const host = await TestHost.start();
    t.after(() => host.stop());
    await host.init(directory);
    described.push(await host.metadata(directory));
  }
  assert.deepEqual(described[0], described[1]);
});
