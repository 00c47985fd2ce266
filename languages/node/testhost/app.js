'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const written = [];
process.on('exit', () => written.forEach((directory) => fs.rmSync(directory, { recursive: true, force: true })));

/** Writes a function app into a new directory; package.json defaults to main index.js. */
function writeApp(files, packageJson = { main: 'index.js' }) {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'node-app-')));
  written.push(directory);
  const all = packageJson ? { 'package.json': JSON.stringify(packageJson), ...files } : files;
  for (const [name, text] of Object.entries(all)) {
    const file = path.join(directory, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
  return directory;
}

/** The HTTP output of a call that must have succeeded. */
function httpOf(response) {
  if (response.result.status !== 'Success') {
    throw new Error(`call failed: ${response.result.exception?.stack_trace ?? JSON.stringify(response)}`);
  }
  return response.return_value.http;
}

function textOf(http) {
  return Buffer.from(http.body.bytes ?? http.body.string ?? http.body.json ?? '').toString('utf8');
}

module.exports = { writeApp, httpOf, textOf };
