'use strict';

const { format } = require('node:util');
const { fromTypedData, toTypedData, toCamelCase, camelCaseKey } = require('../v4/values');
const { LegacyRequest, LegacyResponse, toRpcHttp } = require('./http');

const RETURN = '$return';
const isTrigger = (type) => /trigger$/i.test(type);
const isOutput = ({ direction }) => direction === 'out' || direction === 'inout';
const sameType = (binding, type) => binding?.type.toLowerCase() === type;

/**
 * The programming model of function.json apps, and the default one. It says the
 * version of @azure/functions whose behaviour it follows.
 */
const legacyModel = {
  name: '@azure/functions',
  version: '3.5.1',
  getInvocationModel: (coreContext) => new LegacyInvocation(coreContext),
};

class LegacyInvocation {
  #core;
  #bindings;
  #trigger;
  #completion = new Completion();

  constructor(coreContext) {
    this.#core = coreContext;
    this.#bindings = coreContext.metadata.bindings;
    this.#trigger = Object.values(this.#bindings).find((binding) => isTrigger(binding.type));
  }

  getArguments() {
    const inputs = [];
    const context = this.#context();
    for (const { name, data } of this.#core.request.inputData) {
      if (!data) continue;
      const value = this.#input(this.#bindings[name], data);
      inputs.push(value);
      context.bindings[name] = value;
      if (value instanceof LegacyRequest) this.#addHttp(context, value);
    }
    return { context, inputs };
  }

  #input(binding, data) {
    const value = fromTypedData(data, (http) => new LegacyRequest(http));
    return sameType(binding, 'timertrigger') ? toCamelCase(value) : value;
  }

  #addHttp(context, request) {
    context.req = request;
    context.res = new LegacyResponse(() => context.done());
    context.bindingData.sys ??= { methodName: this.#core.metadata.name, utcNow: new Date().toISOString() };
    context.bindingData.query ??= request.query;
    context.bindingData.headers ??= request.headers;
  }

  #context() {
    const { request, metadata, invocationId } = this.#core;
    return {
      invocationId,
      executionContext: {
        invocationId,
        functionName: metadata.name,
        functionDirectory: metadata.directory,
        retryContext: request.retryContext ?? null,
      },
      bindings: {},
      bindingData: this.#bindingData(),
      bindingDefinitions: Object.entries(this.#bindings).map(([name, { type, direction }]) => ({ name, type, direction })),
      traceContext: legacyTraceContext(request.traceContext),
      log: this.#log(),
      suppressAsyncDoneError: false,
      done: (error, result) => this.#done(error, result),
    };
  }

  #bindingData() {
    const data = { invocationId: this.#core.invocationId };
    for (const [key, value] of Object.entries(this.#core.request.triggerMetadata)) {
      data[camelCaseKey(key)] = toCamelCase(fromTypedData(value, (http) => new LegacyRequest(http)));
    }
    return data;
  }

  #log() {
    const at = (level) => (...args) => this.#userLog(level, args);
    return Object.assign(at('information'), {
      error: at('error'), warn: at('warning'), info: at('information'), verbose: at('trace'),
    });
  }

  #userLog(level, args) {
    if (this.#completion.isOver && this.#core.state !== 'postInvocationHooks') {
      this.#core.log('warning', 'system', "Warning: Unexpected call to 'log' on the context object after function "
        + `execution has completed. Please check for asynchronous calls that are not awaited or calls to 'done' made `
        + `before function execution completes. Function name: ${this.#core.metadata.name}. Invocation Id: ${this.#core.invocationId}.`);
    }
    this.#core.log(level, 'user', format(...args));
  }

  // A second end of a call is a mistake worth a log line, no failure.
  #done(error, result) {
    if (this.#completion.isOver || this.#completion.isPromise) {
      const reason = this.#completion.isPromise && !this.#completion.isDone
        ? "Choose either to return a promise or call 'done'. Do not use both in your script."
        : "'done' has already been called. Please check your script for extraneous calls to 'done'.";
      if (!this.#completion.suppressed()) this.#core.log('error', 'system', `Error: ${reason}`);
    }
    this.#completion.finish(error, result);
  }

  async invokeFunction(context, inputs, callback) {
    this.#completion.suppressed = () => context.suppressAsyncDoneError;
    const returned = callback(context, ...inputs);
    if (typeof returned?.then !== 'function') return this.#completion.promise;
    if (this.#completion.isDone && !context.suppressAsyncDoneError) {
      this.#core.log('error', 'system', "Error: Choose either to return a promise or call 'done'. Do not use both in your script.");
    }
    this.#completion.isPromise = true;
    returned.then((value) => this.#completion.settle(undefined, value), (error) => this.#completion.reject(error));
    return this.#completion.promise;
  }

  getResponse(context, result) {
    const outputs = Object.entries(this.#bindings).filter(([, binding]) => isOutput(binding));
    const response = { outputData: [], returnValue: undefined };
    const returned = outputs.find(([name]) => name === RETURN);
    if (returned) response.returnValue = this.#returnValue(returned[1], context, result);
    let used = returned !== undefined;
    for (const [name, binding] of outputs) {
      if (name === RETURN) continue;
      const given = !returned && isObject(result) ? result[name] : undefined;
      if (given !== undefined) used = true;
      const data = toOutput(binding, given ?? context.bindings[name] ?? (sameType(binding, 'http') ? context.res : undefined));
      if (data) response.outputData.push({ name, data });
    }
    if (!used && !sameType(this.#trigger, 'httptrigger')) response.returnValue = toTypedData(result);
    return response;
  }

  #returnValue(binding, context, result) {
    const isGiven = sameType(this.#trigger, 'activitytrigger') ? result !== undefined && result !== null : Boolean(result);
    if (isGiven) return toOutput(binding, result);
    const stored = context.bindings[RETURN] ?? (sameType(binding, 'http') ? context.res : undefined);
    return toOutput(binding, stored);
  }
}

/** The one end of a call: by done() or by the returned promise, whichever is first. */
class Completion {
  isOver = false;
  isDone = false;
  isPromise = false;
  suppressed = () => false;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolvePromise = resolve;
      this.rejectPromise = reject;
    });
    // done(error) may come before anyone waits; the waiter still sees it.
    this.promise.catch(() => {});
  }

  finish(error, result) {
    this.isDone = true;
    this.settle(error, result);
  }

  settle(error, result) {
    if (error !== undefined && error !== null) this.reject(error);
    else {
      this.isOver = true;
      this.resolvePromise(result);
    }
  }

  reject(error) {
    this.isOver = true;
    this.rejectPromise(error);
  }
}

function toOutput(binding, value) {
  if (value === undefined || value === null) return undefined;
  return sameType(binding, 'http') ? toRpcHttp(value) : toTypedData(value);
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

function legacyTraceContext(context) {
  return {
    traceparent: context?.traceParent ?? '',
    tracestate: context?.traceState ?? '',
    attributes: context?.attributes ?? {},
  };
}

module.exports = { legacyModel };
