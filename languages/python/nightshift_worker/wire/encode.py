"""What the language worker says: each function returns the bytes of one StreamingMessage."""

from .writer import nested, number, text, text_map

STATUS_SUCCESS = 1
LEVELS = {'trace': 0, 'debug': 1, 'information': 2, 'warning': 3, 'error': 4, 'critical': 5, 'none': 6}
USER, SYSTEM = 0, 1
_SUCCEEDED = number(4, STATUS_SUCCESS)


def _message(request_id, no, content):
    return text(1, request_id) + nested(no, content)


def result(failure):
    """A StatusResult: success, or the Failure that was met."""
    if failure is None:
        return _SUCCEEDED
    return nested(2, text(1, failure.stack_trace) + text(2, failure.message))


def start_stream(request_id, worker_id):
    """StartStream, the first message on the stream."""
    return _message(request_id, 20, text(2, worker_id))


def _worker_metadata(metadata):
    return (text(1, metadata['runtime_name']) + text(2, metadata['runtime_version'])
            + text(3, metadata['worker_version']) + text(4, metadata['worker_bitness']))


def init_response(request_id, capabilities, metadata, failure=None):
    """WorkerInitResponse."""
    return _message(request_id, 16, text_map(2, capabilities) + nested(3, result(failure))
                    + nested(4, _worker_metadata(metadata)))


def reload_response(request_id, capabilities, metadata, failure=None):
    """FunctionEnvironmentReloadResponse; the capabilities replace the earlier ones."""
    return _message(request_id, 26, nested(1, _worker_metadata(metadata)) + text_map(2, capabilities)
                    + nested(3, result(failure)) + number(4, 1))


def metadata_response(request_id, functions, use_default, failure=None):
    """FunctionMetadataResponse with the functions found, or the request that the host read function.json files."""
    return _message(request_id, 30, b''.join([nested(1, _function(f)) for f in functions])
                    + nested(2, result(failure)) + number(3, use_default))


def _function(function):
    bindings = b''.join([nested(6, text(1, name) + nested(2, _binding(binding)))
                         for name, binding in function.bindings.items()])
    raw = b''.join([text(10, each) for each in function.raw_bindings])
    retry = nested(15, _retry(function.retry)) if function.retry else b''
    return (text(1, function.directory) + text(2, function.script_file) + text(3, function.entry_point)
            + text(4, function.name) + bindings + text(9, 'python') + raw + text(13, function.id) + retry
            + text_map(16, function.properties))


def _binding(binding):
    return text(2, binding.type) + number(3, binding.direction) + number(4, binding.data_type)


def _retry(retry):
    intervals = b''.join([nested(no, number(1, seconds)) for no, seconds in
                          ((3, retry.delay), (4, retry.minimum), (5, retry.maximum)) if seconds is not None])
    return number(2, retry.count) + intervals + number(6, retry.is_fixed)


def load_response(request_id, function_id, failure=None):
    """FunctionLoadResponse."""
    return _message(request_id, 9, text(1, function_id) + nested(2, result(failure)))


def status_response(request_id):
    """WorkerStatusResponse."""
    return _message(request_id, 13, b'')


def invocation_response(request_id, invocation_id, outputs=b'', return_value=None, failure=None):
    """InvocationResponse; outputs are encoded ParameterBinding fields, return_value an encoded TypedData."""
    returned = b'' if return_value is None else nested(4, return_value)
    return _message(request_id, 5, text(1, invocation_id) + outputs + nested(3, result(failure)) + returned)


def output(name, typed_data):
    """One entry of InvocationResponse.output_data."""
    return nested(2, text(1, name) + nested(2, typed_data))


def log(invocation_id, category, level, message, log_category):
    """RpcLog."""
    return nested(2, text(1, invocation_id) + text(2, category) + number(3, level) + text(4, message)
                  + number(8, log_category))
