"""TypedData: values on their way between the wire and the library's converters, which speak of them as Datum."""

import json
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime

from . import writer
from .reader import double, inner, number, raw, text, text_map, varint, zigzag


class Datum:
    """A value and its kind on the wire, in the shape that the library's converters expect."""

    __slots__ = ('value', 'type')

    def __init__(self, value, type):  # noqa: A002 - the library's own spelling
        self.value = value
        self.type = type

    @property
    def python_value(self):
        """The value as an object: JSON is parsed, collections are lists."""
        if self.value is None or self.type is None:
            return None
        if self.type == 'json':
            return json.loads(self.value)
        if isinstance(self.value, Collection):
            return list(self.value.items)
        return self.value

    @property
    def python_type(self):
        """The type of python_value."""
        return type(self.python_value)

    def __repr__(self):
        return f'<Datum {self.type} {self.value!r:.20}>'


class Collection:
    """A repeated value; converters read it by the name of its kind."""

    __slots__ = ('items', 'kind')

    def __init__(self, kind, items):
        self.kind = kind
        self.items = items

    def __getattr__(self, name):
        if name == self.kind:
            return self.items
        raise AttributeError(f'a collection of {self.kind} has no attribute {name!r}')


class ModelBindingData:
    """What deferred bindings get: a description from which the SDK object is made."""

    __slots__ = ('version', 'source', 'content_type', 'content')

    def __init__(self, data, start, stop):
        self.version = self.source = self.content_type = ''
        self.content = b''
        for no, a, b in inner(data, start, stop):
            if no == 1:
                self.version = text(data, a, b)
            elif no == 2:
                self.source = text(data, a, b)
            elif no == 3:
                self.content_type = text(data, a, b)
            elif no == 4:
                self.content = raw(data, a, b)


def decode(data, where):
    """Decodes the TypedData at a position; None if it is empty."""
    if where is None:
        return None
    datum = None
    for no, a, b in inner(data, *where):
        maker = _KINDS.get(no)
        if maker is not None:
            datum = maker(data, a, b)
    return datum


def _collection_of(kind, read):
    def decode_collection(data, start, stop):
        items = [read(data, a, b) for no, a, b in inner(data, start, stop) if no == 1]
        return Datum(Collection(kind, items), 'collection_' + kind)
    return decode_collection


def _doubles(data, start, stop):
    values = []
    for no, a, b in inner(data, start, stop):
        if no == 1:
            values.extend(double(data, at, min(at + 8, b)) for at in range(a, b, 8))
    # The library has no such collection: as JSON every converter can read it.
    return Datum(json.dumps(values), 'json')


def _integers(data, start, stop):
    values = []
    for no, a, b in inner(data, start, stop):
        if no != 1:
            continue
        if b < 0:
            values.append(zigzag(a))
            continue
        while a < b:
            value, a = varint(data, a, b)
            values.append(zigzag(value))
    return Datum(Collection('sint64', values), 'collection_sint64')


class Http:
    """An HTTP request on the wire: method and address now, maps and body when asked for."""

    __slots__ = ('data', 'method', 'url', '_maps', '_body')

    # Field numbers of the plain and of the nullable form of each map.
    HEADERS, PARAMS, QUERY = (3, 20), (10, 21), (15, 22)

    def __init__(self, data, start, stop):
        self.data = data
        self.method = self.url = ''
        self._maps = []
        self._body = None
        for no, a, b in inner(data, start, stop):
            if no == 1:
                self.method = text(data, a, b)
            elif no == 2:
                self.url = text(data, a, b)
            elif no == 4:
                self._body = (a, b)
            elif no in (3, 10, 15, 20, 21, 22):
                self._maps.append((no, a, b))

    def entries(self, which):
        """Returns one of the maps as a dict; a nullable map wins over the plain one."""
        data, plain, nullable = self.data, {}, {}
        for no, a, b in self._maps:
            if no == which[0]:
                text_map(data, a, b, plain)
            elif no == which[1]:
                _nullable_entry(data, a, b, nullable)
        return nullable or plain

    def body(self):
        """Returns the body; without one it is empty bytes."""
        datum = decode(self.data, self._body)
        return Datum(b'', 'bytes') if datum is None or datum.value is None else datum

    def as_dict(self):
        """Returns what the library's converter reads."""
        def data_of(which):
            return {name: Datum(value, 'string') for name, value in self.entries(which).items()}
        return {
            'method': Datum(self.method, 'string'), 'url': Datum(self.url, 'string'),
            'headers': data_of(Http.HEADERS), 'params': data_of(Http.PARAMS), 'query': data_of(Http.QUERY),
            'body': self.body(),
        }


def _nullable_entry(data, start, stop, into):
    key = value = ''
    for no, a, b in inner(data, start, stop):
        if no == 1:
            key = text(data, a, b)
        elif no == 2:
            for n, x, y in inner(data, a, b):
                if n == 1:
                    value = text(data, x, y)
    into[key] = value


def _models(data, start, stop):
    items = [ModelBindingData(data, a, b) for no, a, b in inner(data, start, stop) if no == 1]
    return Datum(Collection('model_binding_data', items), 'collection_model_binding_data')


_KINDS = {
    1: lambda data, a, b: Datum(text(data, a, b), 'string'),
    2: lambda data, a, b: Datum(text(data, a, b), 'json'),
    3: lambda data, a, b: Datum(raw(data, a, b), 'bytes'),
    4: lambda data, a, b: Datum(raw(data, a, b), 'bytes'),
    5: lambda data, a, b: Datum(Http(data, a, b), 'http'),
    6: lambda data, a, b: Datum(zigzag(number(data, a, b)), 'int'),
    7: lambda data, a, b: Datum(double(data, a, b), 'double'),
    8: _collection_of('bytes', raw),
    9: _collection_of('string', text),
    10: _doubles,
    11: _integers,
    12: lambda data, a, b: Datum(ModelBindingData(data, a, b), 'model_binding_data'),
    13: _models,
}


class TriggerMetadata(Mapping):
    """The trigger's metadata, decoded on access: most functions read none of it."""

    __slots__ = ('_data', '_entries', '_found')

    def __init__(self, data, entries):
        self._data = data
        self._entries = entries
        self._found = None

    def _index(self):
        if self._found is None:
            data, found = self._data, {}
            for start, stop in self._entries:
                key, where = '', None
                for no, a, b in inner(data, start, stop):
                    if no == 1:
                        key = text(data, a, b)
                    elif no == 2:
                        where = (a, b)
                found[key] = where
            self._found = found
        return self._found

    def __getitem__(self, name):
        found = self._index()
        where = found[name]
        if not isinstance(where, Datum):
            where = found[name] = decode(self._data, where) or Datum(None, None)
        return where

    def get(self, name, default=None):
        """Returns a value, or the default when there is none."""
        datum = self[name] if name in self._index() else None
        return default if datum is None or datum.type is None else datum

    def __iter__(self):
        return iter(self._index())

    def __len__(self):
        return len(self._index())


def encode(datum):
    """Returns the bytes of a TypedData; None is an empty one. A kind that is not known is a TypeError."""
    if datum is None or datum.type is None:
        return b''
    encoder = _ENCODERS.get(datum.type)
    if encoder is None:
        raise TypeError(f'unable to send data of the kind {datum.type!r}')
    return encoder(datum.value)


def _encode_text(value):
    return writer.nested(1, value.encode('utf-8', 'replace'))


def _encode_json(value):
    return writer.nested(2, value.encode('utf-8', 'replace'))


def _encode_object(value):
    return _encode_json(json.dumps(value))


def _encode_bytes(value):
    return writer.nested(3, value)


def _encode_int(value):
    return writer.present_number(6, writer.zigzag(int(value)))


def _encode_http(value):
    return writer.nested(5, http_response(
        value['status_code'].value, {name: datum.value for name, datum in value['headers'].items()},
        value.get('cookies') or (), encode(value['body'])))


def http_response(status, headers, cookies, body):
    """Returns the bytes of an RpcHttp; body is an encoded TypedData, cookies are http.cookies.SimpleCookie."""
    w = writer
    return (w.text_map(3, headers) + w.nested(4, body) + w.text(12, status)
            + b''.join([w.nested(19, _cookie(morsel)) for jar in cookies for morsel in jar.values()]))


_SAME_SITE = {'lax': 1, 'strict': 2, 'none': 3}


def _cookie(morsel):
    w = writer
    out = [w.text(1, morsel.key), w.text(2, morsel.value)]
    out += [w.nested(no, w.text(1, morsel[name])) for no, name in ((3, 'domain'), (4, 'path')) if morsel[name]]
    if morsel['expires']:
        out.append(w.nested(5, w.nested(1, w.number(1, _expiry(morsel['expires'])))))
    out += [w.nested(no, w.present_number(1, 1)) for no, name in ((6, 'secure'), (7, 'httponly')) if morsel[name]]
    out.append(w.number(8, _SAME_SITE.get(morsel['samesite'].lower(), 0)))
    if morsel['max-age'] != '':
        out.append(w.nested(9, w.double(1, float(morsel['max-age']))))
    return b''.join(out)


def _expiry(value):
    moment = parsedate_to_datetime(value)
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp())


_ENCODERS = {
    'string': _encode_text, 'json': _encode_json, 'dict': _encode_object, 'list': _encode_object,
    'bytes': _encode_bytes, 'int': _encode_int, 'bool': _encode_int, 'double': lambda value: writer.double(7, value),
    'http': _encode_http,
}
