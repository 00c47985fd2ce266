'use strict';

const { systemError, systemRangeError } = require('./errors');
const { Disposable } = require('./disposable');
const { registerFunction, check } = require('./app/register');
const encode = require('./wire/encode');
const { version } = require('./version');

/**
 * What require('@azure/functions-core') gives: the contract between a worker
 * and the programming models in the app. One object for the life of the
 * process, since models keep it; the app behind it may change.
 */
function createCore(worker) {
  return {
    version,
    get hostVersion() {
      if (!worker.hostVersion) {
        throw systemError('Cannot access hostVersion before the worker has been initialized.');
      }
      return worker.hostVersion;
    },
    Disposable,
    registerFunction: (metadata, callback) => registerFunction(worker.app, metadata, callback),
    setProgrammingModel: (model) => setProgrammingModel(worker, model),
    getProgrammingModel: () => worker.app.model,
    registerHook: (name, callback) => registerHook(worker.app, name, callback),
    log: (level, category, message) => {
      check(level, encode.LEVELS, 'log level');
      check(category, encode.CATEGORIES, 'log category');
      worker.logger.log(level, category, message, undefined);
    },
  };
}

function setProgrammingModel(worker, model) {
  worker.logger.system('information', `Setting Node.js programming model to "${model.name}" version "${model.version}"`);
  worker.app.model = model;
  worker.lastModel = model;
}

function registerHook(app, name, callback) {
  const callbacks = Object.hasOwn(app.hooks, name) ? app.hooks[name] : undefined;
  // Models recognise exactly this kind of error as "the worker is too old for this hook".
  if (!callbacks) throw systemRangeError(`Unrecognized hook "${name}"`);
  callbacks.push(callback);
  return new Disposable(() => {
    const at = callbacks.indexOf(callback);
    if (at >= 0) callbacks.splice(at, 1);
  });
}

module.exports = { createCore };
