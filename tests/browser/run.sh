#!/bin/sh
# Tests the console: types, unit tests of its parts, and its pages in Debian's Chromium against the
# built program (MAINSTAY_BIN, default build/dev). Only some suites: tests/browser/run.sh chat look.
# Other commands: screenshots (into docs/screenshots), memory [--minutes N] (an open
# dashboard for ten minutes, or N).
set -eu
cd "$(dirname "$0")"
here=$(pwd)
command -v node >/dev/null || { echo "browser: node 18 or newer is needed (apt-get install nodejs npm)" >&2; exit 1; }
for program in chromium esbuild espeak-ng ffmpeg; do
  command -v "$program" >/dev/null || { echo "browser: $program is needed (apt-get install $program)" >&2; exit 1; }
done
: "${MAINSTAY_BIN:=$here/../../build/dev/mainstay}"
export MAINSTAY_BIN
[ -x "$MAINSTAY_BIN" ] || { echo "browser: no program at $MAINSTAY_BIN" >&2; exit 1; }

# install FOLDER: its npm packages, when they are missing or the lock changed.
install() {
  cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock" && return
  echo "browser: installing npm packages of $1"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || { echo "browser: npm ci failed (network?)" >&2; exit 1; }
  cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
}
install "$here"

case ${1:-} in
  screenshots) exec node screenshots.mjs ;;
  memory) # run.sh memory [--minutes N]
    minutes=10
    [ "${2:-}" = --minutes ] && minutes=${3:?how many minutes}
    BROWSER_MEMORY_SECONDS=$((minutes * 60)) exec node --test --test-name-pattern='does not grow' dashboard.test.mjs ;;
esac

suites=""
if [ $# -gt 0 ]; then
  for name in "$@"; do suites="$suites $name.test.mjs"; done
else
  suites=$(ls ./*.test.mjs)
  install "$here/../../web"
  sh "$here/../../web/tests/run.sh"
fi
echo "browser: $MAINSTAY_BIN"
# shellcheck disable=SC2086
exec node --test --test-concurrency="${BROWSER_JOBS:-1}" $suites
