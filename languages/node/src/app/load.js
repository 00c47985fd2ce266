'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { matchFiles } = require('./glob');
const { toError, wrapError, systemError } = require('../errors');
const { appError } = require('../logger');
const { AppStartHookContext, runHooks } = require('../hooks');

/**
 * Loads the app in directory into worker.app: its package.json, its entry files,
 * then its appStart hooks. A failing entry file is remembered and reported with
 * metadata and load requests; a failing hook is thrown.
 */
async function loadApp(worker, directory) {
  const { app } = worker;
  app.directory = directory;
  app.packageJson = await readPackageJson(worker.logger, directory);
  const { main } = app.packageJson;
  if (typeof main === 'string' && main !== '') await loadEntryFiles(worker, main);
  await runHooks(app.hooks.appStart, new AppStartHookContext(app));
}

async function readPackageJson(logger, directory) {
  const file = path.join(directory, 'package.json');
  try {
    const parsed = JSON.parse(stripBom(await fs.promises.readFile(file, 'utf8')));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new Error('file content is not an object');
    }
    return parsed;
  } catch (error) {
    const reason = error.code === 'ENOENT' ? 'file does not exist' : error.message;
    logger.system('warning', `Worker failed to load package.json "${file}": ${reason}`);
    return {};
  }
}

function stripBom(text) {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

async function loadEntryFiles(worker, main) {
  const { app } = worker;
  let current = main;
  try {
    const files = await matchFiles(app.directory, main);
    if (files.length === 0) throw systemError('Found zero files matching the supplied pattern');
    for (const file of files) {
      current = path.relative(app.directory, file);
      app.currentEntryFile = file;
      await loadScript(worker, file);
    }
  } catch (thrown) {
    app.blockingError = entryError(worker.logger, current, toError(thrown));
  } finally {
    app.currentEntryFile = undefined;
  }
}

function entryError(logger, file, cause) {
  const error = wrapError(`Worker was unable to load entry point "${file}": ${cause.message}`, cause);
  appError(error.stack);
  logger.system('error', error.message);
  return error;
}

/** Exports of a script: imported if it is an ES module by name or by the app's package.json. */
async function loadScript(worker, file) {
  if (!isEsModule(file, worker.app.packageJson)) return require(file);
  worker.modules.prepareImport(file);
  return import(pathToFileURL(file).href);
}

function isEsModule(file, packageJson) {
  return file.endsWith('.mjs') || (!file.endsWith('.cjs') && packageJson.type === 'module');
}

/** True if the app has functions described by function.json files. */
async function hasFunctionJson(directory) {
  const entries = await fs.promises.readdir(directory, { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => fs.promises.access(path.join(directory, entry.name, 'function.json')).then(() => true, () => false)));
  return found.includes(true);
}

module.exports = { loadApp, loadScript, hasFunctionJson };
