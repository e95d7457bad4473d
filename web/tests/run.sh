#!/bin/sh
# Checks the types of the console and runs its unit tests: bundled by esbuild, run by node.
set -eu
cd "$(dirname "$0")/.."
if [ ! -d node_modules/typescript ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
node node_modules/typescript/bin/tsc -p .
esbuild tests/all.ts --bundle --format=esm --platform=neutral --main-fields=module --conditions=browser \
  --jsx=automatic --jsx-import-source=preact --log-level=warning --outfile="$out/all.mjs"
CONSOLE_PARTS="$out/all.mjs" node --test tests/*.test.mjs
