"""The host's side of the contract, generated from the project's own FunctionRpc.proto by the general library."""

import atexit
import importlib.resources
import os
import shutil
import sys
import tempfile

from grpc_tools import protoc

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PROTO = os.path.join(ROOT, '..', '..', 'worker', 'rpc', 'proto')


def _generate():
    folder = tempfile.mkdtemp(prefix='nightshift-proto-')
    atexit.register(shutil.rmtree, folder, True)
    well_known = str(importlib.resources.files('grpc_tools') / '_proto')
    if protoc.main(['protoc', f'-I{_PROTO}', f'-I{well_known}', f'--python_out={folder}', 'FunctionRpc.proto']):
        raise RuntimeError('FunctionRpc.proto does not compile')
    sys.path.append(folder)
    import FunctionRpc_pb2
    return FunctionRpc_pb2


pb = _generate()
METHOD = '/AzureFunctionsRpcMessages.FunctionRpc/EventStream'
