'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { contract } = require('../testhost/host');
const encode = require('../src/wire/encode');
const { decodeMessage } = require('../src/wire/decode');
const { WireError } = require('../src/wire/reader');
const { FrameReader } = require('../src/transport');

// The other side of every check is a general protobuf library.
const asHost = (content, requestId = 'r') => contract.EventStream.responseSerialize({ request_id: requestId, ...content });
const asSeenByHost = (frame) => contract.EventStream.requestDeserialize(frame.subarray(5));

const http = {
  method: 'POST', url: 'http://h/ü?a=1', body: { bytes: Buffer.from([0, 1, 255]) },
  headers: { plain: 'lost' }, nullable_headers: { 'x-a': { value: 'é' }, 'x-empty': { value: '' }, 'x-null': {} },
  params: { id: '1' }, query: { q: 'plain' },
};

test('an invocation request is decoded', () => {
  const { requestId, kind, content } = decodeMessage(asHost({ invocation_request: {
    invocation_id: 'i'.repeat(36), function_id: 'f', trace_context: { trace_parent: 'tp', attributes: { k: 'v' } },
    retry_context: { retry_count: -1, max_retry_count: 2147483647, exception: { message: 'm', source: 's', stack_trace: 't' } },
    input_data: [{ name: 'req', data: { http } }, { name: 'empty', data: {} }, { name: 'none' }],
    trigger_metadata: { Id: { string: 'ü'.repeat(100) }, __proto__: undefined, Empty: {}, ['__proto__']: { json: '1' } },
  } }));
  assert.deepEqual([requestId, kind], ['r', 'invocationRequest']);
  assert.deepEqual([content.invocationId, content.functionId], ['i'.repeat(36), 'f']);
  assert.deepEqual(content.inputData[0].data.http, {
    method: 'POST', url: 'http://h/ü?a=1', body: { bytes: Buffer.from([0, 1, 255]) },
    headers: { 'x-a': 'é', 'x-empty': '', 'x-null': '' }, params: { id: '1' }, query: { q: 'plain' },
  });
  assert.deepEqual(content.inputData.slice(1), [{ name: 'empty', data: {} }, { name: 'none', data: undefined }]);
  assert.deepEqual(content.traceContext, { traceParent: 'tp', traceState: '', attributes: { k: 'v' } });
  assert.deepEqual(content.retryContext, { retryCount: -1, maxRetryCount: 2147483647, exception: { message: 'm', source: 's', stackTrace: 't' } });
  assert.equal(content.triggerMetadata.Id.string, 'ü'.repeat(100));
  assert.deepEqual(content.triggerMetadata.Empty, {});
  assert.equal(Object.getPrototypeOf(content.triggerMetadata), Object.prototype);
});

test('typed data has exactly one member', () => {
  const cases = [
    [{ string: '' }, { string: '' }], [{ json: '{}' }, { json: '{}' }], [{ bytes: Buffer.alloc(0) }, { bytes: Buffer.alloc(0) }],
    [{ stream: Buffer.from('s') }, { stream: Buffer.from('s') }], [{ int: 0 }, { int: 0 }], [{ int: -(2 ** 53) + 1 }, { int: -(2 ** 53) + 1 }],
    [{ double: 0 }, { double: 0 }], [{ double: -1e300 }, { double: -1e300 }],
    [{ collection_string: { string: ['', 'a'] } }, { collectionString: { string: ['', 'a'] } }],
    [{ collection_bytes: { bytes: [Buffer.from('a')] } }, { collectionBytes: { bytes: [Buffer.from('a')] } }],
    [{ collection_double: { double: [0, 1.5] } }, { collectionDouble: { double: [0, 1.5] } }],
    [{ collection_sint64: { sint64: [0, -1, 2 ** 50] } }, { collectionSint64: { sint64: [0, -1, 2 ** 50] } }],
    [{ model_binding_data: { version: '1', source: 's', content_type: 'c', content: Buffer.from('x') } },
      { modelBindingData: { version: '1', source: 's', contentType: 'c', content: Buffer.from('x') } }],
    [{ collection_model_binding_data: { model_binding_data: [{ source: 's' }] } },
      { collectionModelBindingData: { modelBindingData: [{ version: '', source: 's', contentType: '', content: Buffer.alloc(0) }] } }],
  ];
  for (const [sent, want] of cases) {
    const { content } = decodeMessage(asHost({ invocation_request: { input_data: [{ name: 'n', data: sent }] } }));
    assert.deepEqual(content.inputData[0].data, want);
  }
});

test('integers beyond 2^53 keep their magnitude', () => {
  // sint64 -2^63 and 2^63-1 in zigzag, in a TypedData of an input.
  const input = (varint) => Buffer.from([10, 0, 34, varint.length + 5, 26, varint.length + 3, 18, varint.length + 1, 48, ...varint]);
  const value = (varint) => decodeMessage(input(varint)).content.inputData[0].data.int;
  assert.equal(value([255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), -(2 ** 63));
  assert.equal(value([254, 255, 255, 255, 255, 255, 255, 255, 255, 1]), 2 ** 63 - 1);
});

test('every kind of host message is told apart', () => {
  const kinds = {
    worker_init_request: { host_version: 'v', capabilities: { a: 'b' }, log_categories: { x: 3 }, function_app_directory: '/d' },
    functions_metadata_request: { function_app_directory: '/d' },
    function_load_request: { function_id: 'f', metadata: { name: 'n', script_file: 's', entry_point: 'e', is_proxy: true,
      bindings: { b: { type: 't', direction: 'inout', data_type: 'binary', properties: { p: 'q' } } }, properties: { p: 'q' } } },
    function_environment_reload_request: { environment_variables: { A: '', B: '2' }, function_app_directory: '/d' },
    worker_terminate: { grace_period: { seconds: 5 } }, worker_status_request: {}, invocation_cancel: { invocation_id: 'i' },
  };
  const decoded = Object.entries(kinds).map(([kind, content]) => decodeMessage(asHost({ [kind]: content })));
  assert.deepEqual(decoded.map(({ kind }) => kind), ['workerInitRequest', 'functionsMetadataRequest', 'functionLoadRequest',
    'functionEnvironmentReloadRequest', 'workerTerminate', 'workerStatusRequest', 'invocationCancel']);
  assert.deepEqual(decoded[0].content, { hostVersion: 'v', capabilities: { a: 'b' }, workerDirectory: '', functionAppDirectory: '/d' });
  assert.deepEqual(decoded[2].content.metadata, { name: 'n', directory: '', scriptFile: 's', entryPoint: 'e', isProxy: true,
    bindings: { b: { type: 't', direction: 'inout', dataType: 'binary', properties: { p: 'q' } } }, properties: { p: 'q' } });
  assert.deepEqual(decoded[3].content.environmentVariables, { A: '', B: '2' });
});

test('answers are read by a general library as they were meant', () => {
  const long = 'ü€😀'.repeat(40000);
  const response = asSeenByHost(encode.invocationResponse('req', {
    invocationId: 'id',
    outputData: [{ name: 'a', data: { string: long } }, { name: 'b', data: { int: -(2 ** 53) } }, { name: 'c', data: { double: 0.5 } },
      { name: 'd', data: { collectionString: { string: ['x', 'y'] } } }, { name: 'e', data: { collectionSint64: { sint64: [1, -2] } } },
      { name: 'f', data: { collectionDouble: { double: [1.5] } } }, { name: 'g', data: { collectionBytes: { bytes: [Buffer.from('b')] } } },
      { name: 'h', data: { int: 1e20 } }, { name: 'lone', data: { string: 'a\ud800b' } }],
    returnValue: { http: { statusCode: '200', headers: { a: 'b' }, enableContentNegotiation: true, body: { utf8: long } } },
  }));
  const [a, b, c, d, e, f, g, h, lone] = response.invocation_response.output_data.map(({ data }) => data);
  assert.equal(a.string, long);
  assert.deepEqual([b.int, c.double, d.collection_string.string, e.collection_sint64.sint64, f.collection_double.double],
    [-(2 ** 53), 0.5, ['x', 'y'], [1, -2], [1.5]]);
  assert.equal(g.collection_bytes.bytes[0].toString(), 'b');
  assert.deepEqual([h.double, lone.string], [1e20, 'a\ufffdb']);
  const { http: seen } = response.invocation_response.return_value;
  assert.deepEqual([seen.status_code, seen.headers, seen.enable_content_negotiation, seen.body.bytes.toString()], ['200', { a: 'b' }, true, long]);
  assert.deepEqual([response.request_id, response.invocation_response.result], ['req', { status: 'Success' }]);
});

test('a failed encoding leaves nothing behind', () => {
  assert.throws(() => encode.invocationResponse('r', { invocationId: 'i', returnValue: { bytes: Symbol('x') }, outputData: [null] }));
  const log = asSeenByHost(encode.rpcLog({ level: 'error', message: 'fine', logCategory: 'system' }));
  assert.deepEqual(log, { rpc_log: { level: 'Error', message: 'fine', log_category: 'System' } });
});

test('later messages do not overwrite earlier ones', () => {
  const frames = Array.from({ length: 3000 }, (_, i) => encode.rpcLog({ level: 'trace', message: `message ${i} ${'x'.repeat(i % 300)}`, logCategory: 'user' }));
  frames.forEach((frame, i) => assert.equal(asSeenByHost(frame).rpc_log.message, `message ${i} ${'x'.repeat(i % 300)}`));
});

// A small generator with a printed seed, so that a failure can be run again.
function random(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function readEverything({ content }) {
  return JSON.stringify([content, content?.triggerMetadata]);
}

function mustDecodeOrRefuse(buffer, note) {
  try {
    readEverything(decodeMessage(buffer));
  } catch (error) {
    assert.ok(error instanceof WireError, `${note}: ${error.stack}`);
  }
}

const SAMPLES = [
  asHost({ invocation_request: { invocation_id: 'i', function_id: 'f', input_data: [{ name: 'r', data: { http } }, { name: 'x', data: { collection_sint64: { sint64: [1, 2, 2 ** 50] } } },
    { name: 'd', data: { collection_double: { double: [1, 2] } } }], trigger_metadata: { a: { int: 5 }, b: { double: 2 }, c: { string: 'ü' } }, retry_context: { retry_count: 1 } } }),
  asHost({ function_load_request: { function_id: 'f', metadata: { name: 'n', bindings: { b: { type: 't', properties: { p: 'q' } } } } } }),
  asHost({ worker_init_request: { host_version: 'v', capabilities: { a: 'b' } } }),
];

test('every truncation of a message is decoded or refused', () => {
  for (const sample of SAMPLES) {
    for (let length = 0; length <= sample.length; length++) mustDecodeOrRefuse(sample.subarray(0, length), `first ${length} bytes`);
    assert.throws(() => readEverything(decodeMessage(sample.subarray(0, sample.length - 1))), WireError);
  }
});

test('changed and random frames are decoded or refused', () => {
  const seed = Date.now() & 0xffffffff;
  const next = random(seed);
  for (let round = 0; round < 30000; round++) {
    const buffer = round % 3 === 0 ? Buffer.from(Array.from({ length: next(64) }, () => next(256))) : Buffer.from(SAMPLES[next(SAMPLES.length)]);
    for (let changes = next(4); changes > 0 && buffer.length > 0; changes--) buffer[next(buffer.length)] = next(256);
    mustDecodeOrRefuse(buffer, `seed ${seed} round ${round} ${buffer.toString('hex')}`);
  }
});

test('deep nesting is refused', () => {
  let data = Buffer.from([10, 0]);
  const wrap = (tag, inner) => {
    const size = [];
    let { length } = inner;
    for (; length >= 128; length = Math.floor(length / 128)) size.push((length % 128) | 128);
    return Buffer.concat([Buffer.from([tag, ...size, length]), inner]);
  };
  for (let i = 0; i < 5000; i++) data = wrap(42, wrap(34, data));
  assert.throws(() => decodeMessage(wrap(34, wrap(26, wrap(18, data)))), WireError);
});

test('frames are cut however the network cuts them', () => {
  const messages = ['', 'a', 'bc', 'x'.repeat(70000), 'end'].map((text) => Buffer.from(text));
  const wire = Buffer.concat(messages.flatMap((message) => {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(message.length, 1);
    return [header, message];
  }));
  for (const size of [1, 2, 3, 7, 1000, 16384, wire.length]) {
    const seen = [];
    const frames = new FrameReader(1e6, (message) => seen.push(Buffer.from(message)));
    for (let at = 0; at < wire.length; at += size) frames.push(wire.subarray(at, at + size));
    assert.deepEqual(seen, messages, `chunks of ${size}`);
  }
  assert.throws(() => new FrameReader(10, () => {}).push(Buffer.from([0, 0, 0, 0, 11])), /message of 11 bytes, the limit is 10/);
  assert.throws(() => new FrameReader(10, () => {}).push(Buffer.from([1, 0, 0, 0, 1, 0])), /compressed/);
});
