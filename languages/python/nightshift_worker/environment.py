"""Settings that steer the language worker, and replacing the whole environment when a placeholder gets its app."""

import logging
import os
import time

_TRUE = {'1', 'true', 't', 'yes', 'y'}


def is_on(name):
    """Tells whether a setting is switched on."""
    return os.environ.get(name, '').strip().lower() in _TRUE


def log_level():
    """Returns the level of the root logger."""
    return logging.DEBUG if is_on('PYTHON_ENABLE_DEBUG_LOGGING') else logging.INFO


def script_name():
    """Returns the file that holds the app in the v2 model."""
    return os.environ.get('PYTHON_SCRIPT_FILE_NAME') or 'function_app.py'


def pool_size():
    """Returns how many synchronous functions may run at a time; Python's own default if it is not set well."""
    default = min(32, (os.cpu_count() or 1) + 4)
    text = os.environ.get('PYTHON_THREADPOOL_THREAD_COUNT')
    if not text:
        return default
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        logging.getLogger('nightshift_worker').warning(
            'PYTHON_THREADPOOL_THREAD_COUNT is %r, not a number of at least 1; %d threads are used', text, default)
        return default
    return size


def replace(variables):
    """Replaces all variables of the process, and the time zone with them."""
    os.environ.clear()
    os.environ.update(variables)
    if hasattr(time, 'tzset'):
        time.tzset()
