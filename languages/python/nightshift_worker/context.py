"""What a function sees of its call: Context, trace and retry context, Out parameters; and whose call this is."""

import threading
from contextvars import ContextVar

from .wire import decode

# The call whose code runs: tasks and copied contexts inherit it, log lines are attributed by it.
current = ContextVar('nightshift_invocation', default=None)

# For threads that an app starts itself: it sets invocation_id on this, as Azure documents.
thread_local = threading.local()


def current_invocation_id():
    """Returns the id of the call whose code runs, '' outside of calls."""
    return current.get() or getattr(thread_local, 'invocation_id', None) or ''


class TraceContext:
    """The W3C trace context of a call."""

    def __init__(self, parent, state, attributes):
        self.trace_parent = parent
        self.trace_state = state
        self.attributes = attributes

    @property
    def Traceparent(self):  # noqa: N802 - the deprecated names are still in use
        """The older name of trace_parent."""
        return self.trace_parent

    @property
    def Tracestate(self):  # noqa: N802
        """The older name of trace_state."""
        return self.trace_state

    @property
    def Attributes(self):  # noqa: N802
        """The older name of attributes."""
        return self.attributes


class RpcException:
    """The failure that a retry follows."""

    def __init__(self, source, stack_trace, message):
        self.source = source
        self.stack_trace = stack_trace
        self.message = message


class RetryContext:
    """The how-manieth attempt this is."""

    def __init__(self, count, limit, exception):
        self.retry_count = count
        self.max_retry_count = limit
        self.exception = RpcException(*exception) if exception else None

    @property
    def rpc_exception(self):
        """The name that Azure's worker gives to exception."""
        return self.exception


class Context:
    """The `context` parameter of a function."""

    def __init__(self, request, plan):
        self._request = request
        self._plan = plan
        self._trace = self._retry = None

    @property
    def invocation_id(self):
        """The call's id."""
        return self._request.id

    @property
    def thread_local_storage(self):
        """Set invocation_id on it in a thread of your own, to have its log lines attributed to the call."""
        return thread_local

    @property
    def function_name(self):
        """The function's name."""
        return self._plan.name

    @property
    def function_directory(self):
        """The folder of the function's source file."""
        return self._plan.directory

    @property
    def trace_context(self):
        """The trace context that the caller sent."""
        if self._trace is None:
            self._trace = TraceContext(*decode.trace_context(self._request.data, self._request.trace))
        return self._trace

    @property
    def retry_context(self):
        """The retry context, all zero for a function without retries."""
        if self._retry is None:
            self._retry = RetryContext(*decode.retry_context(self._request.data, self._request.retry))
        return self._retry


class Out:
    """An output parameter; None, the start value, sends nothing."""

    __slots__ = ('_value',)

    def __init__(self):
        self._value = None

    def set(self, value):
        """Sets the output."""
        self._value = value

    def get(self):
        """Returns what was set."""
        return self._value
