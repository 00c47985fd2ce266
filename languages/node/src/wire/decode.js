'use strict';

const { Reader } = require('./reader');
const { skipField, nested, mapEntry, stringValue, emptyText } = require('./fields');
const { readTypedData, typedDataValue, emptyData } = require('./typed-data');

// Messages of the host. Member names are those of the .proto in camelCase, as
// programming models expect them. A case label is field number << 3 | wire type,
// so a field with an unexpected wire type is skipped like an unknown one.

const DIRECTIONS = ['in', 'out', 'inout'];
const DATA_TYPES = [undefined, 'string', 'binary', 'stream'];

/** @returns {{requestId: string, kind: string|undefined, content: object|undefined}} */
function decodeMessage(buffer) {
  const r = new Reader(buffer);
  const message = { requestId: '', kind: undefined, content: undefined };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) message.requestId = r.string();
    else if (CONTENT.has(tag)) {
      const [kind, read] = CONTENT.get(tag);
      message.kind = kind;
      message.content = nested(r, read);
    } else {
      if ((tag & 7) === 2 && tag >> 3 > 1) message.kind = `field ${tag >> 3}`;
      skipField(r, tag);
    }
  }
  return message;
}

const emptyBinding = () => ({ type: '', direction: 'in', dataType: undefined, properties: {} });

function readEmpty(r) {
  while (r.more()) skipField(r, r.varint());
  return {};
}

function readWorkerInitRequest(r) {
  const message = { hostVersion: '', capabilities: {}, workerDirectory: '', functionAppDirectory: '' };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) message.hostVersion = r.string();
    else if (tag === 18) mapEntry(r, message.capabilities, stringValue, emptyText);
    else if (tag === 34) message.workerDirectory = r.string();
    else if (tag === 42) message.functionAppDirectory = r.string();
    else skipField(r, tag);
  }
  return message;
}

function readFunctionsMetadataRequest(r) {
  const message = { functionAppDirectory: '' };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) message.functionAppDirectory = r.string();
    else skipField(r, tag);
  }
  return message;
}

function readEnvironmentReload(r) {
  const message = { environmentVariables: {}, functionAppDirectory: '' };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) mapEntry(r, message.environmentVariables, stringValue, emptyText);
    else if (tag === 18) message.functionAppDirectory = r.string();
    else skipField(r, tag);
  }
  return message;
}

function readFunctionLoadRequest(r) {
  const message = { functionId: '', metadata: undefined };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) message.functionId = r.string();
    else if (tag === 18) message.metadata = nested(r, readFunctionMetadata);
    else skipField(r, tag);
  }
  return message;
}

function readFunctionMetadata(r) {
  const metadata = { name: '', directory: '', scriptFile: '', entryPoint: '', isProxy: false, bindings: {}, properties: {} };
  while (r.more()) {
    const tag = r.varint();
    switch (tag) {
      case 10: metadata.directory = r.string(); break;
      case 18: metadata.scriptFile = r.string(); break;
      case 26: metadata.entryPoint = r.string(); break;
      case 34: metadata.name = r.string(); break;
      case 50: mapEntry(r, metadata.bindings, bindingInfoValue, emptyBinding); break;
      case 56: metadata.isProxy = r.varint() !== 0; break;
      case 130: mapEntry(r, metadata.properties, stringValue, emptyText); break;
      default: skipField(r, tag);
    }
  }
  return metadata;
}

function bindingInfoValue(r, tag) {
  if (tag === 18) return nested(r, readBindingInfo);
  skipField(r, tag);
  return undefined;
}

function readBindingInfo(r) {
  const binding = emptyBinding();
  while (r.more()) {
    const tag = r.varint();
    switch (tag) {
      case 18: binding.type = r.string(); break;
      case 24: binding.direction = DIRECTIONS[r.varint()] ?? 'in'; break;
      case 32: binding.dataType = DATA_TYPES[r.varint()]; break;
      case 42: mapEntry(r, binding.properties, stringValue, emptyText); break;
      default: skipField(r, tag);
    }
  }
  return binding;
}

/**
 * One call. Trigger metadata is decoded on first use: HTTP and timer functions
 * never look at it.
 */
class InvocationRequest {
  #buffer;
  #metadataAt = null;
  #metadata = undefined;

  constructor(buffer) {
    this.#buffer = buffer;
    this.invocationId = '';
    this.functionId = '';
    this.inputData = [];
    this.traceContext = undefined;
    this.retryContext = undefined;
  }

  get triggerMetadata() {
    if (this.#metadata === undefined) this.#metadata = this.#decodeMetadata();
    return this.#metadata;
  }

  set triggerMetadata(value) {
    this.#metadata = value;
  }

  addMetadataAt(pos, end) {
    (this.#metadataAt ??= []).push(pos, end);
  }

  #decodeMetadata() {
    const metadata = {};
    const at = this.#metadataAt ?? [];
    for (let i = 0; i < at.length; i += 2) {
      mapEntry(new Reader(this.#buffer, at[i], at[i + 1]), metadata, typedDataValue, emptyData);
    }
    return metadata;
  }
}

function readInvocationRequest(r) {
  const request = new InvocationRequest(r.buffer);
  while (r.more()) {
    const tag = r.varint();
    switch (tag) {
      case 10: request.invocationId = r.string(); break;
      case 18: request.functionId = r.string(); break;
      case 26: request.inputData.push(nested(r, readParameterBinding)); break;
      case 34: {
        const start = r.pos;
        r.skip(2);
        request.addMetadataAt(start, r.pos);
        break;
      }
      case 42: request.traceContext = nested(r, readTraceContext); break;
      case 50: request.retryContext = nested(r, readRetryContext); break;
      default: skipField(r, tag);
    }
  }
  return request;
}

function readParameterBinding(r) {
  const binding = { name: '', data: undefined };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) binding.name = r.string();
    else if (tag === 18) binding.data = nested(r, readTypedData);
    else skipField(r, tag);
  }
  return binding;
}

function readTraceContext(r) {
  const context = { traceParent: '', traceState: '', attributes: {} };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) context.traceParent = r.string();
    else if (tag === 18) context.traceState = r.string();
    else if (tag === 26) mapEntry(r, context.attributes, stringValue, emptyText);
    else skipField(r, tag);
  }
  return context;
}

function readRetryContext(r) {
  const context = { retryCount: 0, maxRetryCount: 0, exception: undefined };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 8) context.retryCount = r.int32();
    else if (tag === 16) context.maxRetryCount = r.int32();
    else if (tag === 26) context.exception = nested(r, readException);
    else skipField(r, tag);
  }
  return context;
}

function readException(r) {
  const exception = { message: '', source: '', stackTrace: '' };
  while (r.more()) {
    const tag = r.varint();
    if (tag === 10) exception.stackTrace = r.string();
    else if (tag === 18) exception.message = r.string();
    else if (tag === 26) exception.source = r.string();
    else skipField(r, tag);
  }
  return exception;
}

const field = (number) => (number << 3) | 2;
const CONTENT = new Map([
  [field(4), ['invocationRequest', readInvocationRequest]],
  [field(6), ['fileChangeEventRequest', readEmpty]],
  [field(8), ['functionLoadRequest', readFunctionLoadRequest]],
  [field(12), ['workerStatusRequest', readEmpty]],
  [field(14), ['workerTerminate', readEmpty]],
  [field(15), ['workerHeartbeat', readEmpty]],
  [field(17), ['workerInitRequest', readWorkerInitRequest]],
  [field(20), ['startStream', readEmpty]],
  [field(21), ['invocationCancel', readEmpty]],
  [field(25), ['functionEnvironmentReloadRequest', readEnvironmentReload]],
  [field(27), ['closeSharedMemoryResourcesRequest', readEmpty]],
  [field(29), ['functionsMetadataRequest', readFunctionsMetadataRequest]],
  [field(31), ['functionLoadRequestCollection', readEmpty]],
]);

module.exports = { decodeMessage };
