"""Tests of the language worker: the real process against a real gRPC server with a general protobuf library."""
