'use strict';

const fs = require('node:fs');
const http2 = require('node:http2');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { contract, launchArguments } = require('../testhost/host');
const { writeApp } = require('../testhost/app');
const { FrameReader } = require('../src/transport');

// Drives the worker with a hello function, 32 calls in flight, from a host that
// does next to nothing itself: requests are one prepared message with another id.
//   node bench/bench.js [calls per round]

const CALLS = Number(process.argv[2] ?? 30000);
const IN_FLIGHT = 32;
const ROUNDS = 3;
const ID_LENGTH = 36;
const { EventStream } = contract;

const APP = `
const { app } = require('@azure/functions');
app.http('get', { authLevel: 'anonymous', methods: ['GET'], handler: async (request) => ({ body: 'Hello ' + request.query.get('name') }) });
app.http('post', { authLevel: 'anonymous', methods: ['POST'], handler: async (request) => ({ jsonBody: { got: await request.json() } }) });
app.http('logged', { authLevel: 'anonymous', methods: ['GET'], handler: async (request, context) => { context.log('processed', request.url); return { body: 'Hello' }; } });
app.storageQueue('queue', { queueName: 'q', connection: 'C', handler: async (message, context) => context.triggerMetadata.dequeueCount });
`;

const HEADERS = Object.fromEntries(Object.entries({
  host: 'localhost:7071', accept: '*/*', 'user-agent': 'bench/1.0', 'accept-encoding': 'gzip', 'content-type': 'application/json',
  'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'localhost:7071',
}).map(([name, value]) => [name, { value }]));
const request = (method, body) => ({ data: { http: { method, url: 'http://localhost:7071/api/x?name=Go', nullable_headers: HEADERS,
  nullable_query: { name: { value: 'Go' } }, body: body && { bytes: Buffer.from(body) } } } });
const INPUTS = {
  get: request('GET'), post: request('POST', JSON.stringify({ name: 'Go', list: [1, 2, 3], nested: { a: 'b' } })),
  logged: request('GET'), queue: { data: { string: '{"job":7}' } },
};
const METADATA = { queue: { DequeueCount: { json: '1' }, Id: { string: 'abc' }, InsertionTime: { json: '"2026-01-01T00:00:00Z"' } } };

const VARIANTS = {
  'as shipped': ['../src/main.js'],
  'without the lean path': ['../testhost/library-path.js'],
  'on grpc-js': ['grpc-js-worker.js'],
  'on grpc-js, without the lean path': ['grpc-js-worker.js', 'library-path'],
};

function frame(content, requestId = 'x') {
  const message = EventStream.responseSerialize({ request_id: requestId, ...content });
  const framed = Buffer.alloc(message.length + 5);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

class BenchHost {
  constructor(directory) {
    this.directory = directory;
    this.onAnswer = undefined;
    this.waiting = new Map();
  }

  async start([entry, ...more]) {
    const server = http2.createServer({ maxSessionMemory: 1000 });
    const connected = new Promise((resolve) => { server.on('stream', resolve); });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const { port } = server.address();
    this.server = server;
    this.started = process.hrtime.bigint();
    const args = launchArguments({ port, workerId: 'w', requestId: 'r' });
    this.worker = spawn(process.execPath, [path.join(__dirname, entry), ...args, ...more], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.stream = await connected;
    this.stream.on('error', () => {});
    this.stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const frames = new FrameReader(2 ** 31, (message) => this.received(message));
    this.stream.on('data', (chunk) => frames.push(chunk));
    await this.ask({ worker_init_request: { host_version: '4', function_app_directory: this.directory } }, 'worker_init_response');
    const { function_metadata_results: functions } = await this.ask({ functions_metadata_request: {} }, 'function_metadata_response');
    for (const each of functions) await this.ask({ function_load_request: { function_id: each.name } }, 'function_load_response');
    this.functions = Object.fromEntries(functions.map((each) => [each.name, each]));
  }

  ask(content, answer) {
    return new Promise((resolve) => {
      this.waiting.set(answer, resolve);
      this.stream.write(frame(content));
    });
  }

  received(message) {
    if (this.onAnswer) {
      // request_id is "b" for calls; logs have none.
      if (message[0] === 10 && message[1] === 1 && message[2] === 98) this.onAnswer(message);
      return;
    }
    const decoded = EventStream.requestDeserialize(message);
    for (const [answer, resolve] of this.waiting) {
      if (!decoded[answer]) continue;
      this.waiting.delete(answer);
      resolve(decoded[answer]);
    }
  }

  template(name) {
    const { bindings } = this.functions[name];
    const trigger = Object.keys(bindings).find((each) => /trigger$/i.test(bindings[each].type));
    const id = 'I'.repeat(ID_LENGTH);
    const bytes = frame({ invocation_request: { invocation_id: id, function_id: name, input_data: [{ name: trigger, ...INPUTS[name] }],
      trigger_metadata: METADATA[name], trace_context: { trace_parent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } } }, 'b');
    return { bytes, at: bytes.indexOf(id) };
  }

  /** Runs calls, IN_FLIGHT at a time; resolves with elapsed ms and the worker's CPU ms. */
  async run(name, calls) {
    const { bytes, at } = this.template(name);
    const cpuBefore = cpuOf(this.worker.pid);
    const start = process.hrtime.bigint();
    let sent = 0;
    let pending = [];
    const flush = () => {
      const batch = pending;
      pending = [];
      this.stream.write(Buffer.concat(batch));
    };
    const send = () => {
      const next = Buffer.from(bytes);
      next.latin1Write(String(sent++).padStart(ID_LENGTH, '0'), at, ID_LENGTH);
      if (pending.push(next) === 1) setImmediate(flush);
    };
    const last = await new Promise((resolve) => {
      let answered = 0;
      this.onAnswer = (message) => {
        if (++answered === calls) resolve(message);
        else if (sent < calls) send();
      };
      for (let i = 0; i < IN_FLIGHT; i++) send();
    });
    this.onAnswer = undefined;
    mustHaveSucceeded(last);
    const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
    return { elapsed, cpu: cpuOf(this.worker.pid) - cpuBefore };
  }

  stop() {
    const exited = new Promise((resolve) => { this.worker.once('close', resolve); });
    this.worker.kill('SIGKILL');
    this.server.close();
    return exited;
  }
}

// A worker that fails fast would look like a quick one.
function mustHaveSucceeded(message) {
  const { invocation_response: response } = EventStream.requestDeserialize(message);
  const { http, int } = response.return_value ?? {};
  if (response.result.status !== 'Success' || !(http?.body.bytes.length > 4 || int === 1)) {
    throw new Error(`call failed: ${JSON.stringify(response)}`);
  }
}

// utime and stime, in hundredths of a second on every Linux.
function cpuOf(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memoryOf(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
}

async function measure(variant, entry, directory) {
  const host = new BenchHost(directory);
  await host.start(entry);
  const startCpu = cpuOf(host.worker.pid);
  for (const name of Object.keys(INPUTS)) {
    await host.run(name, Math.min(CALLS, 5000));
    let best;
    for (let round = 0; round < ROUNDS; round++) {
      const result = await host.run(name, CALLS);
      if (!best || result.cpu < best.cpu) best = result;
    }
    print(variant, name, best);
  }
  process.stdout.write(`${variant.padEnd(36)} start-up CPU ${startCpu} ms, memory ${memoryOf(host.worker.pid).toFixed(0)} MB\n`);
  await host.stop();
}

function print(variant, name, { elapsed, cpu }) {
  const rate = String(Math.round(CALLS / (elapsed / 1000))).padStart(6);
  process.stdout.write(`${variant.padEnd(36)} ${name.padEnd(7)} ${rate} req/s  ${(cpu / CALLS).toFixed(4)} CPU ms/request\n`);
}

async function main() {
  const directory = writeApp({ 'index.js': APP });
  for (const [variant, entry] of Object.entries(VARIANTS)) await measure(variant, entry, directory);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
