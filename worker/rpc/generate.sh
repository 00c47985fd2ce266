#!/bin/sh
# Generates rpcpb from proto/FunctionRpc.proto. It needs protoc with Google's well-known types (Debian:
# protobuf-compiler, libprotobuf-dev) and builds the two Go plug-ins itself, pinned below.
set -eu
cd "$(dirname "$0")"
plugins=$(mktemp -d)
trap 'rm -rf "$plugins"' EXIT
GOBIN=$plugins go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$plugins go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
PATH=$plugins:$PATH protoc -I proto -I /usr/include \
	--go_out=rpcpb --go_opt=paths=source_relative \
	--go-grpc_out=rpcpb --go-grpc_opt=paths=source_relative \
	FunctionRpc.proto
