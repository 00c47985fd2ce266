'use strict';

// The same worker on a general gRPC client, for comparison. `library-path` as
// last argument also turns the lean path off.
const grpc = require('@grpc/grpc-js');
const { main } = require('../src/main');

const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const raw = (buffer) => buffer;

function connect({ host, port, onMessage, onClose }) {
  const Client = grpc.makeGenericClientConstructor({ EventStream: {
    path: '/AzureFunctionsRpcMessages.FunctionRpc/EventStream', requestStream: true, responseStream: true,
    requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw,
  } });
  const call = new Client(`${host}:${port}`, grpc.credentials.createInsecure(), UNLIMITED).EventStream();
  call.on('data', onMessage);
  call.on('error', onClose);
  call.on('end', () => onClose(undefined));
  // The frames of our encoder carry the gRPC header already.
  return { write: (frame) => call.write(frame.subarray(5)), end: (done) => { call.end(); done(); } };
}

main(process.argv.slice(2), { connect, plans: !process.argv.includes('library-path') });
