#!/usr/bin/env bash
# One archive per platform: manager, worker, language workers with their modules, samples, licences, checksums.
# Expects `make build languages` to have run. tools/dist.sh linux/amd64 windows/amd64
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:-dev}
[ -f languages/node/node_modules/.stamp ] || { echo "the Node language worker's modules are missing; install Node.js with npm and run make languages" >&2; exit 1; }

# The licence texts of everything that is linked into the two programs.
licences() {
  go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./manager ./worker | sort -u |
  while read -r path ver dir; do
    for f in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
      [ -f "$f" ] || continue
      printf '\n======== %s %s: %s\n\n' "$path" "$ver" "$(basename "$f")"
      cat "$f"
    done
  done
}

mkdir -p dist
licences > dist/THIRD-PARTY-LICENCES.txt
for platform in "$@"; do
  os=${platform%/*} arch=${platform#*/}
  name=nightshift-$version-$os-$arch
  dir=dist/$name
  rm -rf "$dir"
  mkdir -p "$dir/languages"
  cp dist/bin/"$os-$arch"/* "$dir/"
  cp LICENSE dist/THIRD-PARTY-LICENCES.txt "$dir/"
  cp docs/dist-readme.txt "$dir/README.txt"
  mkdir -p "$dir/languages/node"
  (cd languages/node && tar cf - --exclude=test --exclude=bench --exclude=.stamp .) | (cd "$dir/languages/node" && tar xf -)
  GOFLAGS='' tools/samples.sh "$dir/samples" "$os" "$arch"
  (cd "$dir" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
  if [ "$os" = windows ]; then
    rm -f "dist/$name.zip"
    (cd dist && python3 -m zipfile -c "$name.zip" "$name")
    echo "dist/$name.zip"
  else
    tar czf "dist/$name.tar.gz" -C dist "$name"
    echo "dist/$name.tar.gz"
  fi
done
(cd dist && sha256sum nightshift-"$version"-*.tar.gz nightshift-"$version"-*.zip > "nightshift-$version-SHA256SUMS" 2>/dev/null)
