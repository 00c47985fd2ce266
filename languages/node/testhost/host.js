'use strict';

const { spawn } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { once } = require('node:events');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const { loadSync } = require('@grpc/proto-loader');

// A functions host for tests: a real gRPC server, with a general protobuf
// library, that starts the real worker process and speaks with it.

const PROTO = path.join(__dirname, 'FunctionRpc.proto');
const WORKER = path.join(__dirname, '..', 'src', 'main.js');
const DEADLINE_MS = 20000;
const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const definition = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: false, oneofs: false });
const contract = definition['AzureFunctionsRpcMessages.FunctionRpc'];

class TestHost {
  messages = [];
  waiters = new Set();
  stdout = '';
  stderr = '';

  /** Starts server and worker; resolves after StartStream. */
  static async start({ cwd = process.cwd(), env = {}, entry = WORKER, nodeArguments = [], launch } = {}) {
    const host = new TestHost();
    await host.#listen();
    host.workerId = randomUUID();
    host.requestId = randomUUID();
    const args = (launch ?? launchArguments)(host);
    host.process = spawn(process.execPath, [...nodeArguments, entry, ...args], {
      cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    host.process.stdout.on('data', (chunk) => { host.stdout += chunk; });
    host.process.stderr.on('data', (chunk) => { host.stderr += chunk; });
    host.exited = once(host.process, 'close').then(([code, signal]) => {
      for (const waiter of host.waiters) waiter.reject(new Error(`worker exited with ${code ?? signal}: ${host.stderr}`));
      return code;
    });
    await host.next('start_stream');
    return host;
  }

  async #listen() {
    this.server = new grpc.Server(UNLIMITED);
    this.server.addService(contract, {
      EventStream: (call) => {
        this.call = call;
        call.on('data', (message) => this.#received(message));
        call.on('end', () => call.end());
        call.on('error', () => {});
      },
    });
    this.port = await new Promise((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(),
        (error, port) => (error ? reject(error) : resolve(port)));
    });
  }

  #received(message) {
    this.messages.push(message);
    for (const waiter of this.waiters) {
      if (waiter.matches(message)) waiter.resolve(message);
    }
  }

  /** The first message of a kind that matches, now or later. */
  next(kind, matches = () => true) {
    return this.when((message) => message[kind] !== undefined && matches(message[kind], message));
  }

  when(matches) {
    const early = this.messages.find(matches);
    if (early) return Promise.resolve(early);
    return new Promise((resolve, reject) => {
      const waiter = { matches };
      const timer = setTimeout(() => finish(reject, new Error(`no such message in time; stderr: ${this.stderr}`)), DEADLINE_MS);
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
        settle(value);
      };
      waiter.resolve = (message) => finish(resolve, message);
      waiter.reject = (error) => finish(reject, error);
      this.waiters.add(waiter);
    });
  }

  send(content, requestId = randomUUID()) {
    this.call.write({ request_id: requestId, ...content });
    return requestId;
  }

  async #request(content, answer) {
    const requestId = this.send(content);
    const message = await this.next(answer, (_, { request_id: id }) => id === requestId);
    return message[answer];
  }

  init(directory, { hostVersion = '4.1037.0' } = {}) {
    return this.#request({ worker_init_request: {
      host_version: hostVersion, capabilities: { MultiStream: '10' }, function_app_directory: directory,
    } }, 'worker_init_response');
  }

  metadata(directory = '') {
    return this.#request({ functions_metadata_request: { function_app_directory: directory } }, 'function_metadata_response');
  }

  load(functionId, metadata) {
    return this.#request({ function_load_request: { function_id: functionId, metadata } }, 'function_load_response');
  }

  reload(directory, variables) {
    return this.#request({ function_environment_reload_request: {
      environment_variables: variables, function_app_directory: directory,
    } }, 'function_environment_reload_response');
  }

  status() {
    return this.#request({ worker_status_request: {} }, 'worker_status_response');
  }

  /** Initialises an app and loads all its functions; resolves with them by name. */
  async serve(directory) {
    this.initialized = await this.init(directory);
    const { function_metadata_results: found = [] } = await this.metadata(directory);
    for (const each of found) await this.load(each.function_id, each);
    this.functions = Object.fromEntries(found.map((each) => [each.name, each]));
    return this.functions;
  }

  /** Calls an indexed function with its trigger's data. */
  call1(name, data, more = {}) {
    const { function_id: id, bindings } = this.functions[name];
    const trigger = Object.keys(bindings).find((each) => /trigger$/i.test(bindings[each].type));
    return this.invoke(id, [{ name: trigger, data }, ...(more.inputs ?? [])], more);
  }

  get(name, http = {}, more = {}) {
    return this.call1(name, { http: { method: 'GET', url: `http://localhost/api/${name}`, ...http } }, more);
  }

  async invoke(functionId, inputData, { metadata, retry, trace, invocationId = randomUUID() } = {}) {
    this.send({ invocation_request: {
      invocation_id: invocationId, function_id: functionId, input_data: inputData, trigger_metadata: metadata,
      trace_context: trace ?? { trace_parent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }, retry_context: retry,
    } });
    const message = await this.next('invocation_response', (response) => response.invocation_id === invocationId);
    return message.invocation_response;
  }

  logs(matches = () => true) {
    return this.messages.filter((message) => message.rpc_log && matches(message.rpc_log)).map((message) => message.rpc_log);
  }

  async terminate() {
    this.send({ worker_terminate: { grace_period: { seconds: 5 } } });
    return this.exited;
  }

  async stop() {
    if (this.process.exitCode === null) this.process.kill('SIGKILL');
    await this.exited;
    this.server.forceShutdown();
  }
}

function launchArguments({ port, workerId, requestId }) {
  return [
    '--host', '127.0.0.1', '--port', String(port), '--workerId', workerId, '--requestId', requestId,
    '--grpcMaxMessageLength', '2147483647', '--functions-uri', `http://127.0.0.1:${port}/`,
    '--functions-worker-id', workerId, '--functions-request-id', requestId,
    '--functions-grpc-max-message-length', '2147483647',
  ];
}

module.exports = { TestHost, contract, PROTO, launchArguments };
