'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { TestHost } = require('../testhost/host');
const { writeApp } = require('../testhost/app');

const queue = (name, handler) => `app.storageQueue('${name}', { queueName: 'q', connection: 'C', handler: ${handler} });`;

async function serve(t, source, options) {
  const host = await TestHost.start(options);
  t.after(() => host.stop());
  await host.serve(writeApp({ 'index.js': `const { app } = require('@azure/functions');\n${source}` }));
  return host;
}

const say = (host, name, text) => host.call1(name, { string: text });

for (const [path, entry] of [['lean path', undefined], ['library path', require.resolve('../testhost/library-path')]]) {
  const options = { entry };

  test(`${path}, C.1 15: hooks replace inputs, handler, result and error`, async (t) => {
    const host = await serve(t, `
      app.hook.preInvocation((context) => {
        if (context.inputs[0] === 'inputs') context.inputs = ['replaced'];
        if (context.inputs[0] === 'mutate') context.inputs[0] = 'mutated';
        if (context.inputs[0] === 'handler') context.functionHandler = async (message) => 'other handler ' + message;
      });
      app.hook.postInvocation((context) => {
        if (context.inputs[0] === 'fail') { context.error = null; context.result = 'cured'; }
        if (context.inputs[0] === 'spoil') context.error = new Error('spoiled');
        if (context.inputs[0] === 'result') context.result = 'new ' + context.result;
        if (context.inputs[0] === 'post') throw new Error('post hook');
      });
      ${queue('f', "(message) => { if (message === 'fail') throw new Error('no'); return 'got ' + message; }")}`, options);
    const result = async (text) => (await say(host, 'f', text)).return_value?.string;
    assert.equal(await result('plain'), 'got plain');
    assert.equal(await result('inputs'), 'got replaced');
    assert.equal(await result('mutate'), 'got mutated');
    assert.equal(await result('handler'), 'other handler handler');
    assert.equal(await result('result'), 'new got result');
    assert.equal(await result('fail'), 'cured');
    assert.equal((await say(host, 'f', 'spoil')).result.exception.message, 'spoiled');
    assert.equal((await say(host, 'f', 'post')).result.exception.message, 'post hook');
  });

  test(`${path}, C.1 16: a throwing pre hook keeps function and post hooks from running`, async (t) => {
    const host = await serve(t, `
      app.hook.preInvocation(() => { throw new Error('not today'); });
      app.hook.postInvocation(() => { console.log('POST RAN'); });
      ${queue('f', "() => { console.log('FUNCTION RAN'); }")}`, options);
    assert.equal((await say(host, 'f', 'x')).result.exception.message, 'not today');
    await host.terminate();
    assert.equal(host.stdout, '');
  });

  test(`${path}, C.1 17: log hooks change user text only, and may throw`, async (t) => {
    const host = await serve(t, `
      app.hook.log((context) => { context.message = context.message + '!'; context.level = 'error';
        if (context.invocationContext) context.hookData.count = (context.hookData.count ?? 0) + 1; });
      app.hook.log(() => { throw new Error('bad hook'); });
      app.hook.log((context) => { try { context.category = 'system'; } catch (error) { context.message += error.message; } });
      ${queue('f', "(m, context) => { context.log('one'); setImmediate(() => context.log('late')); }")}`, options);
    const { invocation_id: id } = await say(host, 'f', 'x');
    await host.when(({ rpc_log: log }) => log?.message.startsWith('late'));
    const [one, warning, late] = host.logs(({ invocation_id: of }) => of === id);
    assert.deepEqual([one.level, one.message], ['Error', "one!Cannot assign to read only property 'category'"]);
    assert.equal(warning.level, 'Warning');
    assert.match(warning.message, /^Warning: Unexpected call.*\. $|\.$/);
    assert.match(late.message, /^late!/);
  });

  test(`${path}, C.1 18: hookData is shared from pre to post and apart between calls`, async (t) => {
    const host = await serve(t, `
      let calls = 0;
      app.hook.appStart((context) => { context.hookData.started = true; });
      app.hook.preInvocation((context) => { context.hookData.number = ++calls; try { context.hookData = {}; } catch (e) { context.hookData.error = e.message; } });
      app.hook.postInvocation((context) => { context.result = JSON.stringify({ ...context.hookData, id: context.invocationContext.functionName }); });
      ${queue('f', "async (m) => { await new Promise((resolve) => setImmediate(resolve)); }")}`, options);
    const results = await Promise.all(['a', 'b', 'c'].map((text) => say(host, 'f', text)));
    const seen = results.map(({ return_value: value }) => JSON.parse(value.string));
    assert.deepEqual(seen.map(({ number }) => number).sort(), [1, 2, 3]);
    for (const each of seen) {
      assert.deepEqual([each.error, each.id, each.started], ["Cannot assign to read only property 'hookData'", 'f', undefined]);
    }
  });
}

test('C.1 29: terminate runs appTerminate hooks and exits with 0', async (t) => {
  const host = await serve(t, `
    app.hook.appStart((context) => { context.hookData.from = 'start'; });
    app.hook.appTerminate(async (context) => { await new Promise((r) => setTimeout(r, 1)); console.log('bye ' + context.hookData.from); });
    ${queue('f', '() => new Promise(() => {})')}`);
  host.call1('f', { string: 'never answered' }).catch(() => {});
  assert.equal(await host.terminate(), 0);
  assert.equal(host.stdout, 'bye start\n');
});

test('what a call says after terminate does not spoil the exit', async (t) => {
  const host = await serve(t, `
    let finish;
    app.hook.appTerminate(() => { setImmediate(() => finish('too late')); });
    process.on('exit', (code) => console.log('exit ' + code));
    ${queue('f', "(m, context) => { console.log('called'); return new Promise((resolve) => { finish = (text) => { context.log(text); resolve(text); }; }); }")}`);
  host.call1('f', { string: 'x' }).catch(() => {});
  assert.equal(await host.terminate(), 0);
  assert.equal(host.stdout, 'called\nexit 0\n');
  assert.equal(host.stderr, '');
});

test('a throwing appStart hook fails init', async (t) => {
  const host = await TestHost.start();
  t.after(() => host.stop());
  const directory = writeApp({ 'index.js': "require('@azure/functions').app.hook.appStart(() => { throw new Error('cold feet'); });" });
  const { result } = await host.init(directory);
  assert.equal(result.exception.message, 'cold feet');
});

test('a disposed hook no longer runs', async (t) => {
  const host = await serve(t, `
    const hook = app.hook.preInvocation(() => { throw new Error('still there'); });
    hook.dispose();
    ${queue('f', "() => 'fine'")}`);
  assert.equal((await say(host, 'f', 'x')).return_value.string, 'fine');
});
