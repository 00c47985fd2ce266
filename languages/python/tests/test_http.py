"""HTTP functions, sync and async."""

import unittest

from .host import HostTest, http, pb


class Http(HostTest):
    def test_c2_1_sync_function_answers_with_httpresponse(self):
        host = self.serve('''
            @app.route()
            def hello(req: func.HttpRequest) -> func.HttpResponse:
                return func.HttpResponse('Hello ' + req.params['name'])
            ''')
        answer = self.assert_success(host.get('hello', query={'name': 'Go'})).return_value.http
        self.assertEqual((answer.status_code, answer.body.bytes), ('200', b'Hello Go'))
        self.assertEqual(dict(answer.headers), {'content-type': 'text/plain; charset=utf-8'})

    def test_c2_2_text_goes_out_as_string(self):
        host = self.serve("""
            @app.route()
            def plain(req) -> str:
                return 'just text'
            """)
        self.assertEqual(host.get('plain').return_value, pb.TypedData(string='just text'))

    def test_c2_3_none_and_dict_are_failures(self):
        host = self.serve('''
            @app.route()
            def none(req): return None
            @app.route()
            def dict_(req): return {'a': 1}
            @app.route()
            async def none_async(req): pass
            ''')
        for name, kind in (('none', 'NoneType'), ('dict_', 'dict'), ('none_async', 'NoneType')):
            with self.subTest(name):
                self.assertRegex(self.failure(host.get(name)).message, f'^TypeError: .*"http".*"{kind}"')

    def test_request_shows_everything_that_came(self):
        host = self.serve('''
            @app.route(route='items/{id}')
            def show(req: func.HttpRequest, context: func.Context):
                json_body = req.get_json()
                return func.HttpResponse(json.dumps({
                    'method': req.method, 'url': req.url, 'params': dict(req.params), 'route': dict(req.route_params),
                    'header': req.headers['X-One'], 'get': req.headers.get('x-two', 'none'), 'names': list(req.headers),
                    'json': json_body, 'body': req.get_body().decode(), 'id': context.invocation_id,
                    'function': context.function_name, 'folder': context.function_directory,
                    'trace': context.trace_context.trace_parent, 'old': context.trace_context.Traceparent,
                    'is_request': isinstance(req, func.HttpRequest), 'cwd_importable': 'function_app' in __import__('sys').modules,
                }), mimetype='application/json', status_code=201, headers={'X-Out': '1'})
            ''')
        body = '{"name": "ö"}'.encode()
        answer = self.assert_success(host.get('show', method='POST', body=body, headers={'x-one': '1'}, query={'q': ''},
                                              params={'id': '42'}))
        import json
        shown = json.loads(answer.return_value.http.body.bytes)
        self.assertEqual((shown['method'], shown['url'], shown['params'], shown['route']),
                         ('POST', 'http://localhost:7071/api/show', {'q': ''}, {'id': '42'}))
        self.assertEqual((shown['header'], shown['get'], shown['names']), ('1', 'none', ['x-one']))
        self.assertEqual((shown['json'], shown['body'].encode()), ({'name': 'ö'}, body))
        self.assertEqual((shown['id'], shown['function']), (answer.invocation_id, 'show'))
        self.assertEqual(shown['folder'], host.functions['show'].directory)
        self.assertEqual(shown['trace'], '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
        self.assertEqual(shown['old'], shown['trace'])
        self.assertTrue(shown['is_request'])
        out = answer.return_value.http
        self.assertEqual((out.status_code, dict(out.headers)), ('201', {'content-type': 'application/json', 'X-Out': '1'}))

    def test_form_and_files(self):
        host = self.serve('''
            @app.route()
            def form(req: func.HttpRequest) -> str:
                return json.dumps([req.form.get('a'), req.files['f'].filename, req.files['f'].read().decode()])
            ''')
        body = (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
                b'--B\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\ntext\r\n--B--\r\n')
        answer = host.get('form', method='POST', body=body, headers={'content-type': 'multipart/form-data; boundary=B'})
        self.assertEqual(self.assert_success(answer).return_value.string, '["1", "x.txt", "text"]')

    def test_invalid_json_is_a_valueerror_of_the_app(self):
        host = self.serve('''
            @app.route()
            def parse(req: func.HttpRequest) -> str:
                try:
                    req.get_json()
                except ValueError as error:
                    return 'caught'
            ''')
        self.assertEqual(host.get('parse', body=b'{').return_value.string, 'caught')
        self.assertEqual(host.get('parse').return_value.string, 'caught')

    def test_nullable_maps_are_understood(self):
        host = self.serve('''
            @app.route()
            def show(req) -> str:
                return json.dumps([dict(req.headers), dict(req.params)])
            ''')
        answer = host.get('show', nullable_headers={'h': pb.NullableString(value='1')},
                          nullable_query={'q': pb.NullableString(value='2')})
        self.assertEqual(answer.return_value.string, '[{"h": "1"}, {"q": "2"}]')

    def test_c2_27_each_set_cookie_header_is_a_cookie(self):
        host = self.serve('''
            from werkzeug.datastructures import Headers
            @app.route()
            def cookies(req):
                headers = Headers()
                headers.add('Set-Cookie', 'a=1; Path=/; SameSite=Lax')
                headers.add('Set-Cookie', 'b=2; Secure; Max-Age=60')
                answer = func.HttpResponse('x')
                answer.headers.extend(headers)
                return answer
            ''')
        out = self.assert_success(host.get('cookies')).return_value.http
        self.assertEqual([(c.name, c.value, c.path.value, c.same_site, c.max_age.value) for c in out.cookies],
                         [('a', '1', '/', 1, 0), ('b', '2', '', 0, 60)])
        self.assertNotIn('set-cookie', {name.lower() for name in out.headers})

    def test_c2_31_asgi_and_wsgi_apps(self):
        folder = self.app({'function_app.py': '''
            import azure.functions as func
            def wsgi(environ, start_response):
                start_response('201 Created', [('Content-Type', 'text/plain')])
                return [('wsgi ' + environ['PATH_INFO']).encode()]
            app = func.WsgiFunctionApp(app=wsgi, http_auth_level=func.AuthLevel.ANONYMOUS)
            '''})
        host = self.host()
        functions = host.serve(folder)
        self.assertEqual(list(functions), ['http_app_func'])
        self.assertIn('"route": "/{*route}"', functions['http_app_func'].raw_bindings[0])
        answer = self.assert_success(host.get('http_app_func', params={'route': 'a/b'}))
        self.assertEqual((answer.return_value.http.status_code, answer.return_value.http.body.bytes),
                         ('201', b'wsgi /api/http_app_func'))
        folder = self.app({'function_app.py': '''
            import azure.functions as func
            async def asgi(scope, receive, send):
                if scope['type'] == 'lifespan':
                    while True:
                        event = await receive()
                        await send({'type': event['type'] + '.complete'})
                event = await receive()
                await send({'type': 'http.response.start', 'status': 202, 'headers': [(b'x-a', b'1')]})
                await send({'type': 'http.response.body', 'body': b'asgi ' + event['body']})
            app = func.AsgiFunctionApp(app=asgi)
            '''})
        host = self.host()
        host.serve(folder)
        answer = self.assert_success(host.get('http_app_func', method='POST', body=b'body'))
        self.assertEqual((answer.return_value.http.status_code, answer.return_value.http.body.bytes), ('202', b'asgi body'))

    def test_large_bodies_pass_in_both_directions(self):
        host = self.serve('''
            @app.route()
            def echo(req: func.HttpRequest) -> func.HttpResponse:
                return func.HttpResponse(req.get_body() + req.get_body(), mimetype='application/octet-stream')
            ''')
        body = bytes(range(256)) * 40_000
        answer = self.assert_success(host.get('echo', method='POST', body=body))
        self.assertEqual(answer.return_value.http.body.bytes, body + body)

    def test_a_thousand_pipelined_calls_keep_ids_apart(self):
        host = self.serve('''
            @app.route()
            def sync(req: func.HttpRequest, context) -> str:
                return context.invocation_id + req.params['n']
            @app.route()
            async def coroutine(req: func.HttpRequest, context) -> str:
                await asyncio.sleep(0)
                return context.invocation_id + req.params['n']
            ''', env={'PYTHON_THREADPOOL_THREAD_COUNT': '1000'})
        calls = [(n, host.start_call(('sync', 'coroutine')[n % 2], {'req': http(query={'n': str(n)})})) for n in range(1000)]
        ids = {}
        host.until(lambda: len([m for m in host.messages if m.HasField('invocation_response')]) == 1000, '1000 answers')
        for message in host.messages:
            if message.HasField('invocation_response'):
                ids[message.invocation_response.invocation_id] = message.invocation_response.return_value.string
        self.assertEqual(ids, {call: call + str(n) for n, call in calls})


if __name__ == '__main__':
    unittest.main()
