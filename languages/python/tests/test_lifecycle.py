"""The process and the app in it: start, indexing, loading, replacing the environment, the end."""

import json
import os
import subprocess
import sys
import unittest
import uuid

from .host import DEADLINE, HEAD, SUCCESS, WORKER, HostTest, arguments, http, pb, string

ROUTE = '''
@app.route()
def {name}(req) -> str:
    return {value}
'''


def old_arguments(port, worker_id, request_id):
    return ['--host', '127.0.0.1', '--port', str(port), '--workerId', worker_id, '--requestId', request_id,
            '--grpcMaxMessageLength', '2147483647']


def new_arguments(port, worker_id, request_id):
    return [f'--functions-uri=http://127.0.0.1:{port}/', '--functions-worker-id', worker_id,
            '--functions-request-id', request_id, '--functions-grpc-max-message-length', '2147483647']


class Process(HostTest):
    def test_both_families_of_arguments(self):
        for name, launch in {'both': arguments, 'old': old_arguments, 'new': new_arguments}.items():
            with self.subTest(name):
                host = self.host(launch=launch)
                self.assertEqual(host.messages[0].start_stream.worker_id, host.worker_id)
                self.assertEqual(host.messages[0].request_id, host.request_id)

    def run_worker(self, *args):
        return subprocess.run([sys.executable, WORKER, *args], capture_output=True, encoding='utf-8', timeout=DEADLINE)

    def test_arguments_that_do_not_do(self):
        for args, text in (([], 'host (or functions-uri)'), (['--functions-uri', 'http://127.0.0.1:1/'], 'functions-worker-id'),
                           (new_arguments(99999, 'w', 'r'), '99999'), (old_arguments('x', 'w', 'r'), "'x'"),
                           (['--host', '10.0.0.1', *old_arguments(1, 'w', 'r')[2:]], 'on this machine')):
            done = self.run_worker(*args)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r'^LanguageWorkerConsoleLog\[error\] .*')
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stderr.count('\n'), 1)

    def test_nobody_listens(self):
        done = self.run_worker(*arguments(1, 'w', 'r'))
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('127.0.0.1:1', done.stderr)
        self.assertNotIn('Traceback', done.stderr)

    def test_init_tells_what_we_are(self):
        answer = self.host().init(self.app(HEAD))
        self.assertEqual(answer.result.status, SUCCESS)
        self.assertEqual(dict(answer.capabilities), dict.fromkeys((
            'RawHttpBodyBytes', 'TypedDataCollection', 'RpcHttpBodyOnly', 'WorkerStatus', 'RpcHttpTriggerMetadataRemoved',
            'HandlesWorkerTerminateMessage'), 'true'))
        self.assertEqual(answer.worker_metadata.runtime_name, 'python')
        self.assertEqual(answer.worker_metadata.runtime_version, '%d.%d.%d' % sys.version_info[:3])

    def test_terminate_ends_the_process_in_order(self):
        host = self.serve(ROUTE.format(name='f', value='""') + 'import atexit; atexit.register(print, "goodbye")')
        host.send(worker_terminate=pb.WorkerTerminate())
        self.assertEqual((host.wait(), host.stdout, host.stderr), (0, 'goodbye\n', ''))

    def test_terminate_does_not_wait_for_what_never_ends(self):
        host = self.serve('''
            started = threading.Event()
            @app.route()
            def forever(req):
                threading.Thread(target=threading.Event().wait).start()
                started.set()
                threading.Event().wait()
            @app.route()
            def wait(req) -> str:
                started.wait()
                return 'runs'
            ''')
        host.start_call('forever', {'req': http()})
        self.assertEqual(host.get('wait').return_value.string, 'runs')
        host.send(worker_terminate=pb.WorkerTerminate())
        self.assertEqual(host.wait(10), 0)

    def test_c2_32_the_end_of_the_stream_is_the_end(self):
        host = self.serve(ROUTE.format(name='f', value='""'))
        host.close_stream()
        self.assertEqual((host.wait(), host.stderr), (0, ''))

    def test_a_host_that_dies_is_the_end_too(self):
        host = self.serve(ROUTE.format(name='f', value='""'))
        host._server.stop(None).wait()
        self.assertIn(host.wait(), (0, 1))

    def test_messages_that_need_no_answer_and_broken_ones(self):
        host = self.serve(ROUTE.format(name='f', value='"fine"'))
        host.send(invocation_cancel=pb.InvocationCancel(invocation_id='x'))
        host.send(file_change_event_request=pb.FileChangeEventRequest())
        host.send(close_shared_memory_resources_request=pb.CloseSharedMemoryResourcesRequest())
        host.send()
        self.assertEqual(host.get('f').return_value.string, 'fine')
        self.assertEqual(len(host.logs()), 1, host.logs())


class Indexing(HostTest):
    def index_failure(self, files):
        host = self.host()
        folder = self.app(files)
        self.assertEqual(host.init(folder).result.status, SUCCESS)
        failure = self.failure(host.metadata(folder))
        # Whoever loads all the same hears the same.
        loaded = host.load('x', pb.RpcFunctionMetadata(name='x', directory=folder))
        self.assertEqual(self.failure(loaded).message, failure.message)
        return failure

    def test_c2_6_defaults_in_raw_bindings(self):
        host = self.serve('''
            @app.route()
            def plain(req) -> str: return ''
            @app.route(route='r/{id}', methods=['GET', 'POST'], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name='request')
            def full(request) -> str: return ''
            ''')
        raw = [json.loads(each) for each in host.functions['plain'].raw_bindings]
        self.assertEqual(raw, [
            {'direction': 'IN', 'type': 'httpTrigger', 'name': 'req', 'authLevel': 'FUNCTION', 'route': 'plain'},
            {'direction': 'OUT', 'type': 'http', 'name': '$return'}])
        raw = json.loads(host.functions['full'].raw_bindings[0])
        self.assertEqual((raw['name'], raw['methods'], raw['authLevel'], raw['route']),
                         ('request', ['GET', 'POST'], 'ANONYMOUS', 'r/{id}'))
        function = host.functions['full']
        self.assertEqual((function.script_file, function.entry_point, function.language, dict(function.properties)),
                         ('function_app.py', 'full', 'python', {'worker_indexed': 'True'}))
        self.assertEqual((function.bindings['request'].type, function.bindings['$return'].direction), ('httpTrigger', 1))

    def test_c2_7_ids_are_stable(self):
        text = ROUTE.format(name='hello', value='""')
        ids = {self.serve(text).functions['hello'].function_id for _ in range(2)}
        self.assertEqual(ids, {str(uuid.uuid5(uuid.NAMESPACE_OID, 'hello')), '4d71d03f-f19b-5d9e-8523-9628ba18063c'})

    def test_c2_8_two_apps_or_two_names(self):
        for line in ('other = func.FunctionApp()', 'other = app'):
            self.assertRegex(self.index_failure(HEAD + line).message, 'more than one .* app, other')

    def test_no_app_at_all(self):
        self.assertIn('could not find a top level function app', self.index_failure('import azure.functions').message)

    def test_c2_9_duplicate_names(self):
        failure = self.index_failure(HEAD + ROUTE.format(name='f', value='1') + ROUTE.format(name='f', value='2'))
        self.assertRegex(failure.message, '^ValueError: Function f does not have a unique')

    def test_c2_10_blueprints(self):
        host = self.host()
        functions = host.serve(self.app({
            'function_app.py': HEAD + 'from more.orders import orders\napp.register_functions(orders)\n',
            'more/__init__.py': '',
            'more/orders.py': '''
                import azure.functions as func
                orders = func.Blueprint()
                @orders.route()
                def order(req, context) -> str:
                    return context.function_directory
                '''}))
        self.assertEqual(list(functions), ['order'])
        self.assertEqual(host.get('order').return_value.string, os.path.join(functions['order'].directory, 'more'))

    def test_c2_11_no_script_means_function_json(self):
        host = self.host()
        folder = self.app({'other.py': ''})
        host.init(folder)
        answer = host.metadata(folder)
        self.assertEqual((answer.result.status, answer.use_default_metadata_indexing), (SUCCESS, True))

    def test_an_app_without_functions(self):
        host = self.host()
        folder = self.app(HEAD)
        host.init(folder)
        self.assertTrue(host.metadata(folder).use_default_metadata_indexing)

    def test_another_script_name(self):
        host = self.host(env={'PYTHON_SCRIPT_FILE_NAME': 'main-app.py'})
        functions = host.serve(self.app({'main-app.py': HEAD + ROUTE.format(name='f', value='"x"'), 'function_app.py': '1 / 0'}))
        self.assertEqual(functions['f'].script_file, 'main-app.py')
        host = self.host(env={'PYTHON_SCRIPT_FILE_NAME': '../evil.py'})
        folder = self.app({})
        host.init(folder)
        self.assertIn('PYTHON_SCRIPT_FILE_NAME', self.failure(host.metadata(folder)).message)

    def test_c2_13_parameters_and_bindings_must_match(self):
        cases = {
            "declared in Python but are not bindings of the function: {'extra'}":
                '@app.route()\ndef f(req, extra): pass',
            "declared as bindings but not in Python: {'req'}": '@app.route()\ndef f(): pass',
            "does not match its Python annotation": '@app.route()\ndef f(req: func.TimerRequest): pass',
            "return annotation": '@app.route()\ndef f(req) -> int: pass',
            "direction \"in\"": '@app.route()\ndef f(req: func.Out[str]): pass',
            "direction \"out\"": '@app.route()\n@app.queue_output(arg_name="o", queue_name="q", connection="C")\n'
                                 'def f(req, o: str): pass',
            "\"context\" parameter": '@app.route()\ndef f(req, context: int): pass',
            "its signature cannot be read": '@app.route()\ndef f(req: "Missing"): pass',
            "should not be azure.functions.Out": '@app.route()\ndef f(req) -> func.Out[str]: pass',
            "inout": '@app.route()\n@app.generic_input_binding(arg_name="o", type="x")\ndef f(req, o): pass\n'
                     'f._function._bindings[0]._direction = func.decorators.core.BindingDirection.INOUT',
            "two bindings with the name 'req'":
                '@app.route()\n@app.generic_input_binding(arg_name="req", type="x")\ndef f(req): pass',
        }
        for text, code in cases.items():
            with self.subTest(text):
                message = self.index_failure(HEAD + code).message
                self.assertRegex(message, '^FunctionLoadError: cannot load the f function: ')
                self.assertIn(text, message)

    def test_wrapped_and_string_annotated_functions(self):
        host = self.serve('''
            import functools
            def logged(function):
                @functools.wraps(function)
                def wrapper(*args, **kwargs):
                    return 'wrapped ' + function(*args, **kwargs)
                return wrapper
            @app.route()
            @logged
            def f(req: 'func.HttpRequest', context: 'func.Context') -> 'str':
                return context.function_name
            ''')
        self.assertEqual(host.get('f').return_value.string, 'wrapped f')

    def test_c2_24_a_missing_module_is_told_with_the_way_out(self):
        failure = self.index_failure(HEAD + 'def use():\n    import not_there_at_all\nuse()\n')
        self.assertRegex(failure.message, "^ModuleNotFoundError: No module named 'not_there_at_all'. .*requirements.txt")
        self.assertIn('.packages', failure.message)
        self.assertRegex(failure.stack_trace, r'function_app.py", line \d+, in use')
        self.assertNotIn('importlib', failure.stack_trace)
        self.assertNotIn('nightshift_worker', failure.stack_trace)

    def test_scripts_that_do_not_load(self):
        for code, want in {'def f(:': 'SyntaxError', '1 / 0': 'ZeroDivisionError: division by zero',
                           'import sys; sys.exit("no")': 'SystemExit: no'}.items():
            self.assertTrue(self.index_failure(code).message.startswith(want), want)

    def test_lines_of_the_import_are_sent_while_it_runs(self):
        folder = self.app(HEAD + 'logging.info("importing"); print("printed")\nimport sys\n'
                                 'while not os.path.exists(__file__ + ".go"): time.sleep(0.01)\n')
        host = self.host()
        host.send(worker_init_request=pb.WorkerInitRequest(function_app_directory=folder))
        host.log('importing')
        host.until(lambda: 'printed' in host.stdout, 'printed line')
        with open(os.path.join(folder, 'function_app.py.go'), 'w', encoding='utf-8'):
            pass
        host.next('worker_init_response')

    def test_loading_again_is_harmless_and_unknown_ones_fail(self):
        host = self.serve(ROUTE.format(name='f', value='"x"'))
        function = host.functions['f']
        self.assertEqual(host.load(function.function_id, function).result.status, SUCCESS)
        self.assertIn("'g'", self.failure(host.load('unknown', pb.RpcFunctionMetadata(name='g'))).message)


class SearchPath(HostTest):
    LIBRARY = '.python_packages/lib/site-packages/'

    def test_the_apps_own_packages_come_first_the_app_last(self):
        host = self.host()
        host.serve(self.app({
            'function_app.py': HEAD + 'import dep, colorsys, local\nimport sys\n' + ROUTE.format(
                name='f', value='json.dumps([dep.x, local.x, colorsys.__file__, sys.path[-1], azure_copy])').replace(
                    'azure_copy', 'func.__file__'),
            'local.py': 'x = "local"', 'colorsys.py': 'raise Exception("the standard library comes before the app")',
            self.LIBRARY + 'dep.py': 'x = "packaged"', 'dep.py': 'x = "wrong"', 'tests/__init__.py': '',
        }))
        dep, local, colorsys, last, copy = json.loads(host.get('f').return_value.string)
        self.assertEqual((dep, local, last), ('packaged', 'local', host.functions['f'].directory))
        self.assertNotIn(last, colorsys)
        self.assertIn(os.path.join('languages', 'python', '.packages'), copy)

    def test_nothing_of_ours_is_in_the_way(self):
        host = self.serve('''
            import sys
            @app.route()
            def f(req) -> str:
                mine = {name.partition('.')[0] for name, m in sys.modules.items()
                        if 'site-packages' in (getattr(m, '__file__', None) or '') or '.packages' in (getattr(m, '__file__', None) or '')}
                return json.dumps([sorted(mine - {'_distutils_hack', 'sitecustomize', 'distutils-precedence'}), sys.path[0]])
            ''')
        modules, first = json.loads(host.get('f').return_value.string)
        # What else this Python has installed may be there; a transport or a protobuf library of ours may not.
        self.assertLessEqual({'azure', 'werkzeug'}, set(modules))
        self.assertFalse({'grpc', 'google', 'h2', 'hpack'} & set(modules))
        self.assertTrue(first.endswith('.packages'))

    def test_c2_26_apps_bring_their_own_protobuf_grpc_and_library(self):
        for version in ('3.20.0', '6.31.0'):
            host = self.host()
            host.serve(self.app({
                'function_app.py': HEAD + 'import google.protobuf, grpc\n' + ROUTE.format(
                    name='f', value='google.protobuf.__version__ + grpc.__version__'),
                self.LIBRARY + 'google/protobuf/__init__.py': f'__version__ = {version!r}',
                self.LIBRARY + 'grpc/__init__.py': '__version__ = "-own"',
            }))
            self.assertEqual(host.get('f').return_value.string, version + '-own')


class Legacy(HostTest):
    FILES = {
        'hello/__init__.py': '''
            from .helper import greet
            from ..shared import common
            from __app__.shared.common import shout
            import azure.functions as func
            import sibling
            def main(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
                return func.HttpResponse(' '.join([greet(), common.name, shout('x'), sibling.x, context.function_directory]))
            ''',
        'hello/helper.py': 'def greet(): return "hi"',
        'shared/__init__.py': '', 'shared/common.py': 'name = "common"\ndef shout(text): return text.upper()',
        'sibling.py': 'x = "sibling"',
        'custom/run.py': 'async def handle(req): return "custom"\nnumber = 5',
        'custom/notes.txt': '',
    }
    HTTP = {'req': pb.BindingInfo(type='httpTrigger'), '$return': pb.BindingInfo(type='http', direction='OUT')}

    def setUp(self):
        self.folder = self.app(self.FILES)
        self.worker = self.host()
        self.worker.init(self.folder)
        self.assertTrue(self.worker.metadata(self.folder).use_default_metadata_indexing)

    def load(self, name, script='', entry='', bindings=None):
        directory = os.path.join(self.folder, name)
        return self.worker.load('id-' + name, pb.RpcFunctionMetadata(
            name=name, directory=directory, script_file=script and os.path.join(directory, script), entry_point=entry,
            bindings=bindings or self.HTTP))

    def test_c2_12_defaults_and_imports(self):
        for _ in range(2):
            self.assert_success(self.load('hello'))
        answer = self.assert_success(self.worker.call('id-hello', {'req': http()}))
        self.assertEqual(answer.return_value.http.body.bytes.decode(),
                         'hi common X sibling ' + os.path.join(self.folder, 'hello'))

    def test_c2_12_script_file_and_entry_point(self):
        self.assert_success(self.load('custom', 'run.py', 'handle'))
        self.assertEqual(self.worker.call('id-custom', {'req': http()}).return_value, string('custom'))

    def test_what_does_not_load(self):
        cases = (('custom', 'run.py', '', 'has no function main'), ('custom', 'run.py', 'number', 'is not a function'),
                 ('custom', 'notes.txt', '', 'is not a .py file'), ('custom', 'absent.py', '', 'does not exist'),
                 ('custom', '../../../evil.py', '', 'is outside the app'))
        for name, script, entry, text in cases:
            with self.subTest(text):
                failure = self.failure(self.load(name, script, entry))
                self.assertRegex(failure.message, f'^RuntimeError: cannot load the {name} function: ')
                self.assertIn(text, failure.message)

    def test_c2_13_binding_that_is_no_parameter(self):
        bindings = {**self.HTTP, 'msg': pb.BindingInfo(type='queue', direction='OUT')}
        self.assertIn("not in Python: {'msg'}", self.failure(self.load('custom', 'run.py', 'handle', bindings)).message)


class Reload(HostTest):
    def placeholder(self):
        host = self.host(env={'OLD': '1', 'TZ': 'UTC'})
        self.assertEqual(host.init('').result.status, SUCCESS)
        self.assertTrue(host.metadata('').use_default_metadata_indexing)
        return host

    def test_c2_25_a_placeholder_becomes_an_app(self):
        host = self.placeholder()
        folder = self.app(HEAD + '''
meeting = threading.Barrier(2)
@app.route()
def show(req) -> str:
    return json.dumps([dict(os.environ), os.getcwd(), time.strftime('%H', time.localtime(0))])
@app.route()
def meet(req) -> str:
    meeting.wait(20)
    return 'met'
''')
        answer = host.reload(folder, {'NEW': 'ü', 'TZ': 'Asia/Tokyo', 'PYTHON_THREADPOOL_THREAD_COUNT': '2', 'PATH': '/bin'})
        self.assertEqual(answer.result.status, SUCCESS, answer.result.exception.message)
        self.assertEqual(answer.capabilities_update_strategy, 1)
        self.assertEqual(answer.worker_metadata.runtime_name, 'python')
        self.assertIn('HandlesWorkerTerminateMessage', answer.capabilities)
        host.index(folder)
        env, cwd, hour = json.loads(host.get('show').return_value.string)
        self.assertEqual((env.get('NEW'), env.get('OLD'), cwd), ('ü', None, folder))
        self.assertEqual(hour, '09')
        calls = [host.start_call('meet', {'req': http()}) for _ in range(2)]
        self.assertEqual([host.answer(call).return_value.string for call in calls], ['met', 'met'])

    def test_an_earlier_apps_modules_are_gone(self):
        host = self.host()
        first = self.app({'function_app.py': HEAD + 'import helper\n' + ROUTE.format(name='old', value='helper.x'),
                          'helper.py': 'x = "first"'})
        host.serve(first)
        old = host.functions['old'].function_id
        second = self.app({'function_app.py': HEAD + 'import helper\n' + ROUTE.format(name='new', value='helper.x'),
                           'helper.py': 'x = "second"'})
        self.assertEqual(host.reload(second, {'PATH': '/bin'}).result.status, SUCCESS)
        self.assertEqual(list(host.index(second)), ['new'])
        self.assertEqual(host.get('new').return_value.string, 'second')
        self.assertIn('not loaded', self.failure(host.call(old, {'req': http()})).message)

    def test_the_apps_own_library_replaces_the_preloaded_one(self):
        host = self.placeholder()
        bundled = os.path.join(os.path.dirname(WORKER), '.packages')
        folder = self.app(HEAD + ROUTE.format(name='f', value='func.__file__'))
        library = os.path.join(folder, '.python_packages', 'lib', 'site-packages')
        os.makedirs(library)
        for name in ('azure', 'werkzeug', 'markupsafe'):
            os.symlink(os.path.join(bundled, name), os.path.join(library, name))
        self.assertEqual(host.reload(folder, {'PATH': '/bin'}).result.status, SUCCESS)
        host.index(folder)
        answer = self.assert_success(host.get('f'))
        self.assertTrue(answer.return_value.string.startswith(library), answer.return_value.string)

    def test_an_app_that_does_not_load_is_told_at_metadata(self):
        host = self.placeholder()
        folder = self.app('1 / 0')
        self.assertEqual(host.reload(folder, {}).result.status, SUCCESS)
        self.assertIn('ZeroDivisionError', self.failure(host.metadata(folder)).message)

    def test_a_folder_that_is_not_there(self):
        host = self.placeholder()
        self.assertIn('/not/there', self.failure(host.reload('/not/there', {})).message)


if __name__ == '__main__':
    unittest.main()
