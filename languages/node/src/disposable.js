'use strict';

/** Runs its callback at the first dispose(); part of the core module's surface. */
class Disposable {
  #callOnDispose;

  constructor(callOnDispose) {
    this.#callOnDispose = callOnDispose;
  }

  static from(...disposables) {
    return new Disposable(() => {
      for (const disposable of disposables) {
        if (typeof disposable?.dispose === 'function') disposable.dispose();
      }
    });
  }

  dispose() {
    const call = this.#callOnDispose;
    this.#callOnDispose = undefined;
    return call?.();
  }
}

module.exports = { Disposable };
