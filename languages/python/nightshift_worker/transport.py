"""The event stream: one gRPC call on one connection, messages in and out.

Messages of one turn of the event loop leave in one write. send() may be called from any thread.
"""

import asyncio
import struct
import threading
from collections import deque

from .http2 import Http2Error, Stream

PATH = '/AzureFunctionsRpcMessages.FunctionRpc/EventStream'
CONNECT_SECONDS = 10
_PREFIX = struct.Struct('>BI')
_PREFIX_BYTES = 5


class Messages:
    """Cuts the data of a stream into gRPC messages."""

    def __init__(self, limit):
        self._limit = limit
        self._parts = []
        self._have = 0
        self._need = _PREFIX_BYTES

    def push(self, data):
        """Takes the next piece and returns the messages that are complete with it."""
        self._have += len(data)
        if self._have < self._need:
            # Joined only once the awaited message is complete: a large one is not copied again and again.
            self._parts.append(data)
            return ()
        if self._parts:
            self._parts.append(data)
            data = b''.join(self._parts)
        found, pos, end = [], 0, len(data)
        while True:
            self._need = _PREFIX_BYTES
            if end - pos < _PREFIX_BYTES:
                break
            self._need += self._size(data, pos)
            if end - pos < self._need:
                break
            found.append(data[pos + _PREFIX_BYTES:pos + self._need])
            pos += self._need
        self._have = end - pos
        self._parts = [data[pos:]] if self._have else []
        return found

    def _size(self, data, pos):
        compressed, size = _PREFIX.unpack_from(data, pos)
        if compressed:
            raise Http2Error('the host sent a compressed message, which was not agreed')
        if size > self._limit:
            raise Http2Error(f'the host sent a message of {size} bytes, the limit is {self._limit}')
        return size


class Transport(asyncio.Protocol):
    """Calls on_message(bytes) for each message, then exactly once on_close(error), None if the host ended in order."""

    def __init__(self, authority, limit, on_message, on_close):
        self._stream = Stream(authority, PATH)
        self._messages = Messages(limit)
        self._on_message = on_message
        self._on_close = on_close
        self._socket = None
        self._outbox = deque()
        self._is_scheduled = False
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @classmethod
    async def connect(cls, host, port, limit, on_message, on_close):
        """Opens the stream to the host; an OSError or TimeoutError says that nobody is there."""
        authority = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            _, transport = await loop.create_connection(lambda: cls(authority, limit, on_message, on_close), host, port)
        return transport

    def send(self, message):
        """Sends a message with what else is sent in this turn of the event loop."""
        self._outbox.append(_PREFIX.pack(0, len(message)))
        self._outbox.append(message)
        if self._is_scheduled:
            return
        self._is_scheduled = True
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self.flush)
            return
        try:
            self._loop.call_soon_threadsafe(self.flush)
        except RuntimeError:
            pass  # The loop is closed: nobody listens any more.

    def flush(self):
        """Writes what is waiting; on the event loop's thread only."""
        # First the mark, then the queue: whoever appends later sees the mark gone and schedules the next flush.
        self._is_scheduled = False
        outbox = self._outbox
        data = b''.join([outbox.popleft() for _ in range(len(outbox))])
        if data and not self._is_closed:
            self._stream.send(data)
            self._write()

    @property
    def is_own_thread(self):
        """Tells whether the caller is on the event loop's thread."""
        return threading.get_ident() == self._thread

    def _write(self):
        out = self._stream.take_output()
        if out and self._socket is not None:
            self._socket.write(out)

    def end(self):
        """Sends what is waiting and closes; on_close(None) follows."""
        self.flush()
        if not self._is_closed:
            self._stream.end()
            self._write()
            self._socket.close()

    def connection_made(self, transport):
        """asyncio: the connection stands."""
        self._socket = transport
        self._write()

    def data_received(self, data):
        """asyncio: bytes arrived."""
        try:
            for piece in self._stream.feed(data):
                for message in self._messages.push(piece):
                    self._on_message(message)
        except Http2Error as error:
            self._close(error)
            return
        self._write()
        if self._stream.is_ended:
            self._close(self._status_error())

    def _status_error(self):
        status = self._stream.grpc_status
        return Http2Error(f'the host ended the stream with gRPC status {status}') if status else None

    def connection_lost(self, error):
        """asyncio: the connection is gone."""
        self._close(error)

    def _close(self, error):
        if self._is_closed:
            return
        self._is_closed = True
        self._socket.close()
        self._on_close(error)
