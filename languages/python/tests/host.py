"""A functions host for tests: a real gRPC server that starts the real worker process and speaks with it."""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
import uuid
from concurrent import futures

import grpc

from .contract import ROOT, pb

WORKER = os.path.join(ROOT, 'worker.py')
DEADLINE = 30
SUCCESS, FAILURE = pb.StatusResult.SUCCESS, pb.StatusResult.FAILURE
_UNLIMITED = [('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1), ('grpc.so_reuseport', 0)]
TRACE_PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'


def arguments(port, worker_id, request_id):
    """All nine pairs, as the host passes them."""
    return ['--host', '127.0.0.1', '--port', str(port), '--workerId', worker_id, '--requestId', request_id,
            '--grpcMaxMessageLength', '2147483647', '--functions-uri', f'http://127.0.0.1:{port}/',
            '--functions-worker-id', worker_id, '--functions-request-id', request_id,
            '--functions-grpc-max-message-length', '2147483647']


class Host:
    """Starts server and language worker; next() waits for messages, now or later, in any order."""

    def __init__(self, env=None, cwd=None, launch=arguments, worker=(WORKER,), python=sys.executable):
        self.messages = []
        self._arrived = threading.Condition()
        self._outgoing = queue.SimpleQueue()
        self._server = grpc.server(futures.ThreadPoolExecutor(2), options=_UNLIMITED)
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream, pb.StreamingMessage.FromString, pb.StreamingMessage.SerializeToString)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler('AzureFunctionsRpcMessages.FunctionRpc', {'EventStream': handler}),))
        self.port = self._server.add_insecure_port('127.0.0.1:0')
        self._server.start()
        self.worker_id, self.request_id = str(uuid.uuid4()), str(uuid.uuid4())
        self._streams = {name: [] for name in ('stdout', 'stderr')}
        self.process = subprocess.Popen(
            [python, *worker, *launch(self.port, self.worker_id, self.request_id)], cwd=cwd,
            env={'PATH': os.environ['PATH'], **(env or {})}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8')
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._streams]
        for reader in self._readers:
            reader.start()
        self.functions = {}

    def _read(self, name):
        for line in getattr(self.process, name):
            with self._arrived:
                self._streams[name].append(line)
                self._arrived.notify_all()

    @property
    def stdout(self):
        return ''.join(self._streams['stdout'])

    @property
    def stderr(self):
        return ''.join(self._streams['stderr'])

    def _stream(self, incoming, context):
        threading.Thread(target=self._receive, args=(incoming,), daemon=True).start()
        while (message := self._outgoing.get()) is not None:
            yield message

    def _receive(self, incoming):
        try:
            for message in incoming:
                with self._arrived:
                    self.messages.append(message)
                    self._arrived.notify_all()
        except grpc.RpcError:
            pass
        self._outgoing.put(None)

    def until(self, found, what, limit=DEADLINE):
        """Waits until found() is true and returns that."""
        with self._arrived:
            value = None

            def check():
                nonlocal value
                value = found()
                return value or self.process.poll() is not None
            self._arrived.wait_for(check, limit)
            value = value or found()
        if not value:
            raise AssertionError(f'no {what} in time; exit code {self.process.poll()}; stderr: {self.stderr}')
        return value

    def next(self, kind, matches=lambda content, message: True, limit=DEADLINE):
        """The first message of a kind that matches."""
        def found():
            return next((m for m in self.messages
                         if m.WhichOneof('content') == kind and matches(getattr(m, kind), m)), None)
        return getattr(self.until(found, kind, limit), kind)

    def send(self, **content):
        """Sends one message and returns its request id."""
        request_id = str(uuid.uuid4())
        self._outgoing.put(pb.StreamingMessage(request_id=request_id, **content))
        return request_id

    def ask(self, answer, **content):
        """Sends a request and returns its answer."""
        request_id = self.send(**content)
        return self.next(answer, lambda _, message: message.request_id == request_id)

    def init(self, directory):
        return self.ask('worker_init_response', worker_init_request=pb.WorkerInitRequest(
            host_version='4.1037.0', capabilities={'MultiStream': '10'}, function_app_directory=directory))

    def metadata(self, directory=''):
        return self.ask('function_metadata_response',
                        functions_metadata_request=pb.FunctionsMetadataRequest(function_app_directory=directory))

    def load(self, function_id, metadata):
        return self.ask('function_load_response', function_load_request=pb.FunctionLoadRequest(
            function_id=function_id, metadata=metadata))

    def reload(self, directory, variables):
        return self.ask('function_environment_reload_response',
                        function_environment_reload_request=pb.FunctionEnvironmentReloadRequest(
                            environment_variables=variables, function_app_directory=directory))

    def serve(self, directory):
        """Initialises an app of the v2 model and loads all its functions."""
        self.initialized = self.init(directory)
        return self.index(directory)

    def index(self, directory):
        answer = self.metadata(directory)
        if answer.result.status != SUCCESS:
            raise AssertionError(answer.result.exception.message)
        for each in answer.function_metadata_results:
            loaded = self.load(each.function_id, each)
            if loaded.result.status != SUCCESS:
                raise AssertionError(loaded.result.exception.message)
        self.functions = {each.name: each for each in answer.function_metadata_results}
        return self.functions

    def start_call(self, name, inputs, metadata=None, retry=None, invocation_id=None):
        """Sends an invocation; returns its id."""
        invocation_id = invocation_id or str(uuid.uuid4())
        function = self.functions.get(name)
        request = pb.InvocationRequest(
            invocation_id=invocation_id, function_id=function.function_id if function else name,
            trigger_metadata=metadata or {}, trace_context=pb.RpcTraceContext(trace_parent=TRACE_PARENT),
            input_data=[pb.ParameterBinding(name=n, data=d) for n, d in inputs.items()])
        if retry is not None:
            request.retry_context.CopyFrom(retry)
        self.send(invocation_request=request)
        return invocation_id

    def answer(self, invocation_id):
        return self.next('invocation_response', lambda content, _: content.invocation_id == invocation_id)

    def call(self, name, inputs=None, **more):
        return self.answer(self.start_call(name, inputs or {}, **more))

    def get(self, name, **more):
        """Calls an HTTP function whose trigger is called req."""
        return self.call(name, {'req': http(name, **more)})

    def logs(self, text=''):
        with self._arrived:
            return [m.rpc_log for m in self.messages
                    if m.WhichOneof('content') == 'rpc_log' and text in m.rpc_log.message]

    def log(self, text):
        """The first log line with a text, now or later."""
        return self.next('rpc_log', lambda content, _: text in content.message)

    def close_stream(self):
        self._outgoing.put(None)

    def wait(self, limit=DEADLINE):
        """The exit code of the language worker."""
        code = self.process.wait(limit)
        for reader in self._readers:
            reader.join(limit)
        return code

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()
        self._outgoing.put(None)
        self._server.stop(None).wait()


def http(name='x', method='GET', body=None, **more):
    """TypedData of an HTTP request."""
    request = pb.RpcHttp(method=method, url=f'http://localhost:7071/api/{name}', **more)
    if body is not None:
        request.body.bytes = body
    return pb.TypedData(http=request)


def string(value):
    return pb.TypedData(string=value)


def json_data(value):
    return pb.TypedData(json=value)


class HostTest(unittest.TestCase):
    """A test case whose hosts and folders are gone after each test."""

    maxDiff = None

    def host(self, **options):
        host = Host(**options)
        self.addCleanup(host.stop)
        host.next('start_stream')
        return host

    def app(self, files=None, **more):
        """Writes an app: file name (function_app.py if only text is given) to text."""
        folder = os.path.realpath(tempfile.mkdtemp(prefix='nightshift-app-'))
        self.addCleanup(shutil.rmtree, folder, True)
        for name, text in ({'function_app.py': files} if isinstance(files, str) else files or {}).items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as file:
                file.write(textwrap.dedent(text))
        return folder

    def serve(self, text, **options):
        """Starts a host with an app of the v2 model; the usual names are imported already."""
        host = self.host(**options)
        host.serve(self.app(HEAD + textwrap.dedent(text)))
        return host

    def assert_success(self, answer):
        self.assertEqual(answer.result.status, SUCCESS, answer.result.exception.message)
        return answer

    def failure(self, answer):
        self.assertEqual(answer.result.status, FAILURE, str(answer))
        return answer.result.exception


HEAD = 'import azure.functions as func\nimport asyncio, logging, threading, time, typing, os, json\napp = func.FunctionApp()\n'
