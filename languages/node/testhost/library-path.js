'use strict';

// A worker that runs every function through the library's own programming
// model, as it would for a model that it does not know.
require('../src/main').main(process.argv.slice(2), { plans: false });
