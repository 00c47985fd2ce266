"""The process: arguments, event loop, and an end that nothing can hold up."""

import asyncio
import os
import sys
import threading

from .arguments import ArgumentError, parse
from .logs import console
from .transport import Transport
from .worker import Worker

# How long exit handlers and threads of the app may take once the host is gone.
END_SECONDS = 3


def main(argv):
    """Runs the language worker; does not return."""
    for stream in (sys.stdout, sys.stderr):
        # Lines of print() leave at once, and none fails for a character that the system's own encoding lacks.
        stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
    try:
        launch = parse(argv)
    except ArgumentError as error:
        console('error', str(error))
        sys.exit(2)
    try:
        code = asyncio.run(_serve(launch))
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)


async def _serve(launch):
    ended = asyncio.get_running_loop().create_future()

    def end(code):
        if not ended.done():
            ended.set_result(code)

    def on_close(error):
        if error is not None:
            console('error', f'the stream to the host is lost: {error}')
        end(1 if error else 0)

    worker = Worker(end)
    try:
        transport = await Transport.connect(launch.host, launch.port, launch.limit, worker.receive, on_close)
    except OSError as error:
        console('error', f'the host does not listen at {launch.host}:{launch.port}: {error or "no answer in time"}')
        return 1
    worker.start(transport, launch)
    code = await ended
    transport.end()
    _end_soon(code)
    return code


def _end_soon(code):
    def end():
        if not done.wait(END_SECONDS):
            os._exit(code)

    done = threading.Event()
    threading.Thread(target=end, name='end', daemon=True).start()
