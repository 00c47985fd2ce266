"""Reads protobuf fields without copying: a field is its number and where its value lies in the message."""

import struct

_DOUBLE = struct.Struct('<d')
_MAX_VARINT_BYTES = 10


class WireError(ValueError):
    """The bytes are not a protobuf message."""


def varint(data, pos, end):
    """Returns an unsigned varint and the position behind it."""
    value = shift = 0
    limit = min(end, pos + _MAX_VARINT_BYTES)
    while pos < limit:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, pos
        shift += 7
    raise WireError('a varint is cut off or too long')


def fields(data, pos, end):
    """Lists (number, a, b) of each field: a is the value of a varint (b is -1), else the value is data[a:b]."""
    found = []
    while pos < end:
        tag = data[pos]
        pos += 1
        if tag > 0x7F:
            tag, pos = varint(data, pos - 1, end)
        kind = tag & 7
        if kind == 2:
            if pos >= end:
                raise WireError('a field is cut off')
            size = data[pos]
            pos += 1
            if size > 0x7F:
                size, pos = varint(data, pos - 1, end)
            stop = pos + size
        elif kind == 0:
            value, pos = varint(data, pos, end)
            found.append((tag >> 3, value, -1))
            continue
        elif kind == 1:
            stop = pos + 8
        elif kind == 5:
            stop = pos + 4
        else:
            raise WireError(f'field {tag >> 3} has the unknown wire type {kind}')
        if stop > end:
            raise WireError('a field is cut off')
        found.append((tag >> 3, pos, stop))
        pos = stop
    return found


def text(data, start, stop):
    """Decodes a string field; broken UTF-8 is a WireError, as for any protobuf library."""
    if stop < 0:
        raise WireError('a number where text belongs')
    try:
        return str(data[start:stop], 'utf-8')
    except UnicodeDecodeError as error:
        raise WireError(f'text is not UTF-8: {error}') from None


def raw(data, start, stop):
    """Copies a bytes field."""
    if stop < 0:
        raise WireError('a number where bytes belong')
    return data[start:stop]


def inner(data, start, stop):
    """Lists the fields of a nested message."""
    if stop < 0:
        raise WireError('a number where a message belongs')
    return fields(data, start, stop)


def number(_data, value, stop):
    """Checks a varint field."""
    if stop >= 0:
        raise WireError('bytes where a number belongs')
    return value


def int32(data, value, stop):
    """Decodes an int32 field; negative ones are ten bytes long on the wire."""
    value = number(data, value, stop) & 0xFFFFFFFF
    return value - 0x100000000 if value > 0x7FFFFFFF else value


def zigzag(value):
    """Decodes the value of a sint64 field."""
    return (value >> 1) ^ -(value & 1)


def double(data, start, stop):
    """Decodes a double field."""
    if stop - start != 8:
        raise WireError('a double has eight bytes')
    return _DOUBLE.unpack_from(data, start)[0]


def text_map(data, start, stop, into):
    """Adds one entry of a map<string, string> to a dict."""
    key = value = ''
    for no, a, b in inner(data, start, stop):
        if no == 1:
            key = text(data, a, b)
        elif no == 2:
            value = text(data, a, b)
    into[key] = value
