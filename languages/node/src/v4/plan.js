'use strict';

const { format } = require('node:util');
const { systemError } = require('../errors');
const { fromTypedData, toTypedData, toCamelCase, camelCaseKey } = require('./values');
const { requestMaker } = require('./http-request');
const { toRpcHttp } = require('./http-response');

const RETURN = '$return';
const MODEL_NAME = '@azure/functions';
const UNAWAITED = "Warning: Unexpected call to 'log' on the context object after function execution has completed. "
  + 'Please check for asynchronous calls that are not awaited. ';

const isTrigger = (type) => /trigger$/i.test(type ?? '');
const isType = (type, name) => type?.toLowerCase() === name;

/**
 * The lean way to run a function of @azure/functions 4.x: what can be known
 * beforehand is worked out once, and calls use the public classes of the app's
 * own copy of the library without its per-call machinery. null means that the
 * library has to run the function itself.
 */
function planFor(worker, appFunction) {
  const { model, httpProxied } = worker.app;
  const { bindings } = appFunction.metadata;
  if (model.name !== MODEL_NAME || !/^4\./.test(model.version) || !appFunction.rpcMetadata) return null;
  const types = Object.values(bindings).map((binding) => binding.type);
  const isPlain = types.some(isTrigger) && !types.some((type) => /^mcp/i.test(type ?? ''));
  const isProxied = httpProxied && types.some((type) => isType(type, 'httptrigger') || isType(type, 'http'));
  const library = worker.modules.libraryOf(model);
  if (!library || !isPlain || isProxied) return null;
  return new FunctionPlan(library, appFunction.metadata, makersOf(worker, library));
}

function makersOf(worker, library) {
  const { requestMakers } = worker;
  if (!requestMakers.has(library)) requestMakers.set(library, requestMaker(library));
  return requestMakers.get(library);
}

class FunctionPlan {
  constructor(library, metadata, makeRequest) {
    this.library = library;
    this.name = metadata.name;
    this.bindings = metadata.bindings;
    this.makeRequest = makeRequest;
    this.options = effectiveOptions(metadata.bindings);
    this.isHttp = isType(this.options.trigger.type, 'httptrigger');
    this.isTimer = isType(this.options.trigger.type, 'timertrigger');
    const outputs = Object.entries(metadata.bindings).filter(([, binding]) => binding.direction === 'out');
    this.outputs = outputs.filter(([name]) => name !== RETURN).map(([name, { type }]) => [name, isType(type, 'http')]);
    const returned = outputs.find(([name]) => name === RETURN);
    this.returnsHttp = isType(returned?.[1].type, 'http');
    // Durable Functions reads results of functions that have no $return binding.
    this.returns = returned !== undefined || !this.isHttp;
  }

  /** False for inputs that only the library itself can turn into clients. */
  accepts(request) {
    return request.inputData.every(({ data }) => !data?.modelBindingData && !data?.collectionModelBindingData);
  }

  /** Makes context and inputs of a call. */
  prepare(invocation) {
    const { request } = invocation;
    const context = new this.library.InvocationContext({
      invocationId: invocation.invocationId,
      functionName: this.name,
      logHandler: (level, ...args) => this.log(invocation, level, args),
      retryContext: retryContext(request.retryContext),
      traceContext: request.traceContext,
      triggerMetadata: this.triggerMetadata(request),
      options: copyOptions(this.options),
    });
    invocation.userContext = context;
    invocation.inputs = [];
    for (const { name, data } of request.inputData) this.addInput(invocation, name, data);
  }

  addInput(invocation, name, data) {
    if (!Object.hasOwn(this.bindings, name)) {
      throw systemError(`Failed to find binding "${name}" in bindings "${Object.keys(this.bindings).join(', ')}".`);
    }
    const { type } = this.bindings[name];
    const value = fromTypedData(data, this.makeRequest);
    const input = isType(type, 'timertrigger') ? toCamelCase(value) : value;
    if (isTrigger(type)) invocation.inputs.push(input);
    else invocation.userContext.extraInputs.set(name, input);
  }

  // HTTP and timer functions find all of it in their request and timer objects.
  triggerMetadata(request) {
    if (this.isHttp || this.isTimer) return undefined;
    const metadata = {};
    for (const [key, value] of Object.entries(request.triggerMetadata)) {
      metadata[camelCaseKey(key)] = toCamelCase(fromTypedData(value, this.makeRequest));
    }
    return metadata;
  }

  log(invocation, level, args) {
    if (invocation.isDone && invocation.state !== 'postInvocationHooks') {
      invocation.log('warning', 'system',
        `${UNAWAITED}Function name: ${this.name}. Invocation Id: ${invocation.invocationId}.`);
    }
    const message = args.length === 1 && typeof args[0] === 'string' ? args[0] : format(...args);
    invocation.log(level, 'user', message);
  }

  /** The outputs of a finished call; a promise only if an HTTP body has to be collected. */
  respond(context, result) {
    const response = { outputData: undefined, returnValue: undefined };
    const pending = [];
    for (const [name, isHttp] of this.outputs) {
      this.convert(context.extraOutputs.get(name), isHttp, pending, (data) => {
        if (data) (response.outputData ??= []).push({ name, data });
      });
    }
    if (this.returns) {
      this.convert(result, this.returnsHttp, pending, (data) => {
        response.returnValue = data;
      });
    }
    return pending.length > 0 ? Promise.all(pending).then(() => response) : response;
  }

  convert(value, isHttp, pending, use) {
    const data = isHttp ? toRpcHttp(this.library, value) : toTypedData(value);
    if (typeof data?.then === 'function') pending.push(data.then(use));
    else use(data);
  }

  /** The same steps in the shape of a programming model, for calls with hooks. */
  model(invocation) {
    return {
      getArguments: () => {
        this.prepare(invocation);
        return { context: invocation.userContext, inputs: invocation.inputs };
      },
      invokeFunction: async (context, inputs, callback) => {
        try {
          return await callback(...inputs, context);
        } finally {
          invocation.isDone = true;
        }
      },
      getResponse: (context, result) => this.respond(context, result),
    };
  }
}

function effectiveOptions(bindings) {
  const options = { trigger: undefined, return: undefined, extraInputs: [], extraOutputs: [] };
  for (const [name, binding] of Object.entries(bindings)) {
    const shown = { ...binding, name };
    if (isTrigger(binding.type)) options.trigger = shown;
    else if (name === RETURN) options.return = shown;
    else if (binding.direction === 'in') options.extraInputs.push(shown);
    else if (binding.direction === 'out') options.extraOutputs.push(shown);
  }
  return options;
}

// A function may change its options; that must not reach the next call.
function copyOptions(options) {
  return {
    trigger: { ...options.trigger },
    return: options.return && { ...options.return },
    extraInputs: options.extraInputs.map((input) => ({ ...input })),
    extraOutputs: options.extraOutputs.map((output) => ({ ...output })),
  };
}

function retryContext(context) {
  if (!context) return undefined;
  const { retryCount, maxRetryCount, exception } = context;
  return exception ? { retryCount, maxRetryCount, exception } : { retryCount, maxRetryCount };
}

module.exports = { planFor };
