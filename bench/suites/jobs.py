"""The jobs suite: the whole life of jobs (key, claim on the disk, fenced completion, result kept)
through each store, beside BullMQ doing the same on a Redis server with the same fsync. Every program
may use all cores; each measurement has a folder or server of its own."""
import json
import os
import pathlib
import socket
import statistics
import subprocess
import time

from harness import build, servers
from harness.measure import Failed, Figure, alone, alternate, compare, failed

PEERS = ["redis", "ioredis", "bullmq"]
TOOLS = "bench_jobs"
NEEDS_MAINSTAY = False

OUTSTANDING, RATE, WAKES = 256, 200, 10_000
OWNERS = 1  # BullMQ knows none; two figures say what turns between users cost
SHAPES = ["single", "bulk", "two"]
IDLE_SECONDS, IDLE_REDIS_SECONDS = 10, 60
SCRIPT = build.ROOT / "bench" / "jobs" / "bullmq.mjs"

BULL = "BullMQ 6.7.0, the best of three shapes"
FULL_ALWAYS = Figure("SQLite FULL ÷ BullMQ, appendfsync always", "ratio", (">=", 25), BULL)
FULL_EVERYSEC = Figure("SQLite FULL ÷ BullMQ, everysec", "ratio", (">=", 15), BULL)
REDIS_ALWAYS = Figure("Redis ÷ BullMQ, both always", "ratio", (">=", 6), BULL)
REDIS_EVERYSEC = Figure("Redis ÷ BullMQ, both everysec", "ratio", (">=", 6), BULL)
CPU_SQLITE = Figure("CPU per job, SQLite", "µs", ("<=", 9), "itself")
CPU_ALWAYS = Figure("CPU per job, Redis client + server, always", "µs", ("<=", 20), "itself")
CPU_EVERYSEC = Figure("CPU per job, Redis client + server, everysec", "µs", ("<=", 20), "itself")
SYNCS_MANY = Figure(f"syncs per job, {OUTSTANDING} outstanding", "", ("<=", 0.02), "itself")
SYNCS_ONE = Figure("syncs per job, 1 outstanding", "", ("<=", 2.5), "itself")
ONE = Figure("SQLite FULL, 1 outstanding", "jobs/s", None, "itself")
SEVERAL = Figure("SQLite FULL, 16 owners that take turns", "jobs/s", None, "itself")
SEVERAL_REDIS = Figure("Redis everysec, 16 owners that take turns", "jobs/s", None, "itself")
STRICT = Figure("SQLite FULL, strict claims", "jobs/s", None, "itself")
PACED = Figure(f"end to end p50 at {RATE} jobs/s, SQLite FULL ÷ BullMQ everysec", "ratio",
               ("<=", 0.5), "BullMQ 6.7.0, one process")
PACED_REDIS = Figure(f"end to end p50 at {RATE} jobs/s, Redis ÷ BullMQ, both everysec", "ratio",
                     None, "BullMQ 6.7.0, one process")
LATE = Figure(f"of {WAKES:,} single submits, waited for a timer", "", ("<=", 0), "SQLite")
LATE_REDIS = Figure(f"of {WAKES:,} single submits, waited for a timer (Redis)", "", ("<=", 0),
                    "Redis everysec")
IDLE = Figure("wake-ups of an idle store and worker", "/s", ("<=", 0.2), "SQLite")
IDLE_REDIS = Figure("commands of an idle worker", "/min", ("<=", 4), "Redis")

THROUGH = [FULL_ALWAYS, FULL_EVERYSEC, REDIS_ALWAYS, REDIS_EVERYSEC, CPU_SQLITE, CPU_ALWAYS,
           CPU_EVERYSEC, SYNCS_MANY]
SINGLE = [SYNCS_ONE, ONE, STRICT, SEVERAL, SEVERAL_REDIS]
PACE = [PACED, PACED_REDIS]
WAKE = [LATE, LATE_REDIS, IDLE, IDLE_REDIS]


def figures():
    return THROUGH + SINGLE + PACE + WAKE


class Redis:
    """Debian's redis-server with an append-only file of its own."""

    def __init__(self, bench, fsync):
        self.bench, self.fsync = bench, fsync
        self.folder = pathlib.Path(bench.new_folder("redis"))
        self.port, self.process = servers.free_port(), None

    def start(self):
        self.process = subprocess.Popen(
            [*first(self.bench), "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
             str(self.folder), "--appendonly", "yes", "--appendfsync", self.fsync, "--save", "",
             "--maxmemory-policy", "noeviction", "--logfile", str(self.folder / "log")],
            env=servers.clean_environment(self.folder))
        self.bench.started.append(self)
        end = time.monotonic() + 10
        while self.ask("PING") != "+PONG":
            if time.monotonic() > end or self.process.poll() is not None:
                raise build.Unavailable("redis-server did not start")
            time.sleep(0.02)
        return self

    def ask(self, line):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as link:
                link.sendall(line.encode() + b"\r\n")
                return link.recv(65536).decode(errors="replace").strip()
        except OSError:
            return ""

    def commands(self):
        """Commands that clients have sent so far; what scripts call does not count."""
        sent = ("evalsha", "xread", "ping", "subscribe", "info", "client")
        total = 0
        for line in self.ask("INFO commandstats").splitlines():
            name, _, rest = line.removeprefix("cmdstat_").partition(":calls=")
            total += int(rest.split(",")[0]) if name.split("|")[0] in sent else 0
        return total

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        fields = fields.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process is None:
            return
        self.process.kill()  # nobody needs its data any more
        self.process.wait()
        self.process = None
        if self in self.bench.started:
            self.bench.started.remove(self)


def first(bench):
    return ["chrt", "--rr", "1"] if bench.options.urgent else []


def driver(bench, **options):
    """bench/jobs/jobs.cpp: what it found."""
    command = [*first(bench), str(bench.tools / "jobs"), "--dir", str(bench.folder)]
    options.setdefault("seconds", bench.options.seconds)
    options.setdefault("owners", OWNERS)
    for name, value in options.items():
        command += ["--" + name, str(value)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"jobs --store {options['store']}: {done.stderr.strip()}")
    return {**json.loads(done.stdout), "kept_off": 0}


def sqlite(bench, **options):
    options.setdefault("outstanding", OUTSTANDING)
    return driver(bench, store="sqlite", **options)


def redis(bench, fsync, **options):
    options.setdefault("outstanding", OUTSTANDING)
    server = Redis(bench, fsync).start()
    try:
        return driver(bench, store="redis", url=f"redis://127.0.0.1:{server.port}",
                      durability=fsync, server=server.process.pid, **options)
    finally:
        server.stop()


def bullmq(bench, fsync, shape, rate=0):
    server = Redis(bench, fsync).start()
    try:
        process = subprocess.Popen(
            [*first(bench), "node", str(SCRIPT), "--port", str(server.port), "--peers",
             str(build.PEERS), "--shape", shape, "--outstanding", str(OUTSTANDING), "--seconds",
             str(bench.options.seconds), "--rate", str(rate)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cpu, found = [], None
        for line in process.stdout:
            said = json.loads(line)
            if "mark" in said:
                cpu.append(server.cpu())
            else:
                found = said
        problem = process.stderr.read().strip()
        if process.wait() != 0 or found is None or found["jobs"] == 0:
            raise Failed(f"BullMQ, {shape}: {problem[-300:]}")
        found["cpu_us"] = 1e6 * (found["client_cpu_s"] + cpu[1] - cpu[0]) / found["jobs"]
        return {**found, "kept_off": 0}
    finally:
        server.stop()


def best(runs):
    """Of each round the shape that did most."""
    return [max(each, key=lambda one: one["jobs_s"]) for each in zip(*runs)]


def rates(runs):
    return [one["jobs_s"] for one in runs]


def through_figures(bench):
    bull = [(fsync, shape) for fsync in ("always", "everysec") for shape in SHAPES]
    found = alternate(
        bench.options.rounds,
        lambda: sqlite(bench), lambda: redis(bench, "always"), lambda: redis(bench, "everysec"),
        *[lambda how=how: bullmq(bench, *how) for how in bull])
    full, ours_always, ours_everysec = found[:3]
    always, everysec = best(found[3:6]), best(found[6:9])
    for name, runs in [("SQLite FULL", full), ("Redis always", ours_always),
                       ("Redis everysec", ours_everysec),
                       *zip([f"BullMQ {fsync}, {shape}" for fsync, shape in bull], found[3:])]:
        build.say(f"  {name}: {statistics.median(rates(runs)):,.0f} jobs/s"
                  f" ({min(rates(runs)):,.0f} to {max(rates(runs)):,.0f}),"
                  f" {statistics.median(one['cpu_us'] for one in runs):.1f} µs CPU each")

    def divided(figure, ours, theirs):
        out = compare(figure, rates(ours), rates(theirs), lambda v: f"{v:,.0f}/s")
        out.detail += f"; {theirs[-1]['shape']}"
        return out

    def cpu(figure, runs, other):
        theirs = statistics.median(one["cpu_us"] for one in other)
        return alone(figure, [one["cpu_us"] for one in runs], f"BullMQ {theirs:,.0f}")
    return [divided(FULL_ALWAYS, full, always), divided(FULL_EVERYSEC, full, everysec),
            divided(REDIS_ALWAYS, ours_always, always),
            divided(REDIS_EVERYSEC, ours_everysec, everysec), cpu(CPU_SQLITE, full, everysec),
            cpu(CPU_ALWAYS, ours_always, always), cpu(CPU_EVERYSEC, ours_everysec, everysec),
            alone(SYNCS_MANY, [one["syncs_per_job"] for one in full])]


def single_figures(bench):
    one, strict, several, several_redis = alternate(
        bench.options.rounds, lambda: sqlite(bench, outstanding=1),
        lambda: sqlite(bench, claims="strict"), lambda: sqlite(bench, owners=16),
        lambda: redis(bench, "everysec", owners=16))
    p50 = statistics.median(each["end_p50_ms"] for each in one)
    return [alone(SYNCS_ONE, [each["syncs_per_job"] for each in one]),
            alone(ONE, rates(one), f"end to end p50 {p50:.2f} ms"), alone(STRICT, rates(strict)),
            alone(SEVERAL, rates(several)), alone(SEVERAL_REDIS, rates(several_redis))]


def pace_figures(bench):
    full, both, bull = alternate(
        bench.options.rounds,
        lambda: sqlite(bench, rate=RATE, outstanding=64),
        lambda: redis(bench, "everysec", rate=RATE, outstanding=64),
        lambda: bullmq(bench, "everysec", "single", RATE))

    def p50(runs):
        return [each["end_p50_ms"] for each in runs]
    return [compare(PACED, p50(full), p50(bull), lambda v: f"{v:.2f} ms"),
            compare(PACED_REDIS, p50(both), p50(bull), lambda v: f"{v:.2f} ms")]


def wake_figures(bench):
    woken = sqlite(bench, wakes=WAKES)
    redis_woken = redis(bench, "everysec", wakes=WAKES)
    idle = sqlite(bench, idle=IDLE_SECONDS)
    server = Redis(bench, "always").start()
    try:
        process = subprocess.Popen(
            [str(bench.tools / "jobs"), "--dir", str(bench.folder), "--store", "redis", "--url",
             f"redis://127.0.0.1:{server.port}", "--idle", str(IDLE_REDIS_SECONDS + 3)],
            stdout=subprocess.DEVNULL)
        time.sleep(2)
        before = server.commands()
        time.sleep(IDLE_REDIS_SECONDS)
        commands = server.commands() - before - 1
        process.wait()
    finally:
        server.stop()

    def late(figure, run):
        note = (f"from the answer to the attempt p50 {run['p50_ms']:.2f}, p99 {run['p99_ms']:.2f},"
                f" longest {run['max_ms']:.1f} ms; {run['timeouts']} claims ended empty")
        return alone(figure, [run["late"] + run["timeouts"]], note)
    return [late(LATE, woken), late(LATE_REDIS, redis_woken),
            alone(IDLE, [idle["sleeps"] / idle["idle_s"]],
                  f"{idle['sleeps']} in {idle['idle_s']:.0f} s, {idle['cpu_ms']:.1f} ms CPU"),
            alone(IDLE_REDIS, [commands * 60 / IDLE_REDIS_SECONDS],
                  f"in {IDLE_REDIS_SECONDS} s, with the checks of the connections")]


def run(bench):
    if bench.options.stand_in:
        raise build.Unavailable("the jobs suite has no stand-in")
    results = []
    for group, measure in [(THROUGH, through_figures), (SINGLE, single_figures),
                           (PACE, pace_figures), (WAKE, wake_figures)]:
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
