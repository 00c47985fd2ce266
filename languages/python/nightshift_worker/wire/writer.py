"""Writes protobuf fields: each function returns the bytes of one field, empty for a default value."""

import struct

_DOUBLE = struct.Struct('<d')


def varint(value):
    """Encodes an unsigned number."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_TAGS = {(no, kind): varint(no << 3 | kind) for no in range(1, 40) for kind in (0, 1, 2)}


def nested(no, payload):
    """A message or bytes field that is present even when it is empty."""
    return b'%b%b%b' % (_TAGS[no, 2], varint(len(payload)), payload)


def text(no, value):
    """A string field. Surrogates that have no UTF-8 (a file name in a log line) become question marks."""
    if not value:
        return b''
    return nested(no, value.encode('utf-8', 'replace'))


def number(no, value):
    """A varint field; negative numbers take ten bytes, as protobuf wants."""
    if not value:
        return b''
    return _TAGS[no, 0] + varint(value & 0xFFFFFFFFFFFFFFFF)


def present_number(no, value):
    """A varint field of a oneof: present even when it is zero."""
    return _TAGS[no, 0] + varint(value & 0xFFFFFFFFFFFFFFFF)


def zigzag(value):
    """Encodes a signed number for a sint64 field; beyond 64 bits it is an OverflowError."""
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f'{value} does not fit into 64 bits')
    return (value << 1) ^ (value >> 63)


def double(no, value):
    """A double field, present even when it is zero."""
    return _TAGS[no, 1] + _DOUBLE.pack(value)


def text_map(no, entries):
    """A map<string, string> field."""
    return b''.join([nested(no, text(1, key) + text(2, value)) for key, value in entries.items()])
