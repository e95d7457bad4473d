#!/bin/sh
# Runs the end-to-end suites against the built program: MAINSTAY_BIN (default build/dev), or only the
# suites named as arguments: tests/e2e/run.sh cache stop. Installs the npm client when it is missing
# or the lock changed.
set -eu
cd "$(dirname "$0")"
command -v node >/dev/null || { echo "e2e: node 18 or newer is needed (apt-get install nodejs npm)" >&2; exit 1; }
: "${MAINSTAY_BIN:=$(pwd)/../../build/dev/mainstay}"
export MAINSTAY_BIN
[ -x "$MAINSTAY_BIN" ] || { echo "e2e: no program at $MAINSTAY_BIN" >&2; exit 1; }
if ! cmp -s package-lock.json node_modules/.installed-lock; then
  echo "e2e: installing the openai client from npm"
  npm ci --no-audit --no-fund --loglevel=error || { echo "e2e: npm ci failed (network?)" >&2; exit 1; }
  cp package-lock.json node_modules/.installed-lock
fi
suites=""
if [ $# -gt 0 ]; then
  for name in "$@"; do suites="$suites $name.test.mjs"; done
else
  suites="$(ls ./*.test.mjs) ../provider/provider.test.mjs"
fi
echo "e2e: $MAINSTAY_BIN"
# shellcheck disable=SC2086
exec node --test --test-concurrency="${E2E_JOBS:-2}" $suites
