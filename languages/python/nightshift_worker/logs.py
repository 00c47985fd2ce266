"""Log lines: the root logger's records go to the host as RpcLog, with the call whose code wrote them."""

import logging
import sys

from . import environment
from .context import current_invocation_id
from .wire import encode

_SYSTEM = ('nightshift_worker', 'azure_functions_worker', 'azure.functions')
_LEVELS = ((logging.CRITICAL, 'critical'), (logging.ERROR, 'error'), (logging.WARNING, 'warning'),
           (logging.INFO, 'information'), (logging.DEBUG, 'debug'))


class RpcHandler(logging.Handler):
    """Sends each record as soon as it is written: code that blocks or dies must not take its last words along."""

    def __init__(self, transport):
        super().__init__()
        self._transport = transport

    def emit(self, record):
        """logging: one record."""
        try:
            level = next((name for least, name in _LEVELS if record.levelno >= least), 'none')
            category = encode.SYSTEM if record.name.startswith(_SYSTEM) else encode.USER
            self._transport.send(encode.log(
                current_invocation_id(), record.name, encode.LEVELS[level], self.format(record), category))
            if self._transport.is_own_thread:
                self._transport.flush()
        except Exception:
            self.handleError(record)


def install(transport):
    """Makes the root logger speak to the host."""
    root = logging.getLogger()
    root.addHandler(RpcHandler(transport))
    set_level()


def set_level():
    """Applies the setting for debug lines."""
    logging.getLogger().setLevel(environment.log_level())


def console(level, text):
    """Writes a line for the host's own log where the stream cannot: before it stands and after it broke."""
    print(f'LanguageWorkerConsoleLog[{level}] ' + ' '.join(text.split()), file=sys.stderr, flush=True)
