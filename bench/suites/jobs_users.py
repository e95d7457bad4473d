"""The jobs_users suite: 1,000 users on WebSockets, each with one chat message that goes through the
job queue to a model server that streams its answer. All must be answered with their own answer, on
SQLite in one process and on Redis with ten worker processes beside the one that has the sockets."""
import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time

from harness import build, servers
from harness.measure import Failed, Figure, Result, alone, failed
from suites.jobs import Redis

PEERS = ["redis"]
TOOLS = "bench_ws_users"

USERS, TOKENS, RATE = 1000, 8, 20  # an answer takes 0.4 s
SLOTS, WORKERS = 250, 10
SECRET = "a secret of the bench alone, 32 bytes at least"

ANSWERED = Figure(f"of {USERS:,} users, not answered or wrongly (SQLite)", "", ("<=", 0), "itself")
P99 = Figure("message to end of answer, p99 (SQLite)", "s", None, "itself")
MEMORY = Figure(f"resident memory with {USERS:,} sockets at rest (SQLite)", "MB", None, "itself")
PEAK = Figure("resident memory at its highest (SQLite)", "MB", None, "itself")
MANY_ANSWERED = Figure(f"of {USERS:,} users, not answered or wrongly (Redis, {WORKERS} workers)", "",
                       ("<=", 0), "itself")
MANY_P99 = Figure(f"message to end of answer, p99 (Redis, {WORKERS} workers)", "s", None, "itself")
MANY_MEMORY = Figure(f"resident memory at its highest, web process (Redis, {WORKERS} workers)", "MB",
                     None, "itself")
ONE, MANY = [ANSWERED, P99, MEMORY, PEAK], [MANY_ANSWERED, MANY_P99, MANY_MEMORY]

CONF = """[server]
listen = "127.0.0.1:{port}"
threads = {threads}
[storage]
data_dir = "{folder}/data"
redis_url = "{redis}"
[log]
sink = "{folder}/{name}.log"
level = "warn"
[auth]
required = true
[auth.jwt]
issuer = "bench"
audience = "bench"
secret = "{secret}"
scopes = ["chat", "jobs"]
[jobs]
workers = {slots}
{runs}
[limits]
concurrent_max = 4000
[limits.user]
requests_per_minute = 1000
burst = 100
[resources]
enabled = false
[upstream]
connections_max = 1000
keepalive_max = 256
[models]
default_model = "m"
discover = false
[cache]
enabled = false
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
models = ["m"]
concurrent_max = 4000
"""


def figures():
    return ONE + MANY


def token(user):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    head = part(b'{"alg":"HS256","typ":"JWT"}')
    body = part(json.dumps({"sub": f"user-{user}", "iss": "bench", "aud": "bench",
                            "exp": int(time.time()) + 3600}).encode())
    signed = head + b"." + body
    return (signed + b"." + part(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


class Door(servers.Mainstay):
    """`serve` with sockets; on Redis with no worker of its own."""

    def __init__(self, bench, upstream, redis=""):
        super().__init__(bench, upstream)
        self.redis = redis

    def command(self):
        write_conf(self.folder, self.port, self.upstream, self.redis, "door", 2, SLOTS)
        return [self.bench.binary, "serve", "--config", self.folder / "door.toml"]


def write_conf(folder, port, upstream, redis, name, threads, slots):
    (folder / "data").mkdir(exist_ok=True)
    # The process with the sockets leaves shared jobs to the workers.
    runs = 'runs = "own"' if redis and name == "door" else ""
    (folder / f"{name}.toml").write_text(CONF.format(
        port=port, folder=folder, name=name, redis=redis, secret=SECRET, slots=slots,
        upstream=upstream.port, threads=threads, runs=runs))


class Streams(servers.Upstream):
    """The model server; its answers end."""

    def start(self):
        self.process = subprocess.Popen(
            [str(self.bench.tools / "upstream"), "--rate", str(RATE), "--tokens", str(TOKENS)],
            stdout=subprocess.PIPE, text=True)
        self.bench.started.append(self)
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self


def memory(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise Failed("the program ended")


def ask_all(bench, door):
    """What the users saw, with the memory of the process that has their sockets."""
    tokens = door.folder / "tokens"
    tokens.write_text("".join(token(n) + "\n" for n in range(USERS)))
    users = subprocess.Popen([str(bench.tools / "ws_users"), "--port", str(door.port), "--tokens",
                              str(tokens)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    resting, found = None, None
    for line in users.stdout:
        said = json.loads(line)
        if "users" not in said:
            time.sleep(0.2)
            resting = memory(door.process.pid, "VmRSS")
        else:
            found = said
    trouble = users.stderr.read().strip()
    if users.wait() != 0 or found is None:
        raise Failed(f"the users' program failed: {trouble[-300:]}")
    found.update(resting=resting, peak=memory(door.process.pid, "VmHWM"), trouble=trouble[:200])
    return found


def unanswered(found):
    return USERS - found["answered"] + found["wrong"]


def on_sqlite(bench):
    upstream = Streams(bench).start()
    runs = []
    for _ in range(min(bench.options.rounds, 3)):
        door = Door(bench, upstream).start()
        runs.append(ask_all(bench, door))
        door.stop()
    note = f"{SLOTS} at once, {TOKENS / RATE:.1f} s each; p50 {runs[-1]['p50_ms'] / 1e3:.2f} s"
    return [alone(ANSWERED, [unanswered(one) for one in runs], runs[-1]["trouble"]),
            alone(P99, [one["p99_ms"] / 1e3 for one in runs], note),
            alone(MEMORY, [one["resting"] for one in runs if one["resting"]]),
            alone(PEAK, [one["peak"] for one in runs])]


def on_redis(bench):
    known = subprocess.run([str(bench.binary), "--help"], text=True, capture_output=True, check=False)
    if " worker" not in known.stdout:
        raise Failed("this program has no `mainstay worker`")
    upstream = Streams(bench).start()
    redis = Redis(bench, "always").start()
    url = f"redis://127.0.0.1:{redis.port}"
    door = Door(bench, upstream, url).start()
    workers = []
    try:
        for n in range(WORKERS):
            folder = pathlib.Path(bench.new_folder(f"worker{n}"))
            write_conf(folder, servers.free_port(), upstream, url, "worker", 1, SLOTS // WORKERS)
            output = open(folder / "output", "wb")
            workers.append(subprocess.Popen(
                [str(bench.binary), "worker", "--config", str(folder / "worker.toml")],
                stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                env=servers.clean_environment(folder)))
        time.sleep(3)
        ended = [one for one in workers if one.poll() is not None]
        if ended:
            raise Failed(f"{len(ended)} workers ended at their start")
        found = ask_all(bench, door)
        theirs = sum(memory(one.pid, "VmRSS") for one in workers)
    finally:
        for one in workers:
            one.kill()
            one.wait()
    note = f"{SLOTS} at once in {WORKERS} processes, fsync always; p50 {found['p50_ms'] / 1e3:.2f} s"
    return [Result(MANY_ANSWERED, unanswered(found), found["trouble"]),
            Result(MANY_P99, found["p99_ms"] / 1e3, note),
            Result(MANY_MEMORY, found["peak"], f"the workers together {theirs:,.0f} MB")]


def run(bench):
    results = []
    for group, measure in [(ONE, on_sqlite), (MANY, on_redis)]:
        if not bench.wants(group):
            continue
        build.say("measuring " + ", ".join(figure.name for figure in group))
        try:
            results += bench.wanted(measure(bench))
        except (Failed, build.Unavailable) as problem:
            results += bench.wanted(failed(group, problem))
        finally:
            for server in list(bench.started):
                server.stop()
    return results
