'use strict';

const encode = require('./wire/encode');
const { systemError, toError, toWireError } = require('./errors');
const { PreInvocationHookContext, PostInvocationHookContext, runHooks } = require('./hooks');
const { planFor } = require('./v4/plan');

/** One call. Programming models get it as their CoreInvocationContext. */
class Invocation {
  #worker;
  #hookData;

  constructor(worker, requestId, request, appFunction) {
    this.#worker = worker;
    this.app = worker.app;
    this.requestId = requestId;
    this.request = request;
    this.function = appFunction;
    this.invocationId = request.invocationId;
    // undefined | preInvocationHooks | invocation | postInvocationHooks
    this.state = undefined;
    this.isDone = false;
    this.userContext = undefined;
    this.inputs = undefined;
  }

  get metadata() {
    return this.function.metadata;
  }

  get hookData() {
    return this.#hookData ??= {};
  }

  log(level, logCategory, message) {
    this.#worker.logger.log(level, logCategory, message, this);
  }
}

/** Runs calls and answers each of them exactly once. */
class Invoker {
  #worker;
  #plans;

  constructor(worker, { plans = true } = {}) {
    this.#worker = worker;
    this.#plans = plans;
  }

  invoke(requestId, request) {
    const appFunction = this.#worker.app.functions.get(request.functionId);
    if (!appFunction) {
      const error = systemError(`Function code for "${request.functionId}" is not loaded.`);
      this.#worker.logger.system('error', error.message);
      this.#send(requestId, { invocationId: request.invocationId, error: toWireError(error) });
      return;
    }
    const invocation = new Invocation(this.#worker, requestId, request, appFunction);
    const plan = this.#planOf(invocation);
    if (plan && !hasInvocationHooks(invocation.app)) this.#runLean(invocation, plan);
    else this.#run(invocation, plan);
  }

  // Model-binding data needs the library's own machinery.
  #planOf({ function: appFunction, request }) {
    if (!this.#plans) return null;
    if (appFunction.plan === undefined) appFunction.plan = planFor(this.#worker, appFunction);
    return appFunction.plan?.accepts(request) ? appFunction.plan : null;
  }

  // Without hooks nothing needs to be awaited but the function itself.
  #runLean(invocation, plan) {
    let result;
    let isPending;
    try {
      plan.prepare(invocation);
      invocation.state = 'invocation';
      result = invocation.function.callback(...invocation.inputs, invocation.userContext);
      isPending = typeof result?.then === 'function';
    } catch (error) {
      this.#failLean(invocation, error);
      return;
    }
    if (!isPending) {
      this.#finishLean(invocation, plan, result);
      return;
    }
    Promise.resolve(result).then(
      (value) => this.#finishLean(invocation, plan, value),
      (error) => this.#failLean(invocation, error),
    );
  }

  #failLean(invocation, error) {
    invocation.isDone = true;
    this.#fail(invocation, error);
  }

  #finishLean(invocation, plan, result) {
    invocation.isDone = true;
    try {
      const response = plan.respond(invocation.userContext, result);
      if (typeof response?.then === 'function') {
        response.then((value) => this.#succeed(invocation, value)).catch((error) => this.#fail(invocation, error));
      } else this.#succeed(invocation, response);
    } catch (error) {
      this.#fail(invocation, error);
    }
  }

  async #run(invocation, plan) {
    let model;
    try {
      model = plan ? plan.model(invocation) : await invocation.app.model.getInvocationModel(invocation);
      const { context, inputs } = await model.getArguments();
      invocation.userContext = context;
      invocation.inputs = inputs;
      const result = await this.#callWithHooks(invocation, model);
      this.#succeed(invocation, await model.getResponse(invocation.userContext, result));
    } catch (error) {
      await this.#worker.httpProxy.abandon(invocation, model);
      this.#fail(invocation, error);
    }
  }

  async #callWithHooks(invocation, model) {
    const { app } = invocation;
    const pre = new PreInvocationHookContext(invocation, invocation.function.callback);
    invocation.state = 'preInvocationHooks';
    await runHooks(app.hooks.preInvocation, pre);
    invocation.state = 'invocation';
    invocation.inputs = pre.inputs;
    let result = null;
    let error = null;
    try {
      result = await model.invokeFunction(invocation.userContext, pre.inputs, pre.functionCallback);
    } catch (thrown) {
      error = toError(thrown);
    }
    if (app.hooks.postInvocation.length > 0) {
      const post = new PostInvocationHookContext(invocation, result, error);
      invocation.state = 'postInvocationHooks';
      await runHooks(app.hooks.postInvocation, post);
      ({ result, error } = post);
    }
    // After its hooks a call is over: what it still logs is a mistake of the function.
    invocation.state = undefined;
    if (error !== null && error !== undefined) throw error;
    return result ?? undefined;
  }

  #succeed(invocation, response) {
    this.#send(invocation.requestId, {
      invocationId: invocation.invocationId,
      outputData: response?.outputData,
      returnValue: response?.returnValue,
      error: undefined,
    }, invocation);
  }

  #fail(invocation, thrown) {
    const error = toError(thrown);
    if (error.isAzureFunctionsSystemError) invocation.log('error', 'system', error.message);
    this.#send(invocation.requestId, { invocationId: invocation.invocationId, error: toWireError(error) });
  }

  // A value that cannot be encoded must fail its call, not the process.
  #send(requestId, response, invocation) {
    let frame;
    try {
      frame = encode.invocationResponse(requestId, response);
    } catch (error) {
      if (!invocation) throw error;
      this.#fail(invocation, error);
      return;
    }
    this.#worker.transport.write(frame);
  }
}

function hasInvocationHooks(app) {
  return app.hooks.preInvocation.length > 0 || app.hooks.postInvocation.length > 0;
}

module.exports = { Invoker };
