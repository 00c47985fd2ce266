#!/usr/bin/env bash
# Prepares the sample apps as they are published: tools/samples.sh <target folder> <GOOS> <GOARCH>
set -euo pipefail
out=$1 os=$2 arch=$3
mkdir -p "$out"
cp examples/samples.json "$out/"
for sample in node-hello go-handler; do
  mkdir -p "$out/$sample"
  (cd "examples/$sample" && tar cf - --exclude=node_modules --exclude='*.go' .) | (cd "$out/$sample" && tar xf -)
done
exe=handler
if [ "$os" = windows ]; then exe=handler.exe; fi
CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -ldflags "-s -w" -o "$out/go-handler/$exe" ./examples/go-handler
