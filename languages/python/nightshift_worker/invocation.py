"""One call: inputs by the function's plan, the function on the event loop or a thread, outputs, response."""

import asyncio
from contextvars import copy_context

from . import convert
from .context import Context, Out, current
from .errors import Failure, failure_of
from .wire import data, encode


class Invoker:
    """Runs calls and answers each exactly once."""

    def __init__(self, transport):
        self._transport = transport
        self._running = set()
        self.pool = None
        self.http = None

    def invoke(self, request_id, request, plan):
        """Starts a call; returns at once."""
        # Tasks and threads start with a copy of this context, so all of the call's code knows whose it is.
        token = current.set(request.id)
        try:
            if plan.is_async or self._is_streamed(plan):
                task = asyncio.get_running_loop().create_task(self._run_async(request_id, request, plan))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            else:
                self.pool.run(copy_context().run, self._run_sync, request_id, request, plan)
        finally:
            current.reset(token)

    def refuse(self, request_id, request, why):
        """Answers a call that cannot be made."""
        self._transport.send(encode.invocation_response(request_id, request.id, failure=Failure(why)))

    def _is_streamed(self, plan):
        return self.http is not None and plan.http_input is not None

    def _run_sync(self, request_id, request, plan):
        try:
            arguments, outputs = _arguments(request, plan)
            answer = _answer(request_id, request, plan, plan.function(**arguments), outputs)
        except BaseException as error:  # SystemExit too: a function must not end the process
            answer = encode.invocation_response(request_id, request.id, failure=failure_of(error))
        self._transport.send(answer)

    async def _run_async(self, request_id, request, plan):
        try:
            if self._is_streamed(plan):
                answer = await self._run_streamed(request_id, request, plan)
            else:
                arguments, outputs = _arguments(request, plan)
                answer = _answer(request_id, request, plan, await plan.function(**arguments), outputs)
        except BaseException as error:
            answer = encode.invocation_response(request_id, request.id, failure=failure_of(error))
        self._transport.send(answer)

    async def _run_streamed(self, request_id, request, plan):
        async with self.http.exchange(request, plan) as exchange:
            arguments, outputs = _arguments(request, plan, {plan.http_input: exchange.request})
            if plan.is_async:
                result = await plan.function(**arguments)
            else:
                result = await self._on_thread(plan.function, arguments)
            exchange.answer(result)
            return encode.invocation_response(request_id, request.id, _outputs(plan, outputs))

    async def _on_thread(self, function, arguments):
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def settle(set_it, value):
            if not done.cancelled():
                set_it(value)

        def work():
            try:
                outcome = done.set_result, function(**arguments)
            except BaseException as error:
                outcome = done.set_exception, error if isinstance(error, Exception) else RuntimeError(repr(error))
            loop.call_soon_threadsafe(settle, *outcome)

        self.pool.run(copy_context().run, work)
        return await done


def _arguments(request, plan, given=None):
    """Returns the function's keyword arguments, and its Out parameters by name."""
    arguments, metadata = {}, None
    for name, where in request.input_data():
        if given and name in given:
            arguments[name] = given[name]
            continue
        slot = plan.inputs.get(name)
        if slot is None:
            raise RuntimeError(f'the host sent {name!r}, which is no input of the function {plan.name}')
        if slot.reads_metadata and metadata is None:
            metadata = data.TriggerMetadata(request.data, request.metadata)
        arguments[name] = _decoded(slot, data.decode(request.data, where), metadata)
    if plan.needs_context:
        arguments['context'] = Context(request, plan)
    outputs = {name: Out() for name in plan.outputs}
    arguments.update(outputs)
    return arguments, outputs


def _decoded(slot, datum, metadata):
    if datum is None:
        return None
    if datum.type == 'http':
        datum = data.Datum(datum.value.as_dict(), 'http')
    more = {'pytype': slot.pytype} if slot.is_deferred else {}
    try:
        return slot.converter.decode(datum, trigger_metadata=metadata if slot.reads_metadata else None, **more)
    except NotImplementedError:
        raise TypeError(f'unable to decode incoming TypedData: unsupported combination of TypedData field {datum.type!r} '
                        f'and expected binding type {slot.type}') from None


def _answer(request_id, request, plan, result, outputs):
    encoded = _outputs(plan, outputs)
    returned = None
    slot = plan.returned
    if slot is not None:
        returned = data.encode(convert.encode(slot.converter, slot.type, result, slot.pytype))
    elif result is not None:
        raise RuntimeError(f'function {plan.name} without a $return binding returned a non-None value')
    return encode.invocation_response(request_id, request.id, encoded, returned)


def _outputs(plan, outputs):
    encoded = []
    for name, out in outputs.items():
        value = out.get()
        if value is not None:
            slot = plan.outputs[name]
            encoded.append(encode.output(name, data.encode(
                convert.encode(slot.converter, slot.type, value, slot.pytype))))
    return b''.join(encoded)
