"""Failures as the host is told of them: the text an app's developer needs, and the frames of the app's own code."""

import importlib
import os
import sys
import traceback

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_IMPORT_FOLDER = os.path.dirname(os.path.abspath(importlib.__file__)) + os.sep


class Failure:
    """What is said about an exception."""

    __slots__ = ('message', 'stack_trace')

    def __init__(self, message, stack_trace=''):
        self.message = message
        self.stack_trace = stack_trace


class FunctionLoadError(RuntimeError):
    """A function whose signature and bindings do not fit."""

    def __init__(self, function, why):
        super().__init__(f'cannot load the {function} function: {why}')


def failure_of(error):
    """Describes an exception: `Type: text`, the hint for missing modules, and the frames that are not ours."""
    message = f'{type(error).__name__}: {_text_of(error)}'
    if isinstance(error, ImportError):
        message += _import_hint()
    try:
        stack = _stack_of(error)
    except Exception as problem:  # an exception's own code may fail too
        stack = f'(no stack: {problem!r})'
    return Failure(message, stack)


def _text_of(error):
    try:
        return str(error)
    except Exception as problem:
        return f'(no text: {type(problem).__name__})'


def _import_hint():
    return ('. If a package is missing: add it to requirements.txt and publish with the packages in'
            ' .python_packages/lib/site-packages (pip install --target). Modules are looked for in: '
            + os.pathsep.join(sys.path))


def _stack_of(error):
    trace = traceback.TracebackException.from_exception(error)
    frames = _frames(trace)
    causes = []
    while (cause := trace.__cause__ or (None if trace.__suppress_context__ else trace.__context__)) is not None:
        _frames(cause)
        causes.append('Caused by ' + ''.join(cause.format(chain=False)))
        trace = cause
    return ''.join([*frames, *causes])


def _frames(trace):
    own = [each for each in trace.stack if not _is_ours(each.filename)]
    # Without any frame of the app (a bad result, say) ours are better than nothing.
    trace.stack[:] = own or trace.stack
    return trace.stack.format()


def _is_ours(filename):
    """Frames of this worker and of the import machinery say nothing about the app."""
    return filename.startswith((_OWN_FOLDER, _IMPORT_FOLDER, '<frozen importlib'))
