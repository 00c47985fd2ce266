"""The v1 model: a folder per function with function.json and a script with an entry point."""

import importlib
import importlib.util
import os
import sys
import types

from . import signature

_ROOT = '__app__'
_DEFAULT_SCRIPT, _DEFAULT_ENTRY = '__init__.py', 'main'


def load(app_directory, metadata):
    """Imports a function of the v1 model and returns its Plan; a RuntimeError says what is wrong with its files."""
    name, folder = metadata.name, os.path.abspath(metadata.directory)
    root = os.path.dirname(folder)
    script = os.path.abspath(os.path.join(folder, metadata.script_file or _DEFAULT_SCRIPT))
    _register_root(root)
    module = importlib.import_module(_module_name(name, folder, root, script))
    entry = metadata.entry_point or _DEFAULT_ENTRY
    function = getattr(module, entry, None)
    if function is None:
        raise RuntimeError(f'cannot load the {name} function: {script} has no function {entry}()')
    if not callable(function):
        raise RuntimeError(f'cannot load the {name} function: {entry} in {script} is not a function')
    return signature.plan(name, metadata.directory, function, metadata.bindings)


def _module_name(name, folder, root, script):
    if not script.endswith('.py'):
        raise RuntimeError(f'cannot load the {name} function: its script {script} is not a .py file')
    if not script.startswith(os.path.join(root, '')):
        raise RuntimeError(f'cannot load the {name} function: its script {script} is outside the app {root}')
    if not os.path.isfile(script):
        raise RuntimeError(f'cannot load the {name} function: its script {script} does not exist')
    parts = os.path.relpath(script, root).removesuffix('.py').split(os.sep)
    if parts[-1] == '__init__':
        parts.pop()
    return '.'.join([_ROOT, *parts])


def _register_root(root):
    # The folder above the function is a package called __app__, so that relative and __app__ imports work.
    package = sys.modules.get(_ROOT)
    if package is None or package.__path__ != [root]:
        forget()
        package = types.ModuleType(_ROOT)
        package.__path__ = [root]
        package.__package__ = _ROOT
        package.__spec__ = importlib.util.spec_from_loader(_ROOT, None, is_package=True)
        package.__spec__.submodule_search_locations = package.__path__
        sys.modules[_ROOT] = package
    importlib.invalidate_caches()


def forget():
    """Forgets the modules of an earlier app."""
    for name in [each for each in sys.modules if each == _ROOT or each.startswith(_ROOT + '.')]:
        del sys.modules[name]
