// Package rpcpb is the generated code of proto/FunctionRpc.proto; generate.sh in the folder above makes it.
package rpcpb
