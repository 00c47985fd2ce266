"""HTTP/2 and message framing at every boundary, within windows, and against a host that breaks the rules."""

import random
import struct
import unittest

from nightshift_worker import http2
from nightshift_worker.http2 import DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, Http2Error, frame
from nightshift_worker.transport import Messages


def u32(*values):
    return struct.pack('>%dI' % len(values), *values)


def setting(name, value):
    return struct.pack('>HI', name, value)


def stream():
    made = http2.Stream('127.0.0.1:1', '/path')
    made.take_output()
    return made


def frames_of(output):
    found = []
    while output:
        size = int.from_bytes(output[:3], 'big')
        kind, flags, on = output[3], output[4], int.from_bytes(output[5:9], 'big')
        found.append((kind, flags, on, output[9:9 + size]))
        output = output[9 + size:]
    return found


class Frames(unittest.TestCase):
    def test_opening(self):
        out = http2.Stream('127.0.0.1:8080', '/p').take_output()
        self.assertTrue(out.startswith(http2.PREFACE))
        kinds = [each[0] for each in frames_of(out[len(http2.PREFACE):])]
        self.assertEqual(kinds, [SETTINGS, WINDOW_UPDATE, HEADERS])

    def test_data_is_found_however_it_is_cut(self):
        raw = (frame(SETTINGS, 0, 0, setting(3, 100)) + frame(DATA, 0, 1, b'one') + frame(DATA, 8, 1, b'\x02two..')
               + frame(PING, 0, 0, b'12345678') + frame(99, 0, 0, b'unknown kind') + frame(DATA, 1, 1, b''))
        for size in range(1, len(raw) + 1):
            s = stream()
            got = b''.join(piece for at in range(0, len(raw), size) for piece in s.feed(raw[at:at + size]))
            self.assertEqual((got, s.is_ended), (b'onetwo', True), size)
            self.assertEqual([(k, f, p) for k, f, _, p in frames_of(s.take_output())],
                             [(SETTINGS, 1, b''), (PING, 1, b'12345678')])

    def test_sending_keeps_to_both_windows_and_the_frame_size(self):
        s = stream()
        message = random.randbytes(200_000)
        s.send(message)
        sent = frames_of(s.take_output())
        self.assertEqual(sum(len(f[3]) for f in sent), 65535)
        self.assertLessEqual(max(len(f[3]) for f in sent), 16384)
        s.feed(frame(WINDOW_UPDATE, 0, 1, u32(1000)))
        self.assertEqual(s.take_output(), b'', 'the connection has its own window')
        s.feed(frame(WINDOW_UPDATE, 0, 0, u32(500)))
        sent += frames_of(s.take_output())
        self.assertEqual(sum(len(f[3]) for f in sent), 66035)
        s.feed(frame(SETTINGS, 0, 0, setting(4, 2**20) + setting(5, 2**17)) + frame(WINDOW_UPDATE, 0, 0, u32(2**20)))
        sent += [f for f in frames_of(s.take_output()) if f[0] == DATA]
        self.assertEqual(b''.join(f[3] for f in sent), message)
        self.assertGreater(max(len(f[3]) for f in sent), 16384)
        self.assertFalse(s.has_waiting)

    def test_a_window_may_become_negative(self):
        s = stream()
        s.send(bytes(60_000))
        s.feed(frame(SETTINGS, 0, 0, setting(4, 1000)))
        s.take_output()
        s.send(b'later')
        s.feed(frame(WINDOW_UPDATE, 0, 1, u32(59_000)))
        self.assertEqual(s.take_output(), b'')
        s.feed(frame(WINDOW_UPDATE, 0, 1, u32(5)))
        self.assertEqual([f[3] for f in frames_of(s.take_output())], [b'later'])

    def test_received_data_reopens_our_windows(self):
        s = stream()
        piece = frame(DATA, 0, 1, bytes(1 << 19))
        for _ in range(17):
            s.feed(piece)
        updates = [f for f in frames_of(s.take_output()) if f[0] == WINDOW_UPDATE]
        self.assertEqual([(f[2], f[3]) for f in updates], [(0, u32(17 << 19)), (1, u32(17 << 19))])

    def test_end_by_trailers_tells_the_status(self):
        huffman = bytes.fromhex('40889acac8b21234da8f')
        for block, status in ((b'\0\x0bgrpc-status\x010', 0), (b'\0\x0bgrpc-status\x0213', 13),
                              (huffman + b'\x010', 0), (huffman + b'\x017', 7), (b'nothing', None)):
            s = stream()
            s.feed(frame(HEADERS, 5, 1, block))
            self.assertEqual((s.is_ended, s.grpc_status), (True, status))

    def test_reset_and_goaway(self):
        s = stream()
        s.feed(frame(GOAWAY, 0, 0, u32(1, 0)))
        self.assertFalse(s.is_ended)
        s.feed(frame(RST_STREAM, 0, 1, u32(0)))
        self.assertTrue(s.is_ended)
        for broken in (frame(RST_STREAM, 0, 1, u32(2)), frame(GOAWAY, 0, 0, u32(1, 11))):
            with self.assertRaises(Http2Error):
                stream().feed(broken)

    def test_rules_that_a_host_may_not_break(self):
        for name, raw in {
            'frame too large': b'\xff\xff\xff\0\0\0\0\0\1', 'padding': frame(DATA, 8, 1, b'\x05ab'),
            'no padding length': frame(DATA, 8, 1, b''), 'settings': frame(SETTINGS, 0, 0, b'12345'),
            'frame size': frame(SETTINGS, 0, 0, setting(5, 1)), 'push': frame(5, 4, 1, b''),
            'short update': frame(WINDOW_UPDATE, 0, 0, b'1'), 'window': frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff)),
            'HTTP/1.1': b'HTTP/1.1 400 Bad Request\r\n\r\n',
        }.items():
            with self.subTest(name), self.assertRaises(Http2Error):
                stream().feed(raw)

    def test_noise(self):
        random.seed(7)
        for _ in range(5000):
            s = stream()
            kind, flags = random.choice((0, 1, 3, 4, 6, 7, 8, 9)), random.randrange(16)
            try:
                s.feed(frame(kind, flags, random.randrange(2), random.randbytes(random.randrange(20))))
                s.feed(random.randbytes(random.randrange(40)))
            except Http2Error:
                pass


class MessageFraming(unittest.TestCase):
    def test_messages_are_found_however_they_are_cut(self):
        messages = [b'', b'a', b'x' * 300, b'', b'last']
        raw = b''.join(b'\0' + u32(len(m)) + m for m in messages)
        for size in range(1, len(raw) + 1):
            cutter = Messages(1000)
            got = [m for at in range(0, len(raw), size) for m in cutter.push(raw[at:at + size])]
            self.assertEqual(got, messages, size)

    def test_limits(self):
        for raw in (b'\0' + u32(11), b'\1' + u32(1)):
            with self.assertRaises(Http2Error):
                Messages(10).push(raw)


if __name__ == '__main__':
    unittest.main()
