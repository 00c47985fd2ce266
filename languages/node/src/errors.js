'use strict';

// Errors the worker itself makes carry this flag; the programming model and the
// host tell platform errors from user errors by it.
function markSystemError(error) {
  error.isAzureFunctionsSystemError = true;
  return error;
}

const systemError = (message) => markSystemError(new Error(message));
const systemRangeError = (message) => markSystemError(new RangeError(message));
const systemTypeError = (message) => markSystemError(new TypeError(message));

/** Whatever was thrown, as an Error. */
function toError(thrown) {
  if (thrown instanceof Error) return thrown;
  if (isErrorFromElsewhere(thrown)) return thrown;
  return new Error(describe(thrown));
}

// Errors of another realm (node:vm) are no instances of our Error.
function isErrorFromElsewhere(thrown) {
  return Object.prototype.toString.call(thrown) === '[object Error]' && typeof thrown.message === 'string';
}

function describe(thrown) {
  if (thrown === undefined || thrown === null) return 'Unknown error';
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown !== 'object') return String(thrown);
  try {
    return JSON.stringify(thrown) ?? 'Unknown error';
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** The wire form of an error; never throws, whatever the error's getters do. */
function toWireError(thrown) {
  const error = toError(thrown);
  return { message: textOf(() => error.message) || 'Unknown error', stackTrace: textOf(() => error.stack) };
}

function textOf(read) {
  try {
    const value = read();
    return value === undefined || value === null ? '' : String(value);
  } catch {
    return '';
  }
}

/**
 * A platform error that says what could not be done. The cause's whole stack
 * follows: syntax errors carry the offending file and line only there.
 */
function wrapError(message, cause) {
  const wrapped = systemError(message);
  wrapped.cause = cause;
  wrapped.stack = `Error: ${message}\n${textOf(() => cause.stack)}`;
  return wrapped;
}

module.exports = { systemError, systemRangeError, systemTypeError, toError, toWireError, wrapError };
