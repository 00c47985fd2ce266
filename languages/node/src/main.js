'use strict';

const { parseArguments } = require('./arguments');
const { connect } = require('./transport');
const { Worker } = require('./worker');
const { consoleError } = require('./logger');

/** Runs the language worker until its stream to the host ends; never returns to the caller's control. */
function main(argv, options = {}) {
  let launch;
  try {
    launch = parseArguments(argv);
  } catch (error) {
    consoleError(`Worker was started wrongly: ${error.message}`);
    process.exit(1);
  }
  // Calls in flight die with the process: after an uncaught error its state is unknown.
  process.on('uncaughtException', (error) => {
    consoleError(`Worker uncaught exception: ${error?.stack ?? String(error)}`);
    process.exit(1);
  });
  const worker = new Worker({ plans: options.plans, exit: (code) => process.exit(code) });
  worker.start(options.connect ?? connect, launch);
}

if (require.main === module) main(process.argv.slice(2));

module.exports = { main };
