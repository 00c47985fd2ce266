'use strict';

const encode = require('./wire/encode');
const { decodeMessage } = require('./wire/decode');
const { AppState } = require('./app/state');
const { AppModules } = require('./app/modules');
const { loadApp, hasFunctionJson } = require('./app/load');
const { loadLegacyFunction } = require('./app/legacy');
const { AppTerminateHookContext, runHooks } = require('./hooks');
const { createCore } = require('./core');
const { Logger, consoleError } = require('./logger');
const { Invoker } = require('./invocation');
const { HttpProxyWatch } = require('./http-proxy');
const { toError, toWireError } = require('./errors');
const { legacyModel } = require('./v3/model');
const { version } = require('./version');

const CAPABILITIES = [
  'RawHttpBodyBytes', 'RpcHttpTriggerMetadataRemoved', 'RpcHttpBodyOnly', 'IgnoreEmptyValuedRpcHttpHeaders',
  'UseNullableValueDictionaryForHttp', 'WorkerStatus', 'TypedDataCollection', 'HandlesWorkerTerminateMessage',
];

const END_DEADLINE_MS = 1000;

// What the host may say but needs no answer.
const IGNORED = new Set([
  'startStream', 'workerHeartbeat', 'invocationCancel', 'fileChangeEventRequest',
  'closeSharedMemoryResourcesRequest', 'functionLoadRequestCollection',
]);

/** The language worker: answers the host's messages about the one app it serves. */
class Worker {
  #invoker;
  #exit;

  constructor({ plans, exit }) {
    this.#exit = exit;
    this.hostVersion = undefined;
    this.lastModel = undefined;
    this.transport = undefined;
    this.logger = new Logger(this);
    this.httpProxy = new HttpProxyWatch();
    // Request classes by the copy of the library they pass for.
    this.requestMakers = new WeakMap();
    this.app = new AppState(legacyModel, undefined);
    this.modules = new AppModules(createCore(this));
    this.#invoker = new Invoker(this, { plans });
  }

  /** Prepares the process for apps and opens the stream to the host. */
  start(connect, launch) {
    this.modules.install();
    this.transport = connect({
      host: launch.host,
      port: launch.port,
      maxMessageLength: launch.maxMessageLength,
      onMessage: (buffer) => this.#receive(buffer),
      onClose: (error) => this.#closed(error),
    });
    this.transport.write(encode.startStream(launch.requestId, { workerId: launch.workerId }));
  }

  #closed(error) {
    if (error) consoleError(`Worker lost its stream to the host: ${error.stack ?? error}`);
    this.#exit(error ? 1 : 0);
  }

  #receive(buffer) {
    const { requestId, kind, content } = decodeMessage(buffer);
    switch (kind) {
      case 'invocationRequest': this.#invoker.invoke(requestId, content); return;
      case 'workerInitRequest': this.#initialize(requestId, content); return;
      case 'functionsMetadataRequest': this.#describe(requestId); return;
      case 'functionLoadRequest': this.#load(requestId, content); return;
      case 'functionEnvironmentReloadRequest': this.#reload(requestId, content); return;
      case 'workerStatusRequest': this.transport.write(encode.workerStatusResponse(requestId)); return;
      case 'workerTerminate': this.#terminate(); return;
      default:
        if (!IGNORED.has(kind)) this.logger.system('error', `Worker had no handler for message "${kind}"`);
    }
  }

  async #initialize(requestId, request) {
    await this.#answer(encode.workerInitResponse, requestId, async () => {
      this.hostVersion = request.hostVersion;
      if (request.functionAppDirectory) await loadApp(this, request.functionAppDirectory);
      return { capabilities: await this.#capabilities(), workerMetadata: this.#metadata() };
    });
  }

  async #reload(requestId, request) {
    await this.#answer(encode.environmentReloadResponse, requestId, async () => {
      this.app = new AppState(legacyModel, this.lastModel);
      this.modules.forgetOwnLibrary();
      replaceEnvironment(request.environmentVariables);
      if (request.functionAppDirectory) {
        process.chdir(request.functionAppDirectory);
        await loadApp(this, request.functionAppDirectory);
      }
      return { capabilities: await this.#capabilities(), workerMetadata: this.#metadata() };
    });
  }

  async #capabilities() {
    const { app } = this;
    const own = Object.fromEntries(CAPABILITIES.map((name) => [name, 'true']));
    if (typeof app.model.getCapabilities !== 'function') return own;
    const capabilities = await this.httpProxy.during(() => app.model.getCapabilities(own));
    app.httpProxied = Boolean(capabilities.HttpUri);
    return capabilities;
  }

  #metadata() {
    const { model } = this.app;
    return {
      runtimeName: 'node',
      runtimeVersion: process.versions.node,
      workerVersion: version,
      workerBitness: process.arch === 'ia32' ? 'x86' : process.arch,
      customProperties: { modelName: model.name, modelVersion: model.version },
    };
  }

  async #describe(requestId) {
    await this.#answer(encode.functionMetadataResponse, requestId, async () => {
      const { app } = this;
      app.indexingLocked = true;
      if (app.blockingError && (app.workerIndexed || !await hasFunctionJson(app.directory))) throw app.blockingError;
      if (!app.workerIndexed) return { useDefaultMetadataIndexing: true };
      return { functions: [...app.functions.values()].map((each) => each.rpcMetadata) };
    });
  }

  async #load(requestId, { functionId, metadata }) {
    await this.#answer(encode.functionLoadResponse, requestId, async () => {
      const { app } = this;
      app.indexingLocked = true;
      if (app.blockingError) throw app.blockingError;
      if (!app.functions.has(functionId)) await loadLegacyFunction(this, functionId, metadata);
      return { functionId };
    }, { functionId });
  }

  // Every request gets its answer, with the failure if there was one.
  async #answer(encodeAnswer, requestId, work, onFailure) {
    let answer;
    try {
      answer = await work();
    } catch (thrown) {
      const error = toError(thrown);
      if (error.isAzureFunctionsSystemError) this.logger.system('error', error.message);
      answer = { ...onFailure, error: toWireError(error) };
    }
    this.transport.write(encodeAnswer(requestId, answer));
  }

  // Running calls are not waited for: the host drains before it says terminate.
  async #terminate() {
    const { app } = this;
    try {
      await runHooks(app.hooks.appTerminate, new AppTerminateHookContext(app));
    } catch (thrown) {
      this.logger.system('error', `appTerminate hook failed: ${toError(thrown).message}`);
    }
    setTimeout(() => this.#exit(0), END_DEADLINE_MS).unref();
    this.transport.end(() => this.#exit(0));
  }
}

function replaceEnvironment(variables) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, variables);
}

module.exports = { Worker };
