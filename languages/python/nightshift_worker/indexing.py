"""The v2 model: functions registered by decorators in function_app.py."""

import importlib
import inspect
import os
import re
import uuid

from . import convert, environment, signature
from .errors import FunctionLoadError
from .wire.decode import Binding

_SCRIPT_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_-]*\.py')


class Retry:
    """A retry policy; intervals are seconds or None."""

    def __init__(self, count, is_fixed, delay, minimum, maximum):
        self.count = count
        self.is_fixed = is_fixed
        self.delay = delay
        self.minimum = minimum
        self.maximum = maximum


class IndexedFunction:
    """What the host is told of a function, and how it is called."""

    def __init__(self, name, directory, script_file, bindings, raw_bindings, retry, plan):
        self.name = self.entry_point = name
        self.id = str(uuid.uuid5(uuid.NAMESPACE_OID, name))
        self.directory = directory
        self.script_file = script_file
        self.bindings = bindings
        self.raw_bindings = raw_bindings
        self.retry = retry
        self.plan = plan
        self.properties = {'worker_indexed': 'True'}


def script_of(directory):
    """Returns the app's script in the v2 model, None if it has none. A name that cannot be imported is a ValueError."""
    name = environment.script_name()
    if not _SCRIPT_NAME.fullmatch(name):
        raise ValueError(f'PYTHON_SCRIPT_FILE_NAME is {name!r}: the name of a Python file is expected, as function_app.py')
    return name if os.path.isfile(os.path.join(directory, name)) else None


def index(directory, script):
    """Imports the script and returns its functions."""
    importlib.invalidate_caches()
    module = importlib.import_module(script.removesuffix('.py'))
    functions = [_indexed(each, directory, script) for each in _app_of(module, script).get_functions()]
    return functions


def _app_of(module, script):
    register = convert.library().FunctionRegister
    found = [name for name, value in vars(module).items() if isinstance(value, register)]
    if not found:
        raise ValueError(f'could not find a top level function app instance in {script}: it needs a line like '
                         'app = azure.functions.FunctionApp()')
    if len(found) > 1:
        raise ValueError(f'more than one top level function app instance is defined in {script}: {", ".join(found)}; '
                         'there must be one, with one name')
    return getattr(module, found[0])


def _indexed(function, directory, script):
    name, user_function = function.get_function_name(), function.get_user_function()
    bindings = _bindings_of(name, function)
    plan = signature.plan(name, _folder_of(user_function, directory), user_function, bindings)
    return IndexedFunction(name, directory, script, bindings, _raw_bindings_of(function, plan),
                           _retry_of(name, function.get_settings_dict('retry_policy')), plan)


def _bindings_of(name, function):
    bindings = {}
    for each in function.get_bindings():
        if each.name in bindings:
            raise FunctionLoadError(name, f'it has two bindings with the name {each.name!r}')
        bindings[each.name] = Binding(each.type, each.direction, each.data_type or 0)
    return bindings


def _raw_bindings_of(function, plan):
    if any(slot.is_deferred for slot in plan.inputs.values()):
        raw, _ = convert.extension_registry().get_raw_bindings(function, plan.inputs)
        return raw
    return function.get_raw_bindings()


def _folder_of(user_function, directory):
    try:
        return os.path.dirname(inspect.getfile(inspect.unwrap(user_function)))
    except (TypeError, ValueError):
        return directory


def _retry_of(name, policy):
    if not policy:
        return None
    try:
        return Retry(int(policy['max_retry_count']), policy['strategy'] == 'fixed_delay',
                     _seconds(policy.get('delay_interval')), _seconds(policy.get('minimum_interval')),
                     _seconds(policy.get('maximum_interval')))
    except (ValueError, KeyError) as error:
        raise FunctionLoadError(name, f'its retry policy is not well-formed: {error}') from error


def _seconds(text):
    if not text:
        return None
    hours, minutes, seconds = text.split(':')
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)
