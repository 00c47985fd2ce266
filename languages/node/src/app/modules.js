'use strict';

const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const CORE = '@azure/functions-core';
const LIBRARY = '@azure/functions';
const CORE_FILE = path.join(__dirname, 'core-module.js');

/**
 * Makes two names resolvable for the app: the core module, which exists only at
 * run time, and the worker's own copy of @azure/functions for apps without one.
 */
class AppModules {
  #core;
  #requirers = new Set();
  #generation = 0;

  constructor(core) {
    this.#core = core;
  }

  /** To be called before any code of the app runs. */
  install() {
    this.#patchLoad();
    this.#patchResolve();
    if (typeof Module.registerHooks === 'function') this.#registerHooks();
  }

  // Module.prototype.require ends in Module._load, so do createRequire() and the
  // import of CommonJS packages.
  #patchLoad() {
    const load = Module._load;
    const modules = this;
    Module._load = function loadWithCore(request, parent, ...rest) {
      if (request !== CORE) return load.call(this, request, parent, ...rest);
      if (parent) modules.#requirers.add(parent);
      return modules.#core;
    };
  }

  #patchResolve() {
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function resolveWithFallback(request, ...rest) {
      if (request !== LIBRARY) return resolve.call(this, request, ...rest);
      try {
        return resolve.call(this, request, ...rest);
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error;
        return ownLibraryFile();
      }
    };
  }

  // From Node 22.15 on, hooks run in this thread and see every import.
  #registerHooks() {
    Module.registerHooks({
      resolve: (specifier, context, nextResolve) => {
        if (specifier === CORE) {
          return { url: pathToFileURL(CORE_FILE).href, format: 'commonjs', shortCircuit: true };
        }
        if (specifier !== LIBRARY) return nextResolve(specifier, context);
        try {
          return nextResolve(specifier, context);
        } catch (error) {
          if (!/MODULE_NOT_FOUND$/.test(error.code)) throw error;
          return { url: this.#fallbackUrl(), format: 'commonjs', shortCircuit: true };
        }
      },
    });
  }

  /**
   * Prepares the import of an ES module entry file. Before Node 22.15 a hook
   * costs a thread, so it is registered only for an app that needs it.
   */
  prepareImport(file) {
    if (typeof Module.registerHooks === 'function' || hasOwnLibrary(file)) return;
    Module.register(pathToFileURL(path.join(__dirname, 'esm-fallback.mjs')).href, {
      data: { specifier: LIBRARY, url: this.#fallbackUrl() },
    });
  }

  // Imported modules cannot be unloaded; another query makes another module.
  #fallbackUrl() {
    return `${pathToFileURL(ownLibraryFile()).href}?app=${this.#generation}`;
  }

  /**
   * Forgets the worker's copy of the library, so that the next app gets a fresh
   * one: a used copy has its set-up locked and its model announced already.
   */
  forgetOwnLibrary() {
    this.#generation++;
    this.#requirers.clear();
    delete require.cache[ownLibraryFile()];
  }

  /**
   * The public classes of the copy of the library that a model belongs to, or
   * undefined if they cannot be told, for example when the app is bundled.
   */
  libraryOf(model) {
    for (const requirer of [...this.#requirers].reverse()) {
      const { exports } = requirer;
      if (isLibrary(exports) && libraryVersion(requirer.filename) === model.version) return exports;
    }
    return undefined;
  }
}

function isLibrary(exports) {
  return ['InvocationContext', 'HttpRequest', 'HttpResponse'].every((name) => typeof exports?.[name] === 'function');
}

function libraryVersion(file) {
  const root = file?.lastIndexOf(path.join('@azure', 'functions') + path.sep) ?? -1;
  if (root < 0) return undefined;
  try {
    return require(path.join(file.slice(0, root), '@azure', 'functions', 'package.json')).version;
  } catch {
    return undefined;
  }
}

function ownLibraryFile() {
  return require.resolve(LIBRARY);
}

function hasOwnLibrary(file) {
  try {
    return Module.createRequire(file).resolve(LIBRARY) !== ownLibraryFile();
  } catch {
    return false;
  }
}

module.exports = { AppModules };
