"""The hand-written codec against the general protobuf library, and against bytes that are no messages."""

import math
import random
import unittest
from http.cookies import SimpleCookie

from nightshift_worker.errors import Failure
from nightshift_worker.indexing import Retry
from nightshift_worker.wire import data, decode, encode
from nightshift_worker.wire.data import Datum
from nightshift_worker.wire.reader import WireError

from .contract import pb

TEXT = 'für alle ✓ \U0001f600'
LONG = 'x' * 300


def decoded(typed):
    raw = typed.SerializeToString()
    return data.decode(raw, (0, len(raw)))


class Decoding(unittest.TestCase):
    def test_typed_data_of_every_kind(self):
        cases = {
            'string': (pb.TypedData(string=TEXT), 'string', TEXT),
            'empty string': (pb.TypedData(string=''), 'string', ''),
            'long string': (pb.TypedData(string=LONG), 'string', LONG),
            'json': (pb.TypedData(json='{"a":1}'), 'json', '{"a":1}'),
            'bytes': (pb.TypedData(bytes=b'\0\xff'), 'bytes', b'\0\xff'),
            'stream': (pb.TypedData(stream=b's'), 'bytes', b's'),
            'zero': (pb.TypedData(int=0), 'int', 0),
            'minus one': (pb.TypedData(int=-1), 'int', -1),
            'largest': (pb.TypedData(int=2**63 - 1), 'int', 2**63 - 1),
            'smallest': (pb.TypedData(int=-2**63), 'int', -2**63),
            'double': (pb.TypedData(double=-0.5), 'double', -0.5),
            'infinite': (pb.TypedData(double=math.inf), 'double', math.inf),
            'doubles': (pb.TypedData(collection_double=pb.CollectionDouble(double=[1.5, 2])), 'json', '[1.5, 2.0]'),
        }
        for name, (typed, kind, value) in cases.items():
            with self.subTest(name):
                datum = decoded(typed)
                self.assertEqual((datum.type, datum.value), (kind, value))

    def test_empty_typed_data_is_nothing(self):
        self.assertIsNone(decoded(pb.TypedData()))

    def test_collections(self):
        cases = (
            (pb.TypedData(collection_bytes=pb.CollectionBytes(bytes=[b'a', b''])), 'bytes', [b'a', b'']),
            (pb.TypedData(collection_string=pb.CollectionString(string=['a', '', TEXT])), 'string', ['a', '', TEXT]),
            (pb.TypedData(collection_sint64=pb.CollectionSInt64(sint64=[1, -2, 2**40])), 'sint64', [1, -2, 2**40]),
            (pb.TypedData(collection_sint64=pb.CollectionSInt64()), 'sint64', []),
        )
        for typed, name, items in cases:
            with self.subTest(name):
                datum = decoded(typed)
                self.assertEqual(datum.type, 'collection_' + name)
                self.assertEqual(getattr(datum.value, name), items)
                self.assertEqual(datum.python_value, items)
                with self.assertRaises(AttributeError):
                    datum.value.other

    def test_model_binding_data(self):
        model = pb.ModelBindingData(version='1.0', source='S', content_type='application/json', content=b'{}')
        one = decoded(pb.TypedData(model_binding_data=model))
        many = decoded(pb.TypedData(collection_model_binding_data=pb.CollectionModelBindingData(model_binding_data=[model])))
        for each in (one.value, many.value.model_binding_data[0]):
            self.assertEqual((each.version, each.source, each.content_type, each.content),
                             ('1.0', 'S', 'application/json', b'{}'))

    def test_http_request(self):
        request = decoded(pb.TypedData(http=pb.RpcHttp(
            method='POST', url='http://h/api', headers={'a': 'b', 'empty': ''}, params={'id': '4'}, query={'q': TEXT},
            body=pb.TypedData(bytes=b'body')))).value
        self.assertEqual((request.method, request.url), ('POST', 'http://h/api'))
        self.assertEqual(request.entries(request.HEADERS), {'a': 'b', 'empty': ''})
        self.assertEqual(request.entries(request.PARAMS), {'id': '4'})
        self.assertEqual(request.entries(request.QUERY), {'q': TEXT})
        self.assertEqual(request.body().value, b'body')

    def test_http_nullable_maps_win(self):
        request = decoded(pb.TypedData(http=pb.RpcHttp(
            headers={'a': 'plain'}, nullable_headers={'a': pb.NullableString(value='nullable')},
            nullable_query={'q': pb.NullableString(value='')}))).value
        self.assertEqual(request.entries(request.HEADERS), {'a': 'nullable'})
        self.assertEqual(request.entries(request.QUERY), {'q': ''})
        self.assertEqual(request.body().value, b'')

    def test_invocation(self):
        request_id, kind, call = decode.message(pb.StreamingMessage(request_id='r', invocation_request=pb.InvocationRequest(
            invocation_id='i', function_id='f',
            input_data=[pb.ParameterBinding(name='a', data=pb.TypedData(string='1')), pb.ParameterBinding(name='b')],
            trigger_metadata={'Count': pb.TypedData(json='1'), 'None': pb.TypedData(), 'Big': pb.TypedData(int=7)},
            trace_context=pb.RpcTraceContext(trace_parent='p', trace_state='s', attributes={'k': 'v'}),
            retry_context=pb.RetryContext(retry_count=-1, max_retry_count=3, exception=pb.RpcException(
                message='m', stack_trace='t', source='s')))).SerializeToString())
        self.assertEqual((request_id, kind, call.id, call.function_id), ('r', 'invocation_request', 'i', 'f'))
        inputs = {name: data.decode(call.data, where) for name, where in call.input_data()}
        self.assertEqual(inputs['a'].value, '1')
        self.assertIsNone(inputs['b'])
        self.assertEqual(decode.trace_context(call.data, call.trace), ('p', 's', {'k': 'v'}))
        self.assertEqual(decode.retry_context(call.data, call.retry), (-1, 3, ('s', 't', 'm')))
        metadata = data.TriggerMetadata(call.data, call.metadata)
        self.assertEqual(metadata.get('Count').value, '1')
        self.assertEqual(metadata['Big'].value, 7)
        self.assertIs(metadata['Big'], metadata['Big'])
        self.assertIsNone(metadata.get('None'))
        self.assertIsNone(metadata.get('absent'))
        self.assertEqual(sorted(metadata), ['Big', 'Count', 'None'])
        with self.assertRaises(KeyError):
            metadata['absent']

    def test_shared_memory_was_not_agreed(self):
        _, _, call = decode.message(pb.StreamingMessage(invocation_request=pb.InvocationRequest(input_data=[
            pb.ParameterBinding(name='a', rpc_shared_memory=pb.RpcSharedMemory(name='m'))])).SerializeToString())
        with self.assertRaisesRegex(WireError, 'shared memory'):
            list(call.input_data())

    def test_requests(self):
        _, kind, init = decode.message(pb.StreamingMessage(worker_init_request=pb.WorkerInitRequest(
            host_version='4', capabilities={'a': 'b'}, function_app_directory='/d')).SerializeToString())
        self.assertEqual((kind, init.host_version, init.capabilities, init.function_app_directory),
                         ('worker_init_request', '4', {'a': 'b'}, '/d'))
        _, _, reload = decode.message(pb.StreamingMessage(
            function_environment_reload_request=pb.FunctionEnvironmentReloadRequest(
                environment_variables={'A': '1', 'B': ''}, function_app_directory='/d')).SerializeToString())
        self.assertEqual((reload.environment_variables, reload.function_app_directory), ({'A': '1', 'B': ''}, '/d'))
        _, _, load = decode.message(pb.StreamingMessage(function_load_request=pb.FunctionLoadRequest(
            function_id='f', metadata=pb.RpcFunctionMetadata(
                name='n', directory='/d', script_file='s.py', entry_point='e', properties={'p': 'q'},
                bindings={'b': pb.BindingInfo(type='queue', direction='OUT', data_type='BINARY')}))).SerializeToString())
        m = load.metadata
        self.assertEqual((load.function_id, m.name, m.directory, m.script_file, m.entry_point, m.properties),
                         ('f', 'n', '/d', 's.py', 'e', {'p': 'q'}))
        self.assertEqual((m.bindings['b'].type, m.bindings['b'].direction, m.bindings['b'].data_type), ('queue', 1, 2))

    def test_unknown_fields_are_skipped(self):
        message = pb.StreamingMessage(request_id='r', worker_status_request=pb.WorkerStatusRequest()).SerializeToString()
        unknown = b'\xf8\x3f\x05' + b'\xf9\x3f' + bytes(8) + b'\xfd\x3f' + bytes(4) + b'\xfa\x3f\x01x'
        self.assertEqual(decode.message(unknown + message), ('r', 'worker_status_request', None))


class Encoding(unittest.TestCase):
    def parsed(self, message):
        return pb.StreamingMessage.FromString(message)

    def typed(self, datum):
        return pb.TypedData.FromString(data.encode(datum))

    def test_values(self):
        cases = (
            (Datum(TEXT, 'string'), pb.TypedData(string=TEXT)), (Datum('', 'string'), pb.TypedData(string='')),
            (Datum('[1]', 'json'), pb.TypedData(json='[1]')), (Datum(b'\xff', 'bytes'), pb.TypedData(bytes=b'\xff')),
            (Datum({'a': 1}, 'dict'), pb.TypedData(json='{"a": 1}')), (Datum([1], 'list'), pb.TypedData(json='[1]')),
            (Datum(0, 'int'), pb.TypedData(int=0)), (Datum(-2**63, 'int'), pb.TypedData(int=-2**63)),
            (Datum(True, 'bool'), pb.TypedData(int=1)), (Datum(0.0, 'double'), pb.TypedData(double=0.0)),
            (Datum(None, None), pb.TypedData()), (None, pb.TypedData()), (Datum(LONG, 'string'), pb.TypedData(string=LONG)),
        )
        for datum, want in cases:
            with self.subTest(repr(datum)):
                self.assertEqual(self.typed(datum), want)

    def test_values_that_do_not_fit(self):
        with self.assertRaises(OverflowError):
            data.encode(Datum(2**63, 'int'))
        with self.assertRaises(TypeError):
            data.encode(Datum(1, 'unheard of'))

    def test_lone_surrogates_do_not_break_the_message(self):
        self.assertEqual(self.parsed(encode.log('', 'c', 2, 'a\udc80b', 0)).rpc_log.message, 'a?b')

    def test_http_response_with_cookies(self):
        jar = SimpleCookie('a=1; Domain=d; Path=/p; Expires=Thu, 12 Jan 2017 13:55:08 GMT; Max-Age=0; Secure; HttpOnly; '
                           'SameSite=None')
        plain = SimpleCookie('b="x y"')
        parsed = self.typed(Datum({
            'status_code': Datum('201', 'string'), 'headers': {'h': Datum('v', 'string'), 'e': Datum('', 'string')},
            'cookies': [jar, plain], 'body': Datum(b'', 'bytes')}, 'http')).http
        self.assertEqual((parsed.status_code, dict(parsed.headers)), ('201', {'h': 'v', 'e': ''}))
        self.assertTrue(parsed.HasField('body') and parsed.body.HasField('bytes'))
        first, second = parsed.cookies
        self.assertEqual((first.name, first.value, first.domain.value, first.path.value), ('a', '1', 'd', '/p'))
        self.assertEqual((first.expires.value.seconds, first.max_age.value), (1484229308, 0.0))
        self.assertTrue(first.HasField('max_age') and first.secure.value and first.http_only.value)
        self.assertEqual(first.same_site, 3)
        self.assertEqual((second.name, second.value), ('b', 'x y'))
        for field in ('domain', 'path', 'expires', 'secure', 'http_only', 'max_age'):
            self.assertFalse(second.HasField(field), field)

    def test_metadata_response(self):
        class Function:
            name, id, directory, script_file, entry_point = 'n', 'i', '/d', 's.py', 'n'
            bindings = {'b': decode.Binding('queueTrigger', 0, 1)}
            raw_bindings = ['{}', '{"a":1}']
            retry = Retry(-1, True, 5, None, None)
            properties = {'worker_indexed': 'True'}
        answer = self.parsed(encode.metadata_response('r', [Function], False)).function_metadata_response
        function = answer.function_metadata_results[0]
        self.assertEqual((function.name, function.function_id, function.language), ('n', 'i', 'python'))
        self.assertEqual(list(function.raw_bindings), ['{}', '{"a":1}'])
        self.assertEqual((function.bindings['b'].type, function.bindings['b'].data_type), ('queueTrigger', 1))
        self.assertEqual((function.retry_options.max_retry_count, function.retry_options.delay_interval.seconds,
                          function.retry_options.retry_strategy), (-1, 5, 1))
        self.assertFalse(function.retry_options.HasField('minimum_interval'))

    def test_invocation_response(self):
        outputs = encode.output('o', data.encode(Datum('x', 'string')))
        answer = self.parsed(encode.invocation_response('r', 'i', outputs, data.encode(Datum(5, 'int')))).invocation_response
        self.assertEqual((answer.invocation_id, answer.result.status, answer.return_value.int), ('i', 1, 5))
        self.assertEqual((answer.output_data[0].name, answer.output_data[0].data.string), ('o', 'x'))
        failed = self.parsed(encode.invocation_response('r', 'i', failure=Failure('m', 't'))).invocation_response
        self.assertEqual((failed.result.status, failed.result.exception.message, failed.result.exception.stack_trace),
                         (0, 'm', 't'))
        self.assertFalse(failed.HasField('return_value'))


def read_all(message):
    """Decodes everything that a message holds, as far down as calls do."""
    _, kind, content = decode.message(message)
    if kind != 'invocation_request' or content is None:
        return
    decode.trace_context(content.data, content.trace)
    decode.retry_context(content.data, content.retry)
    datums = [data.decode(content.data, where) for _, where in content.input_data()]
    metadata = data.TriggerMetadata(content.data, content.metadata)
    datums += [metadata[name] for name in metadata]
    for datum in datums:
        if datum is not None and datum.type == 'http':
            datum.value.as_dict()


class Fuzz(unittest.TestCase):
    """Whatever arrives, the codec says WireError or understands it."""

    def messages(self):
        http = pb.TypedData(http=pb.RpcHttp(method='GET', url='u', headers={'a': 'b' * 200}, params={'p': 'q'},
                                            body=pb.TypedData(bytes=b'x' * 200),
                                            nullable_query={'q': pb.NullableString(value='1')}))
        lists = pb.TypedData(collection_sint64=pb.CollectionSInt64(sint64=[1, 2**40]))
        doubles = pb.TypedData(collection_double=pb.CollectionDouble(double=[1, 2]))
        yield pb.StreamingMessage(request_id='r', invocation_request=pb.InvocationRequest(
            invocation_id='i', function_id='f', input_data=[pb.ParameterBinding(name='a', data=http)],
            trigger_metadata={'l': lists, 'd': doubles, 'n': pb.TypedData(double=1)},
            trace_context=pb.RpcTraceContext(trace_parent='p', attributes={'k': 'v'}),
            retry_context=pb.RetryContext(retry_count=-1, exception=pb.RpcException(message='m'))))
        yield pb.StreamingMessage(worker_init_request=pb.WorkerInitRequest(capabilities={'a': 'b'}))
        yield pb.StreamingMessage(function_load_request=pb.FunctionLoadRequest(metadata=pb.RpcFunctionMetadata(
            name='n', bindings={'b': pb.BindingInfo(type='t', direction='OUT')})))

    def check(self, raw):
        try:
            read_all(raw)
        except WireError:
            pass
        except Exception as error:
            self.fail(f'{type(error).__name__}: {error} for {raw!r}')

    def test_doubles_of_broken_length(self):
        self.check(b'\x22\x0c\x1a\x0a\x12\x08\x52\x06\x0a\x04abcd')
        with self.assertRaises(WireError):
            data.decode(b'\x52\x06\x0a\x04abcd', (0, 8))

    def test_cut_off(self):
        for message in self.messages():
            raw = message.SerializeToString()
            read_all(raw)
            for size in range(len(raw)):
                self.check(raw[:size])

    def test_flipped(self):
        random.seed(20240607)
        for message in self.messages():
            raw = message.SerializeToString()
            for _ in range(4000):
                broken = bytearray(raw)
                for _ in range(random.randint(1, 4)):
                    broken[random.randrange(len(broken))] = random.randrange(256)
                self.check(bytes(broken))

    def test_noise(self):
        random.seed(42)
        for _ in range(4000):
            self.check(random.randbytes(random.randint(0, 60)))


if __name__ == '__main__':
    unittest.main()
