"""Nightshift's Python language worker: runs Python function apps for the functions host (Azure's FunctionRpc contract).

Only the standard library is imported from here, so that nothing of ours can clash with the packages of an app.
"""

VERSION = '0.1.0'
