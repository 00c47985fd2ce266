'use strict';

const path = require('node:path');
const { loadScript } = require('./load');
const { AppFunction } = require('./register');
const { systemError, toError, wrapError } = require('../errors');

/** Loads a function that is described by a function.json file. */
async function loadLegacyFunction(worker, functionId, metadata) {
  if (metadata.isProxy) return;
  let callback;
  try {
    const file = path.resolve(metadata.directory || worker.app.directory, metadata.scriptFile);
    callback = pickFunction(await loadScript(worker, file), metadata.entryPoint);
  } catch (thrown) {
    const cause = toError(thrown);
    throw wrapError(`Worker was unable to load function ${metadata.name}: '${cause.message}'`, cause);
  }
  worker.app.functions.set(functionId, new AppFunction(functionId, metadata, callback));
}

function pickFunction(exports, entryPoint) {
  if (typeof exports === 'function') return exports;
  const found = pickMember(exports, entryPoint);
  if (found === undefined || found === null) {
    const names = entryPoint ? `function: '${entryPoint}' specified in the configuration` : 'entry point';
    throw systemError(`Unable to determine ${names}. If multiple functions are exported, you must indicate `
      + "the entry point, either by naming it 'run' or 'index', or by naming it explicitly via the 'entryPoint' metadata property.");
  }
  if (typeof found !== 'function') {
    throw systemError('The resolved entry point is not a function and cannot be invoked by the functions runtime. '
      + 'Make sure the function has been correctly exported.');
  }
  return boundTo(found, exports);
}

function pickMember(exports, entryPoint) {
  if (entryPoint) return exports?.[entryPoint];
  const names = exports ? Object.keys(exports) : [];
  if (names.length === 1) return exports[names[0]];
  return exports?.run ?? exports?.index ?? (typeof exports?.default === 'function' ? exports.default : undefined);
}

// `this` of the call is the module, as it was before classes were common.
function boundTo(callback, exports) {
  return (...args) => callback.apply(exports, args);
}

module.exports = { loadLegacyFunction };
