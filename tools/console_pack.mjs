#!/usr/bin/env node
// Bundles the console and writes it as C++ to be compiled into the program: tools/console_pack.mjs
// WEB OUT writes OUT/console_files.cpp and OUT/console_files.d. Installs the npm packages of
// WEB/package-lock.json when they are not there. Run by cmake/web.cmake.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** Of all files together, as they are sent. */
const MOST_BYTES = 60 * 1024;
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.webp': 'image/webp', '.json': 'application/json', '.wasm': 'application/wasm',
};

function die(sentence) {
  process.stderr.write(`console: ${sentence}\n`);
  process.exit(1);
}

function run(program, args, cwd) {
  const done = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (done.error) die(`${program} cannot be started (${done.error.code}): apt-get install nodejs npm esbuild`);
  return { ok: done.status === 0, text: `${done.stdout}${done.stderr}`.trim() };
}

function newer(file, than) {
  return fs.existsSync(file) && fs.statSync(file).mtimeMs >= fs.statSync(than).mtimeMs;
}

/** One build at a time installs: several presets may be built side by side. */
function install(web) {
  const lock = path.join(web, 'package-lock.json');
  const there = () => newer(path.join(web, 'node_modules/.package-lock.json'), lock) &&
    fs.existsSync(path.join(web, 'node_modules/preact'));
  if (there()) return;
  const script = 'exec flock -w 300 package.json npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=2 --fetch-timeout=30000';
  const { ok, text } = run('sh', ['-c', script], web);
  if (ok || there()) return;
  const lines = text.split('\n').filter((line) => line.trim());
  const why = lines.find((line) => /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network|getaddrinfo|integrity/i.test(line)) ?? lines[0] ?? 'no reason given';
  die(`npm cannot get the ${Object.keys(JSON.parse(fs.readFileSync(lock)).packages).length - 1} packages of web/package-lock.json (${why.slice(0, 160)}). ` +
    'Check the network and the registry that npm uses, or build without the console: -DMAINSTAY_CONSOLE=OFF');
}

function files_below(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.name === 'node_modules' || entry.name === 'tests') return [];
    return entry.isDirectory() ? files_below(full) : [full];
  });
}

function write_if_other(file, text) {
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text) return;
  fs.writeFileSync(file, text);
}

/** Octal escapes have three digits, so that no digit behind one belongs to it. */
function literal(bytes) {
  let out = '';
  for (let at = 0; at < bytes.length; at += 24) {
    out += '    "';
    for (const byte of bytes.subarray(at, at + 24)) out += `\\${byte.toString(8).padStart(3, '0')}`;
    out += '"\n';
  }
  return out;
}

function entry(file, index) {
  const type = TYPES[path.extname(file.path)] ?? (file.path === '/' ? TYPES['.html'] : null);
  if (!type) die(`no Content-Type is known for ${file.path}: add it to tools/console_pack.mjs`);
  const etag = createHash('sha256').update(file.gzip).digest('hex').slice(0, 32);
  const lasting = /-[A-Z0-9]{8}\.(js|css)$/.test(file.path);
  return {
    data: `constexpr char kData${index}[] =\n${literal(file.gzip)}    ;\n`,
    row: `    {"${file.path}", "${type}", "\\"${etag}\\"", ${lasting}, {kData${index}, ${file.gzip.length}}},\n`,
  };
}

const [web, out] = process.argv.slice(2).map((one) => path.resolve(one));
if (!out) die('usage: console_pack.mjs WEB OUT');
if (!fs.existsSync(path.join(web, 'index.html'))) die(`${web} holds no console (index.html is missing)`);
fs.mkdirSync(out, { recursive: true });
install(web);
const bundle = path.join(out, 'bundle');
const built = run('sh', [path.join(web, 'build.sh'), bundle], web);
if (!built.ok) die(`web/build.sh failed:\n${built.text}`);

const packed = files_below(bundle).sort().map((file) => {
  const name = path.relative(bundle, file);
  return { path: name === 'index.html' ? '/' : `/${name}`, gzip: gzipSync(fs.readFileSync(file), { level: 9 }) };
});
const total = packed.reduce((sum, file) => sum + file.gzip.length, 0);
if (!packed.some((file) => file.path === '/')) die('web/build.sh made no index.html');
// A test of the program fails then; a page in the making may be built and looked at.
if (total > MOST_BYTES) process.stderr.write(`console: ${total} bytes compressed, more than the ${MOST_BYTES} that a release may have\n`);
const entries = packed.map(entry);
write_if_other(path.join(out, 'console_files.cpp'),
  `// Written by tools/console_pack.mjs: the files of web/, ${total} bytes compressed.
#include "api/console_files.h"

#include <array>

namespace mainstay::api {
namespace {

${entries.map((one) => one.data).join('\n')}
constexpr std::array<ConsoleFile, ${entries.length}> kFiles = {{
${entries.map((one) => one.row).join('')}}};

}  // namespace

std::span<const ConsoleFile> console_files() {
  return kFiles;
}

}  // namespace mainstay::api
`);
const escaped = (name) => name.replaceAll(' ', '\\ ');
const inputs = [...files_below(web), process.argv[1]].map((file) => escaped(path.resolve(file)));
fs.writeFileSync(path.join(out, 'console_files.d'), `${escaped(path.join(out, 'console_files.cpp'))}: ${inputs.join(' ')}\n`);
