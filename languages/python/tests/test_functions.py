"""Calls of every kind: threads, bindings, metadata, logs, failures, retries."""

import json
import re
import unittest

from .host import SUCCESS, HostTest, http, json_data, pb, string

USER, SYSTEM = pb.RpcLog.USER, pb.RpcLog.SYSTEM

MEETING = '''
    meeting = threading.Barrier(2)
    @app.route()
    def meet(req) -> str:
        try:
            meeting.wait(float(req.params['limit']))
        except threading.BrokenBarrierError:
            meeting.reset()
            return 'alone'
        return 'met'
    @app.route()
    def threads(req) -> str:
        return str(len([t for t in threading.enumerate() if t.name == 'function']))
    '''


class Concurrency(HostTest):
    def test_c2_4_async_functions_run_side_by_side(self):
        host = self.serve('''
            arrived, everybody = [], asyncio.Event()
            @app.route()
            async def wait(req) -> str:
                arrived.append(1)
                if len(arrived) == 51:
                    everybody.set()
                await everybody.wait()
                return 'done'
            ''')
        calls = [host.start_call('wait', {'req': http()}) for _ in range(51)]
        for call in calls:
            self.assertEqual(host.answer(call).return_value.string, 'done')

    def meet(self, host, limit):
        return [host.answer(call).return_value.string
                for call in [host.start_call('meet', {'req': http(query={'limit': limit})}) for _ in range(2)]]

    def test_c2_5_a_pool_of_one_is_serial(self):
        host = self.serve(MEETING, env={'PYTHON_THREADPOOL_THREAD_COUNT': '1'})
        self.assertEqual(self.meet(host, '0.2'), ['alone', 'alone'])
        self.assertEqual(host.get('threads').return_value.string, '1')

    def test_c2_5_a_pool_of_eight_is_parallel(self):
        host = self.serve(MEETING, env={'PYTHON_THREADPOOL_THREAD_COUNT': '8'})
        self.assertEqual(self.meet(host, '20'), ['met', 'met'])

    def test_threads_are_started_when_needed_only(self):
        host = self.serve(MEETING, env={'PYTHON_THREADPOOL_THREAD_COUNT': '1000'})
        for _ in range(20):
            self.assertEqual(host.get('threads').return_value.string, '1')

    def test_a_pool_size_that_is_none_is_told_of(self):
        host = self.serve(MEETING, env={'PYTHON_THREADPOOL_THREAD_COUNT': 'many'})
        self.assertIn("'many'", host.log('PYTHON_THREADPOOL_THREAD_COUNT').message)
        self.assertEqual(self.meet(host, '20'), ['met', 'met'])

    def test_a_blocked_thread_does_not_hold_up_the_rest(self):
        host = self.serve('''
            release = threading.Event()
            @app.route()
            def block(req) -> str:
                release.wait(30)
                return 'released'
            @app.route()
            async def free(req) -> str:
                release.set()
                return 'freed'
            ''')
        blocked = host.start_call('block', {'req': http()})
        host.ask('worker_status_response', worker_status_request=pb.WorkerStatusRequest())
        self.assertEqual(host.get('free').return_value.string, 'freed')
        self.assertEqual(host.answer(blocked).return_value.string, 'released')


class Triggers(HostTest):
    def test_c2_14_out_parameters(self):
        host = self.serve('''
            @app.queue_trigger(arg_name='msg', queue_name='q', connection='C')
            @app.queue_output(arg_name='one', queue_name='o', connection='C')
            @app.queue_output(arg_name='many', queue_name='m', connection='C')
            @app.queue_output(arg_name='unset', queue_name='u', connection='C')
            def work(msg: func.QueueMessage, one: func.Out[str], many: func.Out[typing.List[str]], unset: func.Out[bytes]):
                one.set('o:' + msg.get_body().decode())
                many.set(['a', 'b'])
                assert one.get() == 'o:payload' and unset.get() is None
            ''')
        answer = self.assert_success(host.call('work', {'msg': string('payload')}))
        sent = {o.name: o.data for o in answer.output_data}
        self.assertEqual(set(sent), {'one', 'many'})
        self.assertEqual(sent['one'], string('o:payload'))
        self.assertEqual(json.loads(sent['many'].json), ['a', 'b'])  # the library's JSON writer decides about blanks
        self.assertFalse(answer.HasField('return_value'))

    def test_c2_15_a_value_without_a_return_binding_is_a_failure(self):
        host = self.serve('''
            @app.timer_trigger(arg_name='t', schedule='0 * * * * *')
            def tick(t: func.TimerRequest):
                return 'something'
            ''')
        self.assertRegex(self.failure(host.call('tick', {'t': json_data('{}')})).message, r'^RuntimeError: .*tick.*\$return')

    def test_return_binding_that_is_not_http(self):
        host = self.serve('''
            @app.queue_trigger(arg_name='msg', queue_name='q', connection='C')
            @app.queue_output(arg_name='$return', queue_name='o', connection='C')
            def work(msg: str) -> str:
                return msg.upper()
            ''')
        self.assertEqual(self.assert_success(host.call('work', {'msg': string('a')})).return_value, string('A'))

    def test_c2_16_queue_metadata(self):
        host = self.serve('''
            @app.queue_trigger(arg_name='msg', queue_name='q', connection='C')
            def work(msg: func.QueueMessage):
                logging.info(json.dumps([msg.id, msg.dequeue_count, msg.pop_receipt, msg.insertion_time.isoformat(),
                                         msg.get_body().decode()]))
            ''')
        self.assert_success(host.call('work', {'msg': string('payload')}, metadata={
            'Id': string('abc'), 'DequeueCount': json_data('1'), 'PopReceipt': string('pr'),
            'InsertionTime': json_data('"2026-11-23T05:00:00.1234567+00:00"'), 'NextVisibleTime': json_data('"2026-11-23T05:10:00+00:00"')}))
        self.assertEqual(json.loads(host.log('abc').message),
                         ['abc', 1, 'pr', '2026-11-23T05:00:00.123456+00:00', 'payload'])

    def test_c2_17_timer(self):
        host = self.serve('''
            @app.timer_trigger(arg_name='t', schedule='0 * * * * *')
            def tick(t: func.TimerRequest):
                logging.warning('past due %s %s', t.past_due, t.schedule)
            ''')
        answer = self.assert_success(host.call('tick', {'t': json_data('{"IsPastDue":true,"Schedule":{"AdjustForDST":true}}')}))
        self.assertFalse(answer.HasField('return_value'))
        log = host.log('past due True')
        self.assertEqual((log.level, log.invocation_id), (pb.RpcLog.WARNING, answer.invocation_id))

    def test_c2_18_blobs(self):
        host = self.serve('''
            @app.blob_trigger(arg_name='blob', path='c/{name}', connection='C')
            @app.blob_input(arg_name='raw', path='c/raw', connection='C')
            @app.blob_input(arg_name='text', path='c/text', connection='C')
            def work(blob: func.InputStream, raw: bytes, text: str):
                logging.info('got %s', [blob.name, blob.length, blob.read(3), blob.read(), raw, text])
            ''')
        self.assert_success(host.call(
            'work', {'blob': pb.TypedData(bytes=b'content'), 'raw': pb.TypedData(bytes=b'\xff'), 'text': string('plain')},
            metadata={'BlobTrigger': string('c/x'), 'Uri': string('http://u'), 'Properties': json_data('{"Length": 7}')}))
        self.assertEqual(host.log('got').message, "got ['c/x', 7, b'con', b'tent', b'\\xff', 'plain']")

    def test_c2_19_generic_json_arrives_as_text(self):
        host = self.serve('''
            @app.generic_trigger(arg_name='message', type='rabbitMQTrigger', queueName='q', connectionStringSetting='C')
            @app.generic_input_binding(arg_name='row', type='table', tableName='t')
            @app.generic_output_binding(arg_name='out', type='rabbitMQ')
            def work(message: str, row, out: func.Out[str]):
                out.set(repr([message, row]))
            ''')
        answer = self.assert_success(host.call('work', {'message': json_data('{"a":1}'), 'row': json_data('[1]')}))
        self.assertEqual(answer.output_data[0].data.string, repr(['{"a":1}', '[1]']))

    def test_generic_return_values(self):
        host = self.serve('''
            @app.generic_trigger(arg_name='name', type='someTrigger')
            def work(name):
                return {'int': 5, 'bool': True, 'float': 2.5, 'dict': {'a': [1]}, 'list': [1], 'bytes': bytearray(b'b'),
                        'none': None, 'set': {1}}[name]
            ''')
        wanted = {'int': pb.TypedData(int=5), 'bool': pb.TypedData(int=1), 'float': pb.TypedData(double=2.5),
                  'dict': json_data('{"a": [1]}'), 'list': json_data('[1]'), 'bytes': pb.TypedData(bytes=b'b'),
                  'none': pb.TypedData()}
        for name, want in wanted.items():
            self.assertEqual(self.assert_success(host.call('work', {'name': string(name)})).return_value, want, name)
        self.assertRegex(self.failure(host.call('work', {'name': string('set')})).message, '^TypeError: .*"set"')

    def test_c2_20_numbers_in_trigger_metadata_do_no_harm(self):
        host = self.serve('''
            @app.queue_trigger(arg_name='msg', queue_name='q', connection='C')
            def work(msg: func.QueueMessage):
                logging.info('count %r', msg.dequeue_count)
            ''')
        self.assert_success(host.call('work', {'msg': string('x')}, metadata={
            'DequeueCount': pb.TypedData(int=2), 'Score': pb.TypedData(double=1.5),
            'Doubles': pb.TypedData(collection_double=pb.CollectionDouble(double=[1]))}))
        self.assertEqual(host.log('count').message, 'count 2')

    def test_batches_arrive_as_lists(self):
        host = self.serve('''
            @app.event_hub_message_trigger(arg_name='events', event_hub_name='h', connection='C', cardinality='many')
            def work(events: typing.List[func.EventHubEvent]):
                logging.info('bodies %s', [e.get_body() for e in events])
            ''')
        self.assert_success(host.call(
            'work', {'events': pb.TypedData(collection_string=pb.CollectionString(string=['a', 'b']))},
            metadata={'SystemPropertiesArray': json_data('[{}, {}]'), 'PropertiesArray': json_data('[{}, {}]')}))
        self.assertEqual(host.log('bodies').message, "bodies [b'a', b'b']")

    def test_an_input_that_the_function_has_not_is_a_failure(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str: return ''
            ''')
        self.assertIn("'other'", self.failure(host.call('f', {'other': string('x')})).message)

    def test_c2_30_retries(self):
        host = self.serve('''
            @app.timer_trigger(arg_name='t', schedule='0 * * * * *')
            @app.retry(strategy='fixed_delay', max_retry_count='3', delay_interval='00:01:05')
            def fixed(t: func.TimerRequest, context: func.Context):
                r = context.retry_context
                logging.info('attempt %s %s %s %s', r.retry_count, r.max_retry_count, r.exception.message, r.rpc_exception.message)
            @app.timer_trigger(arg_name='t', schedule='0 * * * * *')
            @app.retry(strategy='exponential_backoff', max_retry_count='-1', minimum_interval='00:00:01', maximum_interval='01:00:00')
            def backoff(t: func.TimerRequest): pass
            ''')
        fixed, backoff = host.functions['fixed'].retry_options, host.functions['backoff'].retry_options
        self.assertEqual((fixed.max_retry_count, fixed.delay_interval.seconds, fixed.retry_strategy), (3, 65, 1))
        self.assertEqual((backoff.max_retry_count, backoff.minimum_interval.seconds, backoff.maximum_interval.seconds,
                          backoff.retry_strategy), (-1, 1, 3600, 0))
        self.assert_success(host.call('fixed', {'t': json_data('{}')}, retry=pb.RetryContext(
            retry_count=1, max_retry_count=3, exception=pb.RpcException(message='earlier'))))
        self.assertEqual(host.log('attempt').message, 'attempt 1 3 earlier earlier')


class Logs(HostTest):
    def test_c2_21_lines_carry_the_call(self):
        host = self.serve('''
            def own_thread(context, line):
                context.thread_local_storage.invocation_id = context.invocation_id
                logging.info(line)
            @app.route()
            def sync(req, context: func.Context) -> str:
                logging.info('in sync')
                thread = threading.Thread(target=own_thread, args=(context, 'in own thread'))
                thread.start(); thread.join()
                thread = threading.Thread(target=logging.info, args=('in foreign thread',))
                thread.start(); thread.join()
                return ''
            async def child():
                logging.info('in child task')
            @app.route()
            async def coroutine(req) -> str:
                logging.info('in coroutine')
                await asyncio.create_task(child())
                await asyncio.to_thread(logging.info, 'in copied context')
                return ''
            ''')
        sync, coroutine = host.get('sync').invocation_id, host.get('coroutine').invocation_id
        wanted = {'in sync': sync, 'in own thread': sync, 'in foreign thread': '', 'in coroutine': coroutine,
                  'in child task': coroutine, 'in copied context': coroutine}
        for text, call in wanted.items():
            self.assertEqual(host.log(text).invocation_id, call, text)

    def test_calls_side_by_side_do_not_mix(self):
        host = self.serve('''
            @app.route()
            async def coroutine(req, context) -> str:
                for _ in range(3):
                    logging.info('mine:' + context.invocation_id)
                    await asyncio.sleep(0)
                return ''
            @app.route()
            def sync(req, context) -> str:
                for _ in range(3):
                    logging.info('mine:' + context.invocation_id)
                    time.sleep(0)
                return ''
            ''')
        calls = [host.start_call(('coroutine', 'sync')[n % 2], {'req': http()}) for n in range(40)]
        for call in calls:
            self.assertEqual(host.answer(call).result.status, SUCCESS)
        lines = host.logs('mine:')
        self.assertEqual(len(lines), 120)
        for line in lines:
            self.assertEqual(line.message, 'mine:' + line.invocation_id)

    def test_c2_22_categories_and_levels(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str:
                logging.getLogger('azure.functions.x').info('system line')
                logging.getLogger('azure.core').info('sdk line')
                logging.debug('debug line')
                logging.info('info line'); logging.warning('warning line'); logging.error('error line')
                logging.critical('critical line'); logging.log(25, 'between line')
                try: 1 / 0
                except ZeroDivisionError: logging.exception('with traceback')
                return ''
            ''')
        host.get('f')
        wanted = {'system line': ('azure.functions.x', SYSTEM, 2), 'sdk line': ('azure.core', USER, 2),
                  'info line': ('root', USER, 2), 'warning line': ('root', USER, 3), 'error line': ('root', USER, 4),
                  'critical line': ('root', USER, 5), 'between line': ('root', USER, 2)}
        for text, want in wanted.items():
            log = host.log(text)
            self.assertEqual((log.category, log.log_category, log.level), want, text)
        self.assertIn('ZeroDivisionError', host.log('with traceback').message)
        self.assertEqual(host.logs('debug line'), [])

    def test_debug_lines_on_demand(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str:
                logging.debug('debug line')
                return ''
            ''', env={'PYTHON_ENABLE_DEBUG_LOGGING': '1'})
        host.get('f')
        self.assertEqual(host.log('debug line').level, 1)

    def test_lines_come_before_the_answer_and_print_goes_to_stdout(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str:
                print('printed \\u2713')
                logging.info('logged')
                return ''
            ''')
        answer = host.get('f')
        kinds = [m.WhichOneof('content') for m in host.messages if
                 (m.HasField('rpc_log') and m.rpc_log.message == 'logged')
                 or (m.HasField('invocation_response') and m.invocation_response.invocation_id == answer.invocation_id)]
        self.assertEqual(kinds, ['rpc_log', 'invocation_response'])
        host.until(lambda: 'printed ✓\n' in host.stdout, 'printed line')

    def test_no_lines_of_our_own_per_call(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str: return ''
            ''')
        for _ in range(5):
            host.get('f')
        self.assertEqual(host.logs(), [])

    def test_an_app_that_takes_over_the_root_logger(self):
        host = self.serve('''
            logging.basicConfig(force=True)
            @app.route()
            def f(req) -> str:
                logging.warning('to stderr')
                return 'works'
            ''')
        self.assertEqual(host.get('f').return_value.string, 'works')
        host.until(lambda: 'to stderr' in host.stderr, 'line on stderr')


class Failures(HostTest):
    def test_c2_23_message_frames_and_cause(self):
        host = self.serve('''
            class Custom(Exception):
                pass
            def deep():
                raise KeyError('inner')
            @app.route()
            async def boom(req):
                try:
                    deep()
                except KeyError as error:
                    raise Custom('outer') from error
            @app.route()
            def boom_sync(req):
                deep()
            ''')
        failure = self.failure(host.get('boom'))
        self.assertEqual(failure.message, 'Custom: outer')
        self.assertRegex(failure.stack_trace, r'(?s)function_app\.py", line \d+, in boom\n.*Caused by .*in deep\n.*KeyError')
        failure = self.failure(host.get('boom_sync'))
        self.assertEqual(failure.message, "KeyError: 'inner'")
        self.assertEqual(re.findall(r', in (\w+)', failure.stack_trace), ['boom_sync', 'deep'])

    def test_nothing_that_a_function_raises_ends_the_process(self):
        host = self.serve('''
            class Mute(Exception):
                def __str__(self): raise RuntimeError('no text')
            kinds = {'exit': SystemExit(3), 'interrupt': KeyboardInterrupt(), 'cancelled': asyncio.CancelledError(),
                     'mute': Mute(), 'stop': StopIteration(), 'base': BaseException('b')}
            @app.route()
            def sync(req): raise kinds[req.params['kind']]
            @app.route()
            async def coroutine(req): raise kinds[req.params['kind']]
            @app.route()
            async def fine(req) -> str: return 'fine'
            ''')
        for name in ('sync', 'coroutine'):
            for kind in ('exit', 'interrupt', 'cancelled', 'mute', 'stop', 'base'):
                with self.subTest(f'{name} {kind}'):
                    self.failure(host.get(name, query={'kind': kind}))
        self.assertEqual(host.get('fine').return_value.string, 'fine')

    def test_unknown_function(self):
        host = self.serve('''
            @app.route()
            def f(req) -> str: return ''
            ''')
        self.assertIn("'nobody'", self.failure(host.call('nobody')).message)


if __name__ == '__main__':
    unittest.main()
