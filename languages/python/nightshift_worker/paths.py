"""Where modules come from: the app's packages, ours for what the app does not bring, Python's own, the app itself."""

import os
import sys
from importlib.machinery import PathFinder

BUNDLED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), '.packages')
_PACKAGES = '.python_packages'
# What the bundled folder holds; if the app brings one of these, it brings all that belong together.
_BUNDLED_MODULES = ('azure.functions', 'werkzeug', 'markupsafe')


def app_packages(directory):
    """Lists the app's own package folders, as `pip install --target` and func lay them out."""
    version = 'python%d.%d' % sys.version_info[:2]
    root = os.path.join(directory, _PACKAGES, 'lib')
    candidates = (os.path.join(root, 'site-packages'), os.path.join(root, version, 'site-packages'))
    return [each for each in candidates if os.path.isdir(each)]


def use(directory, base):
    """Puts an app's folders on the search path, which is otherwise base, and forgets modules of an earlier app."""
    packages = app_packages(directory)
    _forget(_places_to_forget(base, packages))
    sys.path[:] = [*packages, BUNDLED, *base, directory]
    sys.path_importer_cache.clear()


def use_none(base):
    """The search path of a placeholder that has no app yet."""
    sys.path[:] = [BUNDLED, *base]


def _places_to_forget(base, packages):
    keep = {*base, BUNDLED}
    places = [each for each in sys.path if each not in keep]
    if any(_brings(module, packages) for module in _BUNDLED_MODULES):
        places.append(BUNDLED)
    return places


def _brings(module, packages):
    for part in module.split('.'):
        spec = PathFinder.find_spec(part, packages)
        if spec is None:
            return False
        packages = list(spec.submodule_search_locations or ())
    return True


def _forget(places):
    # A module is known by its file; a package without one (a namespace) finds its new folders by itself.
    prefixes = tuple(os.path.join(each, '') for each in places)
    if not prefixes:
        return
    for name, module in list(sys.modules.items()):
        if (getattr(module, '__file__', None) or '').startswith(prefixes):
            del sys.modules[name]
            _unlink(name, module)


def _unlink(name, module):
    parent, _, child = name.rpartition('.')
    holder = sys.modules.get(parent)
    if holder is not None and getattr(holder, child, None) is module:
        delattr(holder, child)
