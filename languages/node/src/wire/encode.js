'use strict';

const { Writer } = require('./writer');

// Messages to the host, as gRPC frames. Fields are written last to first, since
// the writer works backwards. Members with proto3 default values are left out,
// except inside a oneof, where presence is the meaning.

const writer = new Writer();

const LEVELS = { trace: 0, debug: 1, information: 2, warning: 3, error: 4, critical: 5, none: 6 };
const CATEGORIES = { user: 0, system: 1, customMetric: 2 };
const DIRECTIONS = { in: 0, out: 1, inout: 2 };
const DATA_TYPES = { undefined: 0, string: 1, binary: 2, stream: 3 };
const RETRY_STRATEGIES = { exponentialBackoff: 0, fixedDelay: 1 };
const SAME_SITE = { none: 0, lax: 1, strict: 2, explicitNone: 3 };
const FAILURE = 0;
const SUCCESS = 1;
const MERGE_REPLACE = 1;
const INT64_LIMIT = 2 ** 63;

function frame(requestId, contentField, writeContent, content) {
  const w = writer;
  w.begin();
  writeContent(w, content);
  w.close(contentField, 0);
  if (requestId) w.string(1, requestId);
  return w.finishFrame();
}

function optional(w, field, text) {
  if (text) w.string(field, text);
}

/** error undefined means success. */
function writeResult(w, field, error) {
  const mark = w.mark();
  if (error) {
    w.uint(4, FAILURE);
    const exception = w.mark();
    optional(w, 2, error.message);
    optional(w, 1, error.stackTrace);
    w.close(2, exception);
  } else w.uint(4, SUCCESS);
  w.close(field, mark);
}

function writeStartStream(w, { workerId }) {
  w.string(2, workerId);
}

function writeWorkerMetadata(w, field, metadata) {
  const mark = w.mark();
  w.stringMap(5, metadata.customProperties);
  w.string(4, metadata.workerBitness);
  w.string(3, metadata.workerVersion);
  w.string(2, metadata.runtimeVersion);
  w.string(1, metadata.runtimeName);
  w.close(field, mark);
}

function writeWorkerInit(w, { capabilities, workerMetadata, error }) {
  if (workerMetadata) writeWorkerMetadata(w, 4, workerMetadata);
  writeResult(w, 3, error);
  if (capabilities) w.stringMap(2, capabilities);
}

function writeEnvironmentReload(w, { capabilities, workerMetadata, error }) {
  w.uint(4, MERGE_REPLACE);
  writeResult(w, 3, error);
  if (capabilities) w.stringMap(2, capabilities);
  if (workerMetadata) writeWorkerMetadata(w, 1, workerMetadata);
}

function writeMetadataResponse(w, { functions = [], useDefaultMetadataIndexing, error }) {
  if (useDefaultMetadataIndexing) w.bool(3, true);
  writeResult(w, 2, error);
  for (let i = functions.length - 1; i >= 0; i--) writeFunctionMetadata(w, 1, functions[i]);
}

function writeFunctionMetadata(w, field, metadata) {
  const mark = w.mark();
  if (metadata.retryOptions) writeRetryOptions(w, 15, metadata.retryOptions);
  optional(w, 13, metadata.functionId);
  for (let i = metadata.rawBindings.length - 1; i >= 0; i--) w.string(10, metadata.rawBindings[i]);
  writeBindings(w, 6, metadata.bindings);
  optional(w, 4, metadata.name);
  optional(w, 2, metadata.scriptFile);
  optional(w, 1, metadata.directory);
  w.close(field, mark);
}

function writeBindings(w, field, bindings) {
  const names = Object.keys(bindings);
  for (let i = names.length - 1; i >= 0; i--) {
    const entry = w.mark();
    writeBinding(w, 2, bindings[names[i]]);
    w.string(1, names[i]);
    w.close(field, entry);
  }
}

function writeBinding(w, field, binding) {
  const mark = w.mark();
  if (binding.properties) w.stringMap(5, binding.properties);
  if (DATA_TYPES[binding.dataType]) w.uint(4, DATA_TYPES[binding.dataType]);
  if (DIRECTIONS[binding.direction]) w.uint(3, DIRECTIONS[binding.direction]);
  optional(w, 2, binding.type);
  w.close(field, mark);
}

function writeRetryOptions(w, field, options) {
  const mark = w.mark();
  if (RETRY_STRATEGIES[options.retryStrategy]) w.uint(6, RETRY_STRATEGIES[options.retryStrategy]);
  writeDuration(w, 5, options.maximumInterval);
  writeDuration(w, 4, options.minimumInterval);
  writeDuration(w, 3, options.delayInterval);
  if (options.maxRetryCount) w.int(2, options.maxRetryCount);
  w.close(field, mark);
}

function writeDuration(w, field, duration) {
  if (!duration) return;
  const mark = w.mark();
  if (duration.nanos) w.int(2, duration.nanos);
  if (duration.seconds) w.int(1, Number(duration.seconds));
  w.close(field, mark);
}

function writeLoadResponse(w, { functionId, error }) {
  writeResult(w, 2, error);
  optional(w, 1, functionId);
}

function writeInvocationResponse(w, { invocationId, outputData, returnValue, error }) {
  if (returnValue) writeTypedData(w, 4, returnValue);
  writeResult(w, 3, error);
  if (outputData) {
    for (let i = outputData.length - 1; i >= 0; i--) writeParameterBinding(w, 2, outputData[i]);
  }
  w.string(1, invocationId);
}

function writeParameterBinding(w, field, { name, data }) {
  const mark = w.mark();
  if (data) writeTypedData(w, 2, data);
  optional(w, 1, name);
  w.close(field, mark);
}

const defined = (value) => value !== undefined && value !== null;

/**
 * The first member present is written, in the order models test them. Our own
 * member utf8 is text that goes out as bytes, without a buffer in between.
 */
function writeTypedData(w, field, data) {
  const mark = w.mark();
  if (defined(data.string)) w.string(1, String(data.string));
  else if (defined(data.json)) w.string(2, String(data.json));
  else if (defined(data.bytes)) w.bytes(3, data.bytes);
  else if (defined(data.utf8)) w.string(3, data.utf8);
  else if (defined(data.stream)) w.bytes(4, data.stream);
  else if (defined(data.http)) writeHttp(w, 5, data.http);
  else if (defined(data.int)) writeInteger(w, Number(data.int));
  else if (defined(data.double)) w.double(7, Number(data.double));
  else writeCollection(w, data);
  w.close(field, mark);
}

// Numbers such as 1e20 are integers for JavaScript but no 64-bit ones.
function writeInteger(w, value) {
  if (Math.abs(value) < INT64_LIMIT) w.sint(6, value);
  else w.double(7, value);
}

function writeCollection(w, data) {
  const mark = w.mark();
  if (data.collectionBytes) {
    eachBackwards(data.collectionBytes.bytes, (item) => w.bytes(1, item));
    w.close(8, mark);
  } else if (data.collectionString) {
    eachBackwards(data.collectionString.string, (item) => w.string(1, String(item)));
    w.close(9, mark);
  } else if (data.collectionDouble) {
    eachBackwards(data.collectionDouble.double, (item) => w.double(1, Number(item)));
    w.close(10, mark);
  } else if (data.collectionSint64) {
    eachBackwards(data.collectionSint64.sint64, (item) => w.sint(1, Number(item)));
    w.close(11, mark);
  }
}

function eachBackwards(list, write) {
  for (let i = (list?.length ?? 0) - 1; i >= 0; i--) write(list[i]);
}

function writeHttp(w, field, http) {
  const mark = w.mark();
  eachBackwards(http.cookies, (cookie) => writeCookie(w, 19, cookie));
  if (http.enableContentNegotiation) w.bool(16, true);
  optional(w, 12, http.statusCode);
  if (http.body) writeTypedData(w, 4, http.body);
  if (http.headers) w.stringMap(3, http.headers);
  w.close(field, mark);
}

function writeCookie(w, field, cookie) {
  const mark = w.mark();
  if (cookie.maxAge) writeNullable(w, 9, () => w.double(1, cookie.maxAge.value));
  if (SAME_SITE[cookie.sameSite]) w.uint(8, SAME_SITE[cookie.sameSite]);
  if (cookie.httpOnly) writeNullable(w, 7, () => w.bool(1, cookie.httpOnly.value));
  if (cookie.secure) writeNullable(w, 6, () => w.bool(1, cookie.secure.value));
  if (cookie.expires) writeNullable(w, 5, () => writeDuration(w, 1, cookie.expires.value));
  if (cookie.path) writeNullable(w, 4, () => w.string(1, cookie.path.value));
  if (cookie.domain) writeNullable(w, 3, () => w.string(1, cookie.domain.value));
  optional(w, 2, cookie.value);
  optional(w, 1, cookie.name);
  w.close(field, mark);
}

function writeNullable(w, field, writeValue) {
  const mark = w.mark();
  writeValue();
  w.close(field, mark);
}

function writeLog(w, { invocationId, category, level, message, logCategory }) {
  if (CATEGORIES[logCategory]) w.uint(8, CATEGORIES[logCategory]);
  optional(w, 4, message);
  if (LEVELS[level]) w.uint(3, LEVELS[level]);
  optional(w, 2, category);
  optional(w, 1, invocationId);
}

function writeNothing() {}

module.exports = {
  startStream: (requestId, content) => frame(requestId, 20, writeStartStream, content),
  workerInitResponse: (requestId, content) => frame(requestId, 16, writeWorkerInit, content),
  environmentReloadResponse: (requestId, content) => frame(requestId, 26, writeEnvironmentReload, content),
  functionMetadataResponse: (requestId, content) => frame(requestId, 30, writeMetadataResponse, content),
  functionLoadResponse: (requestId, content) => frame(requestId, 9, writeLoadResponse, content),
  invocationResponse: (requestId, content) => frame(requestId, 5, writeInvocationResponse, content),
  workerStatusResponse: (requestId) => frame(requestId, 13, writeNothing, undefined),
  rpcLog: (content) => frame('', 2, writeLog, content),
  LEVELS, CATEGORIES, DIRECTIONS, DATA_TYPES, RETRY_STRATEGIES, SAME_SITE,
};
