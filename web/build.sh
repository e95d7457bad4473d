#!/bin/sh
# Bundles the console: web/build.sh OUT writes OUT/index.html and OUT/assets/*. Needs esbuild
# (Debian's 0.17 is enough) and web/node_modules (npm ci --omit=dev in web/). Used by the build of the
# program, which embeds what is written here, and by tests/browser.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: web/build.sh OUT" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -d "$here/node_modules/preact" ] || { echo "web: run 'npm ci --omit=dev' in web/ first" >&2; exit 1; }
rm -rf "$out/assets" "$out/index.html"
cd "$here"
awk -f trim-uplot.awk node_modules/uplot/dist/uPlot.esm.js > "$out.uplot.mjs"
esbuild src/main.tsx --bundle --format=esm --minify --target=es2022 --alias:uplot="$out.uplot.mjs" \
  --jsx=automatic --jsx-import-source=preact --legal-comments=none --charset=utf8 \
  --loader:.worklet.js=file --public-path=/assets --asset-names='[name]-[hash]' \
  --entry-names='[name]-[hash]' --outdir="$out/assets" --log-level=warning
rm "$out.uplot.mjs"
# The names carry hashes: the page is told them here.
js=$(cd "$out/assets" && ls main-*.js)
css=$(cd "$out/assets" && ls main-*.css)
sed -e "s/%JS%/$js/g" -e "s/%CSS%/$css/g" index.html > "$out/index.html"
