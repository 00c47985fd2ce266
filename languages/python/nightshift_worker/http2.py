"""As much HTTP/2 as one client stream needs, as pure bytes in, bytes out.

Header blocks of the host are not decoded: a gRPC stream carries its news in DATA frames, and from the trailers only
the status matters. So there is no HPACK state to keep.
"""

import re
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
STREAM = 1
HEADER_BYTES = 9
DEFAULT_WINDOW = 65535
OUR_WINDOW = 16 * 1024 * 1024
OUR_MAX_FRAME = 1024 * 1024
MAX_WINDOW = 2**31 - 1

_SETTING_PUSH, _SETTING_WINDOW, _SETTING_MAX_FRAME = 2, 4, 5
_NO_ERROR, _CANCEL = 0, 8
_FRAME = struct.Struct('>HBBBI')
_U32 = struct.Struct('>I')
_SETTING = struct.Struct('>HI')

# "grpc-status" spelled out or in HPACK's Huffman code, then the length and text of its value.
_STATUS = re.compile(rb'(?:grpc-status|\x9a\xca\xc8\xb2\x12\x34\xda\x8f)[\x01\x02](\d{1,2})')


class Http2Error(ConnectionError):
    """The host does not speak HTTP/2 as agreed, or refused the stream."""


def frame(kind, flags, stream, payload=b''):
    """Returns one frame."""
    size = len(payload)
    return _FRAME.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def _literal(name, value):
    # HPACK: a literal field that is not indexed, both parts as plain text shorter than 127 bytes.
    return b'\0%c%b%c%b' % (len(name), name, len(value), value)


def request_headers(authority, path):
    """Returns the header block of a gRPC call."""
    return b''.join(_literal(name, value) for name, value in (
        (b':method', b'POST'), (b':scheme', b'http'), (b':path', path.encode()), (b':authority', authority.encode()),
        (b'te', b'trailers'), (b'content-type', b'application/grpc'),
        (b'user-agent', b'nightshift-python-language-worker')))


class Stream:
    """One client stream. feed() takes what arrived, send() what is to go; take_output() returns bytes to write."""

    def __init__(self, authority, path):
        self.is_ended = False
        self.grpc_status = None
        self._in = b''
        self._out = [
            PREFACE,
            frame(SETTINGS, 0, 0, _SETTING.pack(_SETTING_PUSH, 0) + _SETTING.pack(_SETTING_WINDOW, OUR_WINDOW)
                  + _SETTING.pack(_SETTING_MAX_FRAME, OUR_MAX_FRAME)),
            frame(WINDOW_UPDATE, 0, 0, _U32.pack(OUR_WINDOW - DEFAULT_WINDOW)),
            frame(HEADERS, END_HEADERS, STREAM, request_headers(authority, path)),
        ]
        self._waiting = []
        self._consumed = 0
        self._max_frame = 16384
        self._window = self._initial_window = DEFAULT_WINDOW
        self._connection_window = DEFAULT_WINDOW

    def take_output(self):
        """Returns what is to be written now."""
        if not self._out:
            return b''
        out = b''.join(self._out)
        self._out = []
        return out

    @property
    def has_waiting(self):
        """Tells whether data waits for the host to open its window."""
        return bool(self._waiting)

    def send(self, data):
        """Queues data of the stream; what the host's windows do not allow yet goes later."""
        if data:
            self._waiting.append(data)
            self._fill_windows()

    def end(self):
        """Ends our side of the stream."""
        self._out.append(frame(DATA, END_STREAM, STREAM))

    def _fill_windows(self):
        while self._waiting:
            allowed = min(self._window, self._connection_window)
            if allowed <= 0:
                return
            data = self._waiting[0]
            if len(data) > allowed:
                self._waiting[0] = data[allowed:]
                data = data[:allowed]
            else:
                del self._waiting[0]
            self._window -= len(data)
            self._connection_window -= len(data)
            for at in range(0, len(data), self._max_frame):
                self._out.append(frame(DATA, 0, STREAM, data[at:at + self._max_frame]))

    def feed(self, data):
        """Takes bytes from the host; returns the stream's data among them, in pieces."""
        pieces = []
        if self._in:
            data = self._in + data
        pos, end = 0, len(data)
        while end - pos >= HEADER_BYTES:
            high, low, kind, flags, stream = _FRAME.unpack_from(data, pos)
            size = high << 8 | low
            if size > OUR_MAX_FRAME:
                raise Http2Error(f'the host sent a frame of {size} bytes')
            stop = pos + HEADER_BYTES + size
            if stop > end:
                break
            payload = data[pos + HEADER_BYTES:stop]
            pos = stop
            if kind == DATA:
                pieces.append(self._data(flags, payload))
            else:
                self._control(kind, flags, stream & 0x7FFFFFFF, payload)
        self._in = data[pos:]
        return pieces

    def _data(self, flags, payload):
        self._consumed += len(payload)
        if self._consumed > OUR_WINDOW // 2:
            grown = _U32.pack(self._consumed)
            self._out.append(frame(WINDOW_UPDATE, 0, 0, grown) + frame(WINDOW_UPDATE, 0, STREAM, grown))
            self._consumed = 0
        if flags & END_STREAM:
            self.is_ended = True
        return _unpadded(payload) if flags & PADDED else payload

    def _control(self, kind, flags, stream, payload):
        if kind == WINDOW_UPDATE:
            self._widen(stream, payload)
        elif kind == SETTINGS:
            if not flags & ACK:
                self._settings(payload)
        elif kind == PING:
            if not flags & ACK:
                self._out.append(frame(PING, ACK, 0, payload))
        elif kind in (HEADERS, CONTINUATION):
            self._headers(kind, flags, payload)
        elif kind == RST_STREAM:
            self._reset('reset the stream', payload, 0)
        elif kind == GOAWAY:
            self._goaway(payload)
        elif kind == PUSH_PROMISE:
            raise Http2Error('the host pushed a stream')

    def _headers(self, kind, flags, payload):
        found = _STATUS.search(payload)
        if found:
            self.grpc_status = int(found.group(1))
        if kind == HEADERS and flags & END_STREAM:
            self.is_ended = True

    def _widen(self, stream, payload):
        step = _read_u32(payload, 0) & 0x7FFFFFFF
        if stream == 0:
            self._connection_window += step
        else:
            self._window += step
        if max(self._window, self._connection_window) > MAX_WINDOW:
            raise Http2Error('the host opened its window too far')
        self._fill_windows()

    def _settings(self, payload):
        if len(payload) % _SETTING.size:
            raise Http2Error('the host sent broken settings')
        for name, value in _SETTING.iter_unpack(payload):
            if name == _SETTING_WINDOW:
                self._window += value - self._initial_window
                self._initial_window = value
            elif name == _SETTING_MAX_FRAME:
                if not 16384 <= value < 1 << 24:
                    raise Http2Error(f'the host allows frames of {value} bytes')
                self._max_frame = value
        self._out.append(frame(SETTINGS, ACK, 0))
        self._fill_windows()

    def _reset(self, what, payload, at):
        code = _read_u32(payload, at)
        if code not in (_NO_ERROR, _CANCEL):
            raise Http2Error(f'the host {what} with the HTTP/2 error {code}')
        self.is_ended = True

    def _goaway(self, payload):
        # In order, it only means that no new stream may begin; ours goes on.
        if _read_u32(payload, 4) != _NO_ERROR:
            self._reset('closed the connection', payload, 4)


def _read_u32(payload, at):
    if len(payload) < at + 4:
        raise Http2Error('the host sent a frame that is cut off')
    return _U32.unpack_from(payload, at)[0]


def _unpadded(payload):
    if not payload or payload[0] >= len(payload):
        raise Http2Error('the host sent broken padding')
    return payload[1:len(payload) - payload[0]]
