#!/usr/bin/env bash
# What is generated must be what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v protoc >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends protobuf-compiler libprotobuf-dev >/dev/null
  elif [ -n "${CI:-}" ]; then
    echo "protoc is missing and cannot be installed without root (Debian: apt-get install protobuf-compiler libprotobuf-dev)" >&2; exit 1
  else
    echo "SKIPPED: the generated FunctionRpc code was not compared, because protoc is missing (Debian: apt-get install protobuf-compiler libprotobuf-dev)"; exit 0
  fi
fi
before=$(git status --porcelain -- worker/rpc jobspecs; git diff -- worker/rpc jobspecs | sha256sum)
log=$(make --no-print-directory generate 2>&1) || { echo "$log" >&2; echo "make generate failed" >&2; exit 1; }
after=$(git status --porcelain -- worker/rpc jobspecs; git diff -- worker/rpc jobspecs | sha256sum)
if [ "$before" != "$after" ]; then
  git diff --stat -- worker/rpc jobspecs
  echo "generated files are not what is committed: run make generate and commit" >&2; exit 1
fi
echo "generated = committed"
