"""A function's plan: its parameters held against its bindings once, so that a call only follows it."""

import inspect
import typing

from . import convert
from .errors import FunctionLoadError

IN, OUT, INOUT = 0, 1, 2
_RETURN = '$return'
_CONTEXT = 'context'


class Slot:
    """How one input or output is converted."""

    __slots__ = ('name', 'type', 'pytype', 'converter', 'reads_metadata', 'is_deferred')

    def __init__(self, name, binding_type, pytype, converter=None, is_deferred=False):
        self.name = name
        self.type = binding_type
        self.pytype = pytype
        self.converter = converter or convert.converter_of(binding_type)
        self.reads_metadata = self.converter.has_trigger_support() if hasattr(
            self.converter, 'has_trigger_support') else False
        self.is_deferred = is_deferred


class Plan:
    """A function that can be called."""

    __slots__ = ('name', 'directory', 'function', 'is_async', 'needs_context', 'inputs', 'outputs', 'returned',
                 'http_input')

    def __init__(self, name, directory, function):
        self.name = name
        self.directory = directory
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.needs_context = False
        self.inputs = {}
        self.outputs = {}
        self.returned = None
        self.http_input = None


def plan(name, directory, function, bindings):
    """Checks a function against its bindings (name -> Binding) and returns its Plan; else a FunctionLoadError."""
    made = Plan(name, directory, function)
    parameters, hints = _signature(name, function)
    _check_directions(name, bindings)
    made.needs_context = _takes_context(name, parameters, hints, bindings)
    _check_names(name, parameters, bindings, made.needs_context)
    for parameter in parameters:
        if parameter in bindings:
            slot = _slot(name, parameter, bindings[parameter], hints.get(parameter))
            (made.outputs if bindings[parameter].direction == OUT else made.inputs)[parameter] = slot
    made.returned = _returned(name, bindings, hints)
    made.http_input = next((n for n, b in bindings.items() if b.type.lower() == 'httptrigger'), None)
    return made


def _signature(name, function):
    try:
        parameters = dict(inspect.signature(function).parameters)
        return parameters, typing.get_type_hints(function)
    except (NameError, TypeError, ValueError, AttributeError) as error:
        raise FunctionLoadError(name, f'its signature cannot be read: {error}') from error


def _check_directions(name, bindings):
    for binding_name, binding in bindings.items():
        if binding.direction == INOUT:
            raise FunctionLoadError(name, f'"inout" bindings are not supported: {binding_name!r}')
        if binding_name == _RETURN and binding.direction != OUT:
            raise FunctionLoadError(name, '"$return" binding must have direction set to "out"')


def _takes_context(name, parameters, hints, bindings):
    if _CONTEXT not in parameters or _CONTEXT in bindings:
        return False
    hint = hints.get(_CONTEXT)
    if hint is not None and (not isinstance(hint, type) or hint.__name__ != 'Context'):
        raise FunctionLoadError(name, f'the "context" parameter is expected to be of type azure.functions.Context, '
                                      f'got {hint!r}')
    return True


def _check_names(name, parameters, bindings, has_context):
    declared = set(parameters) - ({_CONTEXT} if has_context else set())
    bound = set(bindings) - {_RETURN}
    if extra := declared - bound:
        raise FunctionLoadError(name, 'the following parameters are declared in Python but are not bindings of the '
                                      f'function: {_listed(extra)}')
    if missing := bound - declared:
        raise FunctionLoadError(name, 'the following parameters are declared as bindings but not in Python: '
                                      f'{_listed(missing)}')


def _listed(names):
    return '{' + ', '.join(map(repr, sorted(names))) + '}'


def _is_out(hint):
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and origin.__name__ == 'Out'


def _slot(name, parameter, binding, hint):
    is_out, pytype = _is_out(hint), hint
    if is_out:
        inner = typing.get_args(hint)
        if len(inner) != 1:
            raise FunctionLoadError(name, f'binding {parameter} has invalid Out annotation {hint!r}')
        pytype = inner[0]
    if hint is None:
        return Slot(parameter, binding.type, None)
    if not isinstance(pytype, type) and typing.get_origin(pytype) is None:
        raise FunctionLoadError(name, f'binding {parameter} has invalid non-type annotation {pytype!r}')
    if is_out != (binding.direction == OUT):
        raise FunctionLoadError(name, f'binding {parameter} is declared with direction '
                                      f'"{("in", "out")[binding.direction]}", but its annotation in Python is {hint!r}'
                                      f' ({"only out bindings are" if is_out else "expected"} azure.functions.Out)')
    if not is_out and (deferred := _deferred(parameter, binding, pytype)):
        return deferred
    return _checked(name, parameter, binding, pytype, is_out)


def _deferred(parameter, binding, pytype):
    registry = convert.extension_registry()
    if registry is None or not registry.check_supported_type(pytype):
        return None
    converter = registry.get(binding.type)
    return Slot(parameter, binding.type, pytype, converter, is_deferred=True) if converter else None


def _checked(name, parameter, binding, pytype, is_out):
    is_plain = pytype in (str, bytes) and not convert.has_implicit_output(binding.type)
    slot = Slot(parameter, 'generic' if is_plain else binding.type, pytype)
    check = 'check_output_type_annotation' if is_out else 'check_input_type_annotation'
    if not _accepts(slot.converter, check, pytype):
        raise FunctionLoadError(name, f'type of {parameter} binding in the function\'s bindings, "{binding.type}", does '
                                      f'not match its Python annotation, {pytype!r}')
    return slot


def _accepts(converter, check, pytype):
    try:
        return getattr(converter, check)(pytype)
    except (TypeError, AttributeError):
        # issubclass of what is no class, or a converter for the other direction.
        return False


def _returned(name, bindings, hints):
    hint = hints.get('return')
    if hint is not None and _is_out(hint):
        raise FunctionLoadError(name, 'return annotation should not be azure.functions.Out')
    explicit = bindings.get(_RETURN)
    if explicit is not None:
        slot = Slot(_RETURN, explicit.type, hint)
        if hint is not None and not _accepts(slot.converter, 'check_output_type_annotation', hint):
            raise FunctionLoadError(name, f'Python return annotation {hint!r} does not match the binding type '
                                          f'"{explicit.type}"')
        return slot
    implicit = [b.type for b in bindings.values() if convert.has_implicit_output(b.type)]
    return Slot(_RETURN, implicit[-1], hint) if implicit else None
