'use strict';

// Azure's host passes every value twice, under an older and a newer name. The
// newer one wins; either is enough.
const NAMES = {
  'functions-uri': 'uri',
  'functions-worker-id': 'workerId',
  'functions-request-id': 'requestId',
  'functions-grpc-max-message-length': 'maxMessageLength',
  host: 'oldHost',
  port: 'oldPort',
  workerId: 'oldWorkerId',
  requestId: 'oldRequestId',
  grpcMaxMessageLength: 'oldMaxMessageLength',
};

/**
 * Reads the launch arguments; throws an Error that names the missing ones.
 * @returns {{host: string, port: number, workerId: string, requestId: string, maxMessageLength: number}}
 */
function parseArguments(argv) {
  const given = readPairs(argv);
  const uri = given.uri ? parseUri(given.uri) : { host: given.oldHost, port: given.oldPort };
  const result = {
    host: uri.host,
    port: Number(uri.port),
    workerId: given.workerId ?? given.oldWorkerId,
    requestId: given.requestId ?? given.oldRequestId,
    maxMessageLength: Number(given.maxMessageLength ?? given.oldMaxMessageLength),
  };
  const missing = Object.keys(result).filter((name) => !result[name]);
  if (missing.length > 0) {
    throw new Error(`missing or invalid arguments: ${missing.join(', ')}; expected --functions-uri, `
      + '--functions-worker-id, --functions-request-id and --functions-grpc-max-message-length');
  }
  return result;
}

function readPairs(argv) {
  const given = {};
  for (let i = 0; i < argv.length; i++) {
    if (!argv[i].startsWith('--')) continue;
    const [flag, inline] = splitInline(argv[i].slice(2));
    if (!Object.hasOwn(NAMES, flag)) continue;
    given[NAMES[flag]] = inline ?? argv[++i];
  }
  return given;
}

function splitInline(text) {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function parseUri(text) {
  const { hostname, port } = new URL(text);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port || 80 };
}

module.exports = { parseArguments };
