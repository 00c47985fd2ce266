"""What the host says on the command line, in both families of argument names."""

from urllib.parse import urlsplit

_LOOPBACK = ('localhost', '::1')
_DEFAULT_LIMIT = 2**31 - 1


class Launch:
    """Where the host listens and who we are to it."""

    def __init__(self, host, port, worker_id, request_id, limit):
        self.host = host
        self.port = port
        self.worker_id = worker_id
        self.request_id = request_id
        self.limit = limit


class ArgumentError(ValueError):
    """The command line does not say what is needed."""


def parse(argv):
    """Reads the arguments; what is not known is ignored, what is missing is an ArgumentError."""
    named = _pairs(argv)
    uri = named.get('functions-uri')
    if uri:
        host, port = _address_of(uri)
    else:
        host, port = named.get('host'), named.get('port')
    launch = Launch(
        _need(host, 'host (or functions-uri)'), _integer(_need(port, 'port (or functions-uri)'), 'port'),
        _need(named.get('functions-worker-id') or named.get('workerId'), 'functions-worker-id'),
        _need(named.get('functions-request-id') or named.get('requestId'), 'functions-request-id'),
        _integer(named.get('functions-grpc-max-message-length') or named.get('grpcMaxMessageLength') or _DEFAULT_LIMIT,
                 'functions-grpc-max-message-length'))
    if not (launch.host in _LOOPBACK or launch.host.startswith('127.')):
        # The stream is neither encrypted nor authenticated.
        raise ArgumentError(f'the host must be on this machine, not on {launch.host}')
    return launch


def _pairs(argv):
    named, words = {}, iter(argv)
    for word in words:
        if not word.startswith('--'):
            continue
        name, sign, value = word[2:].partition('=')
        named[name] = value if sign else next(words, '')
    return named


def _address_of(uri):
    parts = urlsplit(uri if '//' in uri else '//' + uri)
    try:
        return parts.hostname, parts.port
    except ValueError as error:
        raise ArgumentError(f'functions-uri {uri!r}: {error}') from None


def _need(value, name):
    if not value:
        raise ArgumentError(f'the argument --{name} is missing')
    return value


def _integer(value, name):
    try:
        return int(value)
    except ValueError:
        raise ArgumentError(f'--{name} {value!r} is not a number') from None
