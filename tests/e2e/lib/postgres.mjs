// A PostgreSQL cluster for a test: own folder, free port, password, fsync on; can be killed and
// started again; gone at the end. Also finds Redis a free port over TCP.
// Used by postgres.test.mjs.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cleanup, free_port, pause, temp_dir } from './harness.mjs';

const PASSWORD = 'p4ss:w/rd';
const FOLDER = '/usr/lib/postgresql';

/** Debian's folder of the newest version; undefined when there is none. */
function programs() {
  if (!fs.existsSync(FOLDER)) return undefined;
  const found = fs.readdirSync(FOLDER).sort((a, b) => b - a)
    .map((version) => path.join(FOLDER, version, 'bin')).find((dir) => fs.existsSync(path.join(dir, 'initdb')));
  return found;
}
export const no_postgres = programs() ? false : 'needs postgresql-15';

/** The server refuses to run as root: whom it runs as then. */
function user() {
  if (process.getuid() !== 0) return {};
  const line = (name) => fs.readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(`${name}:`));
  const [, , uid, gid] = (line('postgres') ?? line('nobody')).split(':').map(Number);
  return { uid, gid };
}

class Cluster {
  constructor(dir, port) {
    Object.assign(this, { dir, port, data: path.join(dir, 'data'), as: user(), child: null, log: '', more: [] });
    this.password = PASSWORD;
    this.url = `postgres://admin:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  }

  /** A certificate of its own, for TLS. */
  certify() {
    const file = (name) => path.join(this.dir, name);
    const made = spawnSync('openssl', ['req', '-new', '-x509', '-nodes', '-days', '2', '-newkey', 'rsa:2048', '-subj', '/CN=db',
      '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', file('key.pem'), '-out', file('cert.pem')], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
    fs.chmodSync(file('key.pem'), 0o600);
    if (this.as.uid !== undefined) fs.chownSync(file('key.pem'), this.as.uid, this.as.gid);
    this.more = ['-c', 'ssl=on', '-c', `ssl_cert_file=${file('cert.pem')}`, '-c', `ssl_key_file=${file('key.pem')}`];
    this.url += `?sslmode=verify-full&sslrootcert=${file('cert.pem')}`;
  }

  make() {
    if (this.as.uid !== undefined) fs.chownSync(this.dir, this.as.uid, this.as.gid);
    fs.chmodSync(this.dir, 0o700);
    const file = path.join(this.dir, 'password');
    fs.writeFileSync(file, PASSWORD, { mode: 0o644 });
    const made = spawnSync(path.join(programs(), 'initdb'), ['-D', this.data, '-U', 'admin', '-A', 'scram-sha-256',
      '--pwfile', file, '-E', 'UTF8', '--locale=C', '-N'], { ...this.as, cwd: this.dir, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`initdb: ${made.stdout} ${made.stderr}`);
  }

  /** Until it answers. Memory of processes that were killed may be held for a moment longer. */
  async start() {
    for (let i = 0; i < 100; i += 1) {
      const child = spawn(path.join(programs(), 'postgres'), ['-D', this.data, '-p', String(this.port), '-h', '127.0.0.1',
        '-k', this.dir, ...this.more], { ...this.as, cwd: this.dir, stdio: ['ignore', 'ignore', 'pipe'] });
      this.ended = new Promise((go) => child.on('close', go));
      const ready = new Promise((go) => child.stderr.on('data', (d) => {
        this.log += d;
        if (/ready to accept connections/.test(String(d))) go(true);
      }));
      this.child = child;
      if (await Promise.race([ready, this.ended.then(() => false)])) return;
      await pause(100);
    }
    throw new Error(`postgres does not start: ${this.log.slice(-2000)}`);
  }

  /** With all its processes, as by a power cut: those alone would go on for a while. */
  async kill() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const { pid } = this.child;
    process.kill(pid, 'SIGSTOP');
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    for (const child of children) {
      try { process.kill(Number(child), 'SIGKILL'); } catch { /* has ended */ }
    }
    process.kill(pid, 'SIGKILL');
    await this.ended;
  }

  /** The first column of what `sql` gives, as psql prints it. */
  tell(sql) {
    const got = spawnSync(path.join(programs(), 'psql'), ['-XAtq', this.url, '-c', sql], { encoding: 'utf8' });
    if (got.status !== 0) throw new Error(`psql: ${got.stderr}`);
    return got.stdout.trim();
  }
}

/** A running cluster for `t`: {url, password, start(), kill(), tell(sql)}. */
export async function cluster(t, { tls = false } = {}) {
  const made = new Cluster(temp_dir(t), await free_port());
  cleanup(t, () => made.kill());
  made.make();
  if (tls) made.certify();
  await made.start();
  return made;
}

/** A Redis server for `t` over TCP: its address. */
export async function redis_over_tcp(t) {
  const port = await free_port();
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', temp_dir(t), '--save', '',
    '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((go) => child.on('close', go));
  cleanup(t, async () => { child.kill('SIGKILL'); await ended; });
  await new Promise((go) => child.stdout.on('data', (d) => { if (/Ready to accept/.test(String(d))) go(); }));
  return `redis://127.0.0.1:${port}/0`;
}
