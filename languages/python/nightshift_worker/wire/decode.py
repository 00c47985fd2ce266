"""What the host says: its messages as plain objects. An invocation is cut into pieces here and decoded where used."""

from .reader import WireError, fields, inner, int32, number, text, text_map

# Content of StreamingMessage that the host may send, by field number.
KINDS = {
    4: 'invocation_request', 6: 'file_change_event_request', 8: 'function_load_request', 12: 'worker_status_request',
    14: 'worker_terminate', 15: 'worker_heartbeat', 17: 'worker_init_request', 20: 'start_stream',
    21: 'invocation_cancel', 25: 'function_environment_reload_request', 27: 'close_shared_memory_resources_request',
    29: 'functions_metadata_request', 31: 'function_load_request_collection', 33: 'worker_warmup_request',
}


def message(data):
    """Returns (request id, kind, decoded content); the content of kinds without a decoder is None."""
    request_id, kind, content = '', None, None
    for no, a, b in fields(data, 0, len(data)):
        if no == 1:
            request_id = text(data, a, b)
        elif no in KINDS:
            kind = KINDS[no]
            decoder = _DECODERS.get(no)
            content = decoder(data, a, b) if decoder else None
    return request_id, kind, content


class Invocation:
    """An InvocationRequest. Inputs, metadata and contexts are positions in data until somebody asks for them."""

    __slots__ = ('data', 'id', 'function_id', 'inputs', 'metadata', 'trace', 'retry')

    def __init__(self, data, start, stop):
        self.data = data
        self.id = self.function_id = ''
        self.inputs = []
        self.metadata = []
        self.trace = self.retry = None
        for no, a, b in inner(data, start, stop):
            if no == 1:
                self.id = text(data, a, b)
            elif no == 2:
                self.function_id = text(data, a, b)
            elif no == 3:
                self.inputs.append((a, b))
            elif no == 4:
                self.metadata.append((a, b))
            elif no == 5:
                self.trace = (a, b)
            elif no == 6:
                self.retry = (a, b)

    def input_data(self):
        """Yields (binding name, position of its TypedData or None)."""
        data = self.data
        for start, stop in self.inputs:
            name, where = '', None
            for no, a, b in inner(data, start, stop):
                if no == 1:
                    name = text(data, a, b)
                elif no == 2:
                    where = (a, b)
                elif no == 3:
                    raise WireError(f'input {name!r} is in shared memory, which was not agreed')
            yield name, where


def trace_context(data, where):
    """Returns (trace parent, trace state, attributes)."""
    parent, state, attributes = '', '', {}
    for no, a, b in inner(data, *where) if where else ():
        if no == 1:
            parent = text(data, a, b)
        elif no == 2:
            state = text(data, a, b)
        elif no == 3:
            text_map(data, a, b, attributes)
    return parent, state, attributes


def retry_context(data, where):
    """Returns (retry count, max retry count, exception as (source, stack trace, message) or None)."""
    count, limit, exception = 0, 0, None
    for no, a, b in inner(data, *where) if where else ():
        if no == 1:
            count = int32(data, a, b)
        elif no == 2:
            limit = int32(data, a, b)
        elif no == 3:
            parts = {n: text(data, x, y) for n, x, y in inner(data, a, b) if n in (1, 2, 3)}
            exception = (parts.get(3, ''), parts.get(1, ''), parts.get(2, ''))
    return count, limit, exception


class Init:
    """A WorkerInitRequest."""

    def __init__(self, data, start, stop):
        self.host_version = self.function_app_directory = ''
        self.capabilities = {}
        for no, a, b in inner(data, start, stop):
            if no == 1:
                self.host_version = text(data, a, b)
            elif no == 2:
                text_map(data, a, b, self.capabilities)
            elif no == 5:
                self.function_app_directory = text(data, a, b)


class Reload:
    """A FunctionEnvironmentReloadRequest."""

    def __init__(self, data, start, stop):
        self.function_app_directory = ''
        self.environment_variables = {}
        for no, a, b in inner(data, start, stop):
            if no == 1:
                text_map(data, a, b, self.environment_variables)
            elif no == 2:
                self.function_app_directory = text(data, a, b)


class Load:
    """A FunctionLoadRequest."""

    def __init__(self, data, start, stop):
        self.function_id = ''
        self.metadata = Metadata()
        for no, a, b in inner(data, start, stop):
            if no == 1:
                self.function_id = text(data, a, b)
            elif no == 2:
                self.metadata = Metadata(inner(data, a, b), data)


class Metadata:
    """An RpcFunctionMetadata, as far as loading needs it."""

    def __init__(self, found=(), data=b''):
        self.directory = self.script_file = self.entry_point = self.name = ''
        self.bindings = {}
        self.properties = {}
        for no, a, b in found:
            if no == 1:
                self.directory = text(data, a, b)
            elif no == 2:
                self.script_file = text(data, a, b)
            elif no == 3:
                self.entry_point = text(data, a, b)
            elif no == 4:
                self.name = text(data, a, b)
            elif no == 6:
                self._add_binding(data, a, b)
            elif no == 16:
                text_map(data, a, b, self.properties)

    def _add_binding(self, data, start, stop):
        name, binding = '', Binding('', 0, 0)
        for no, a, b in inner(data, start, stop):
            if no == 1:
                name = text(data, a, b)
            elif no == 2:
                binding = _binding(data, a, b)
        self.bindings[name] = binding


class Binding:
    """A BindingInfo: its type, direction (0 in, 1 out, 2 inout) and data type."""

    __slots__ = ('type', 'direction', 'data_type')

    def __init__(self, type_, direction, data_type):
        self.type = type_
        self.direction = direction
        self.data_type = data_type


def _binding(data, start, stop):
    binding = Binding('', 0, 0)
    for no, a, b in inner(data, start, stop):
        if no == 2:
            binding.type = text(data, a, b)
        elif no == 3:
            binding.direction = number(data, a, b)
        elif no == 4:
            binding.data_type = number(data, a, b)
    return binding


_DECODERS = {4: Invocation, 8: Load, 17: Init, 25: Reload}
