#!/usr/bin/env bash
# One archive per platform: manager, worker, language workers with their modules, samples, licences, checksums.
# Expects `make build` to have run. tools/dist.sh linux/amd64 windows/amd64
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:-dev}
command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer with npm (https://nodejs.org; Debian: apt-get install nodejs npm)" >&2; exit 1; }

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
# The language workers with what they need at run time and nothing else, whatever the checkout has installed.
lang=dist/.languages
rm -rf "$lang" && mkdir -p "$lang/node"
tar cf - -C languages/node --exclude=node_modules --exclude=test --exclude=testhost --exclude=testdata --exclude=bench . | tar xf - -C "$lang/node"
(cd "$lang/node" && npm ci --omit=dev --no-audit --no-fund --loglevel=error)

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
  cp -r "$lang/." "$dir/languages/"
  tools/samples.sh "$dir/samples" "$os" "$arch"
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
