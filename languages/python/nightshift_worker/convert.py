"""Converters: between Datum and the objects functions use, by the library's registry; what it does not know is generic."""

import sys

from .wire.data import Datum


class GenericConverter:
    """Any binding the library has no converter for: text and bytes pass as they are, JSON as its text."""

    @staticmethod
    def has_trigger_support():
        """It reads no trigger metadata."""
        return False

    @staticmethod
    def check_input_type_annotation(pytype):
        """Takes text and bytes."""
        return issubclass(pytype, (str, bytes, bytearray))

    @staticmethod
    def check_output_type_annotation(pytype):
        """Gives text, bytes and what JSON can carry."""
        return issubclass(pytype, (str, bytes, bytearray, dict, list, int, float))

    @staticmethod
    def decode(data, *, trigger_metadata):
        """Passes the value."""
        if data.type not in ('string', 'bytes', 'json', 'int', 'double', None):
            raise NotImplementedError
        return data.value

    @staticmethod
    def encode(value, *, expected_type):
        """Chooses the kind by the value's type."""
        for types, kind in _GENERIC_KINDS:
            if isinstance(value, types):
                return Datum(bytes(value) if kind == 'bytes' else value, kind)
        raise NotImplementedError


# bool is an int to Python, so it needs no line of its own.
_GENERIC_KINDS = ((str, 'string'), ((bytes, bytearray), 'bytes'), (type(None), None), (dict, 'dict'), (list, 'list'),
                  (int, 'int'), (float, 'double'))


def library():
    """Returns azure.functions, the app's own copy if it has one."""
    import azure.functions  # deferred: which copy it is depends on the app
    return azure.functions


def converter_of(binding_type):
    """Returns the converter of a binding type."""
    return library().get_binding_registry().get(binding_type) or GenericConverter


def has_implicit_output(binding_type):
    """Tells whether a function with such a trigger or input may return a value without a `$return` binding."""
    converter = converter_of(binding_type)
    if converter is GenericConverter:
        return binding_type != 'durableClient'
    declared = getattr(converter, 'has_implicit_output', None)
    return bool(declared and declared())


def extension_registry():
    """Returns the registry of deferred (SDK type) bindings, if the app imported it."""
    module = sys.modules.get('azurefunctions.extensions.base')
    return module.get_binding_registry() if module else None


def encode(converter, binding_type, value, expected_type):
    """Returns the Datum of a function's output."""
    try:
        return converter.encode(value, expected_type=expected_type)
    except NotImplementedError:
        raise TypeError(f'unable to encode outgoing TypedData: unsupported type "{binding_type}" for Python type '
                        f'"{type(value).__name__}"') from None
