'use strict';

const path = require('node:path');
const { systemError, systemRangeError } = require('../errors');
const { Disposable } = require('../disposable');
const encode = require('../wire/encode');

/** One function of the app: what invocations use, and what the host is told. */
class AppFunction {
  constructor(id, metadata, callback) {
    this.id = id;
    this.metadata = metadata;
    this.callback = callback;
    this.logCategory = `${metadata.name}.Invocation`;
    this.rpcMetadata = undefined;
    // The lean path for this function, undefined until its first call.
    this.plan = undefined;
  }
}

/** The core module's registerFunction. */
function registerFunction(app, metadata, callback) {
  if (app.indexingLocked) {
    throw systemError('A function can only be registered during app startup.');
  }
  const id = metadata.functionId ?? metadata.name;
  if (!id) throw systemError('A function needs a name to be registered.');
  if (app.functions.has(id)) {
    throw systemError(`A function with id "${id}" has already been registered. Give each function its own name.`);
  }
  const appFunction = new AppFunction(id, metadata, callback);
  appFunction.rpcMetadata = toRpcMetadata(app, id, metadata);
  app.adoptModel();
  app.functions.set(id, appFunction);
  app.workerIndexed = true;
  return new Disposable(() => unregister(app, id));
}

function unregister(app, id) {
  if (app.indexingLocked) {
    throw systemError('A function can only be disposed during app startup.');
  }
  app.functions.delete(id);
}

function toRpcMetadata(app, id, metadata) {
  const bindings = {};
  const rawBindings = [];
  for (const [name, binding] of Object.entries(metadata.bindings ?? {})) {
    bindings[name] = checkedBinding(binding);
    rawBindings.push(JSON.stringify({ ...binding, name }));
  }
  const file = app.currentEntryFile;
  return {
    functionId: id,
    name: metadata.name,
    bindings,
    rawBindings,
    retryOptions: checkedRetry(metadata.retryOptions),
    // The host insists on a script file, also for a function registered outside of one.
    scriptFile: file ? path.basename(file) : 'unknown',
    directory: file ? path.dirname(file) : app.directory,
  };
}

function checkedBinding(binding) {
  check(binding.direction, encode.DIRECTIONS, 'direction');
  check(binding.dataType, encode.DATA_TYPES, 'dataType');
  return {
    type: binding.type,
    direction: binding.direction,
    dataType: binding.dataType,
    properties: binding.properties,
  };
}

function checkedRetry(options) {
  if (!options) return undefined;
  check(options.retryStrategy, encode.RETRY_STRATEGIES, 'retryStrategy');
  return options;
}

function check(value, known, name) {
  if (value === undefined || value === null || Object.hasOwn(known, value)) return;
  throw systemRangeError(`Invalid ${name} "${value}". Expected one of: ${Object.keys(known).join(', ')}.`);
}

module.exports = { AppFunction, registerFunction, check };
