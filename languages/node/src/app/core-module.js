'use strict';

// Where an `import '@azure/functions-core'` ends: the loader that runs this
// file may not be the patched one, the loader behind Module._load always is.
module.exports = require('node:module')._load('@azure/functions-core', module, false);
