"""The language worker: answers the host's messages about the one app it serves."""

import logging
import os
import sys

from . import VERSION, convert, environment, indexing, legacy, logs, paths
from .errors import failure_of
from .invocation import Invoker
from .pool import ThreadPool
from .wire import decode, encode
from .wire.reader import WireError

CAPABILITIES = ('RawHttpBodyBytes', 'TypedDataCollection', 'RpcHttpBodyOnly', 'WorkerStatus',
                'RpcHttpTriggerMetadataRemoved', 'HandlesWorkerTerminateMessage')
# What the host may say but needs no answer.
_IGNORED = {'start_stream', 'worker_heartbeat', 'invocation_cancel', 'file_change_event_request',
            'close_shared_memory_resources_request', 'function_load_request_collection', 'worker_warmup_request'}

_log = logging.getLogger('nightshift_worker')


class App:
    """The app as it was loaded: its functions, or why there are none."""

    def __init__(self, directory=''):
        self.directory = directory
        self.indexed = []
        self.plans = {}
        self.error = None
        self.is_legacy = True


class Worker:
    """One per process; used on the event loop's thread only."""

    def __init__(self, end):
        self._end = end
        self._transport = None
        self._invoker = None
        self._app = App()
        self._base_path = list(sys.path)
        self._handlers = {
            'invocation_request': self._invoke, 'worker_init_request': self._initialize,
            'functions_metadata_request': self._describe, 'function_load_request': self._load,
            'function_environment_reload_request': self._reload, 'worker_status_request': self._status,
            'worker_terminate': self._terminate,
        }

    def start(self, transport, launch):
        """Takes the stream and says hello on it."""
        self._transport = transport
        self._invoker = Invoker(transport)
        transport.send(encode.start_stream(launch.request_id, launch.worker_id))
        logs.install(transport)
        self._invoker.pool = ThreadPool(environment.pool_size())

    def receive(self, message):
        """Takes one message of the host."""
        try:
            request_id, kind, content = decode.message(message)
        except WireError as error:
            _log.error('the host sent a message that cannot be read: %s', error)
            return
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(request_id, content)
        elif kind not in _IGNORED:
            _log.error('the host sent a message of a kind that is not known')

    def _initialize(self, request_id, request):
        failure = self._attempt(self._take_app, request.function_app_directory)
        self._transport.send(encode.init_response(request_id, self._capabilities(), _runtime(), failure))

    def _reload(self, request_id, request):
        failure = self._attempt(self._specialize, request)
        self._transport.send(encode.reload_response(request_id, self._capabilities(), _runtime(), failure))

    def _specialize(self, request):
        environment.replace(request.environment_variables)
        logs.set_level()
        self._invoker.pool.close()
        self._invoker.pool = ThreadPool(environment.pool_size())
        if request.function_app_directory:
            os.chdir(request.function_app_directory)
        self._take_app(request.function_app_directory)

    def _take_app(self, directory):
        legacy.forget()
        self._app = app = App(directory)
        if not directory:
            # A placeholder: what most apps need is imported now, so that the app's start is short.
            paths.use_none(self._base_path)
            self._attempt(convert.library)
            return
        paths.use(directory, self._base_path)
        # An app that does not load is not a failed language worker: the host hears of it when it asks for functions.
        app.error = self._attempt(self._index, app)

    def _index(self, app):
        script = indexing.script_of(app.directory)
        if script is None:
            return
        app.is_legacy = False
        app.indexed = indexing.index(app.directory, script)
        app.plans = {each.id: each.plan for each in app.indexed}

    def _capabilities(self):
        return dict.fromkeys(CAPABILITIES, 'true')

    def _describe(self, request_id, _request):
        app = self._app
        use_default = app.is_legacy or not app.indexed
        if app.error is not None:
            use_default = False
        self._transport.send(encode.metadata_response(request_id, app.indexed, use_default, app.error))

    def _load(self, request_id, request):
        failure = self._app.error
        if failure is None and request.function_id not in self._app.plans:
            failure = self._attempt(self._load_legacy, request)
        self._transport.send(encode.load_response(request_id, request.function_id, failure))

    def _load_legacy(self, request):
        app = self._app
        if not app.is_legacy:
            raise RuntimeError(f'function {request.metadata.name!r} is not among the functions of the app')
        app.plans[request.function_id] = legacy.load(app.directory, request.metadata)

    def _invoke(self, request_id, request):
        plan = self._app.plans.get(request.function_id)
        if plan is None:
            self._invoker.refuse(request_id, request, f'the function {request.function_id!r} is not loaded')
            return
        self._invoker.invoke(request_id, request, plan)

    def _status(self, request_id, _request):
        self._transport.send(encode.status_response(request_id))

    def _terminate(self, _request_id, _request):
        # Running calls are not waited for: the host drains before it says terminate.
        self._end(0)

    @staticmethod
    def _attempt(work, *args):
        """Returns the Failure of a piece of work, None if it went well. App code may even call sys.exit()."""
        try:
            work(*args)
        except BaseException as error:
            return failure_of(error)
        return None


def _runtime():
    return {'runtime_name': 'python', 'runtime_version': '%d.%d.%d' % sys.version_info[:3],
            'worker_version': VERSION, 'worker_bitness': 'x64' if sys.maxsize > 2**32 else 'x86'}
