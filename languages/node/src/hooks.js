'use strict';

const { systemTypeError } = require('./errors');

function readOnly(name) {
  return systemTypeError(`Cannot assign to read only property '${name}'`);
}

// Programming models wrap these objects and write through to them: writable
// members are plain properties, read-only ones are getters whose setter throws.
class HookContext {
  #hookData;
  #appHookData;

  constructor(hookData, appHookData) {
    this.#hookData = hookData;
    this.#appHookData = appHookData;
  }

  get hookData() { return this.#hookData; }
  set hookData(_value) { throw readOnly('hookData'); }

  get appHookData() { return this.#appHookData; }
  set appHookData(_value) { throw readOnly('appHookData'); }
}

class AppStartHookContext extends HookContext {
  constructor(app) {
    super(app.appLevelHookData, app.appHookData);
    this.functionAppDirectory = app.directory;
  }
}

class AppTerminateHookContext extends HookContext {
  constructor(app) {
    super(app.appLevelHookData, app.appHookData);
  }
}

class InvocationHookContext extends HookContext {
  #invocationContext;

  constructor(invocation) {
    super(invocation.hookData, invocation.app.appHookData);
    this.#invocationContext = invocation.userContext;
    this.inputs = invocation.inputs;
  }

  get invocationContext() { return this.#invocationContext; }
  set invocationContext(_value) { throw readOnly('invocationContext'); }
}

class PreInvocationHookContext extends InvocationHookContext {
  constructor(invocation, functionCallback) {
    super(invocation);
    this.functionCallback = functionCallback;
  }
}

class PostInvocationHookContext extends InvocationHookContext {
  constructor(invocation, result, error) {
    super(invocation);
    this.result = result ?? null;
    this.error = error ?? null;
  }
}

class LogHookContext extends HookContext {
  #category;
  #invocationContext;

  constructor(app, level, category, message, invocation) {
    super(invocation ? invocation.hookData : app.appLevelHookData, app.appHookData);
    this.level = level;
    this.message = message;
    this.#category = category;
    this.#invocationContext = invocation?.userContext;
  }

  get category() { return this.#category; }
  set category(_value) { throw readOnly('category'); }

  get invocationContext() { return this.#invocationContext; }
  set invocationContext(_value) { throw readOnly('invocationContext'); }
}

/** One after the other in the order of registration, each awaited. */
async function runHooks(callbacks, context) {
  for (const callback of callbacks.slice()) await callback(context);
}

module.exports = {
  AppStartHookContext, AppTerminateHookContext, PreInvocationHookContext, PostInvocationHookContext,
  LogHookContext, runHooks,
};
