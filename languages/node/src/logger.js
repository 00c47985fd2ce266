'use strict';

const fs = require('node:fs');
const encode = require('./wire/encode');
const { LogHookContext } = require('./hooks');

/** Sends log records to the host, past the app's log hooks. */
class Logger {
  #worker;

  constructor(worker) {
    this.#worker = worker;
  }

  system(level, message) {
    this.log(level, 'system', message, undefined);
  }

  /** invocation is undefined for records that belong to no call. */
  log(level, logCategory, message, invocation) {
    const { app, transport } = this.#worker;
    const record = { level, message: String(message), logCategory, invocationId: undefined, category: undefined };
    if (invocation) {
      record.invocationId = invocation.invocationId;
      record.category = invocation.function.logCategory;
    }
    if (app.hooks.log.length > 0) applyHooks(app, record, invocation);
    transport.write(encode.rpcLog(record));
  }
}

// A hook sees every record but changes only the app's own ones; one that throws
// must not cost the record.
function applyHooks(app, record, invocation) {
  const context = new LogHookContext(app, record.level, record.logCategory, record.message, invocation);
  for (const callback of app.hooks.log.slice()) {
    try {
      callback(context);
    } catch {
      continue;
    }
  }
  if (record.logCategory !== 'user') return;
  if (Object.hasOwn(encode.LEVELS, context.level)) record.level = context.level;
  record.message = String(context.message);
}

/**
 * One line on stderr, for when there is no stream or it may not be flushed any
 * more. The prefix tells the host that the line is the worker's, not the app's.
 */
function consoleError(text) {
  writeSync(`LanguageWorkerConsoleLog[error] ${text.replace(/\r?\n/g, '    ')}\n`);
}

/** Text for the developer, as it is, on stderr. */
function appError(text) {
  writeSync(`${text}\n`);
}

// A full pipe refuses part of a synchronous write: what was refused is tried again.
function writeSync(text) {
  let rest = Buffer.from(text);
  for (let attempts = 0; rest.length > 0 && attempts < 1000; attempts++) {
    try {
      rest = rest.subarray(fs.writeSync(2, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
    }
  }
}

module.exports = { Logger, consoleError, appError };
