'use strict';

const HOOK_NAMES = ['appStart', 'appTerminate', 'preInvocation', 'postInvocation', 'log'];

/**
 * Everything that belongs to the one app a process serves. Specialisation of a
 * placeholder replaces the whole object, so nothing of the old app remains.
 */
class AppState {
  constructor(defaultModel, lastModel) {
    this.packageJson = {};
    this.directory = '';
    this.model = defaultModel;
    this.defaultModel = defaultModel;
    this.lastModel = lastModel;
    this.appHookData = {};
    this.appLevelHookData = {};
    this.hooks = Object.fromEntries(HOOK_NAMES.map((name) => [name, []]));
    this.functions = new Map();
    this.indexingLocked = false;
    this.workerIndexed = false;
    this.currentEntryFile = undefined;
    this.blockingError = undefined;
    this.httpProxied = false;
  }

  // A library sets its model once in its life. When the placeholder app and the
  // real one share a copy, the second one registers functions and no model.
  adoptModel() {
    if (this.model === this.defaultModel && this.lastModel) this.model = this.lastModel;
  }
}

module.exports = { AppState, HOOK_NAMES };
