"""The overload suite: four times more work than there is capacity for, a greedy user beside a
modest one, and /health while the server has more to do than it can. The model server has a few
slots, as real ones do; everything else is real too."""
import json
import os
import statistics
import subprocess
import time

from harness import build, servers
from harness.measure import DISTURBED, Failed, Figure, alone, compare, failed, undisturbed

PEERS = []
ROUNDS_MAX = 3  # a whole run stays under three minutes
SLOTS, SERVICE_MS = 16, 400
CAPACITY = SLOTS * 1000 / SERVICE_MS  # a second
PATIENCE, ATTEMPTS = 2.0, 3
BEFORE, BURST, AFTER = 3, 15, 7  # seconds, at 0.5, 4 and 0.6 of the capacity
USERS = 100
FAIR_SECONDS, MODEST_RATE, GREEDY = 6, 0.2 * CAPACITY, 4 * CAPACITY
PROBES, CONNECTIONS = 400, 64  # /health requests a second; connections that saturate

DIRECT = "the model server alone, which lets everybody wait"
GOODPUT = Figure("goodput under a 4x burst ÷ capacity", "ratio", (">=", 0.85), DIRECT)
RECOVERY = Figure("recovery after the burst", "s", ("<=", 5), DIRECT)
IN_BURST = Figure("/health p99 during the burst", "ms", None, "itself")
IDLE = Figure("/health p99, idle", "ms", None, "itself")
BUSY = Figure("/health p99, loop saturated", "ms", None, "itself")
FAIR = Figure("modest user's p95 beside a greedy one ÷ alone", "ratio", ("<=", 1.5), "itself")
BURSTS, HEALTH, FAIRNESS = [GOODPUT, RECOVERY, IN_BURST], [IDLE, BUSY], [FAIR]

CONF = """[server]
listen = "127.0.0.1:{port}"
threads = 1
[storage]
data_dir = "{folder}/data"
[log]
sink = "{folder}/mainstay.log"
[auth]
keys = [{keys}]
[limits]
concurrent_max = {slots}
queue_timeout = "{patience}ms"
overload_after = "{overload_after}ms"
[limits.user]
requests_per_minute = 1000000
burst = 100000
[resources]
# A machine on which a compiler runs beside the bench is short of time, and permits would be halved.
enabled = false
[models]
default_model = "m"
discover = false
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
models = ["m"]
concurrent_max = 10000
"""


class Model(servers.Upstream):
    """bench/tools/upstream.cpp with other options."""
    options = ()
    before = ()

    def start(self):
        self.process = subprocess.Popen(
            [*first(self.bench, servers.LOAD_CORE), *self.before,
             str(self.bench.tools / "upstream"), *map(str, self.options)],
            stdout=subprocess.PIPE, text=True)
        self.bench.started.append(self)
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self


class Prompt(Model):
    """Answers at once, in a session of its own, as prefer() needs it."""
    before = ("setsid",)


class Slots(Model):
    """The model server with SLOTS places; the rest stands in line. An answer takes half to one and
    a half of the mean: with times that have no memory (exponential ones) it would not matter who
    gets a slot, for a slot that is given to somebody who soon leaves would lose nothing."""
    options = ("--slots", SLOTS, "--service-ms", SERVICE_MS, "--spread", "uniform")


class Door(servers.Mainstay):
    """As many permits as the model server has slots; times a fifth of the defaults."""

    def command(self):
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "mainstay.toml").write_text(CONF.format(
            port=self.port, folder=self.folder, upstream=self.upstream.port, slots=SLOTS,
            keys=", ".join(f'"{servers.KEY[:-2]}{n:02}"' for n in range(USERS)),
            patience=round(PATIENCE * 1000), overload_after=400))
        return [self.bench.binary, "serve", "--config", self.folder / "mainstay.toml"]


def figures():
    return BURSTS + HEALTH + FAIRNESS


def first(bench, core):
    """What precedes a program that must not wait for others on its core: before all of them as
    root, else as the bench says."""
    if os.geteuid() == 0:
        return ["chrt", "--rr", "2", "taskset", "-c", core]
    return servers.pinned(bench, core)


def crowd(bench, server, phases, **options):
    """Starts the crowd tool; `phases`: (arrivals a second, seconds)."""
    command = [*first(bench, servers.LOAD_CORE), str(bench.tools / "crowd"), "--port",
               str(server.port), "--header", f"Authorization: Bearer {servers.KEY}"]
    for rate, seconds in phases:
        command += ["--phase", f"{rate}:{seconds}"]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def found(process, may_fail=True):
    """What a crowd found, phase by phase."""
    text, _ = process.communicate()
    if process.returncode != 0:
        raise Failed("the crowd tool failed")
    phases = json.loads(text)["phases"]
    for phase in phases:
        if phase["broken"] > phase["arrived"] / 1000:
            raise Failed(f"{phase['broken']} of {phase['arrived']} clients got a wrong reply")
        if not may_fail and phase["served"] < phase["arrived"]:
            raise Failed(f"{phase['arrived'] - phase['served']} of {phase['arrived']} requests"
                         " were not answered in time")
    return phases


def health(bench, server, seconds):
    return crowd(bench, server, [(PROBES, seconds)], path="/health", get=1, even=1, patience=10)


def stop_all(*them):
    for server in them:
        server.stop()


def seconds_to_recover(phases):
    """From the burst's end to the arrival of the last client that was not answered in time; those
    that came in the burst and left after it count by their arrival, so as zero."""
    return max(0.0, phases[2]["last_unserved"])


def one_burst(bench, seed):
    """Ours and the bare model server at the same time, each with its own slots and its own crowd:
    both are nearly idle, what is scarce is the slots."""
    behind, bare = Slots(bench).start(), Slots(bench).start()
    door = Door(bench, behind).start()
    phases = [(0.5 * CAPACITY, BEFORE), (4 * CAPACITY, BURST), (0.6 * CAPACITY, AFTER)]
    how = {"patience": PATIENCE, "attempts": ATTEMPTS, "users": USERS, "seed": seed}
    clients = [crowd(bench, server, phases, **how) for server in (door, bare)]
    probe = crowd(bench, door, [(0, BEFORE), (PROBES, BURST)], path="/health", get=1, even=1)
    ours, theirs = (found(one) for one in clients)
    p99 = found(probe, may_fail=False)[1]["p99_us"] / 1e3
    stop_all(door, behind, bare)
    return ours, theirs, p99


def burst_figures(bench):
    runs = [one_burst(bench, seed) for seed in range(1, rounds(bench) + 1)]
    ours, theirs = [run[0] for run in runs], [run[1] for run in runs]
    print_burst("ours", ours[-1])
    print_burst("bare", theirs[-1])

    def goodput(phases):
        return phases[1]["served_within"] / (CAPACITY * BURST)

    def mine(a, _):
        return a
    attempts = statistics.median(p[1]["attempts"] / p[1]["arrived"] for p in ours)
    results = [compare(GOODPUT, [goodput(p) for p in ours], [goodput(p) for p in theirs],
                       lambda v: f"{v:.2f}", mine),
               compare(RECOVERY, [seconds_to_recover(p) for p in ours],
                       [seconds_to_recover(p) for p in theirs], lambda v: f"{v:.1f} s", mine),
               alone(IN_BURST, [run[2] for run in runs], f"{PROBES} a second")]
    results[0].detail += f"; {attempts:.2f} attempts for each arrival"
    results[1].detail += f"; {AFTER} s were watched"
    return results


def print_burst(name, phases):
    burst = phases[1]
    build.say(f"  {name}: of {burst['arrived']} in the burst {burst['served']} served in time, "
              f"{burst['refused']} refused, {burst['left']} left; then of {phases[2]['arrived']} "
              f"{phases[2]['served']} served")


class Alone(servers.Mainstay):
    """In a session of its own, as prefer() needs it."""

    def command(self):
        return ["setsid", *super().command()]


def prefer(pid):
    """Before other programs, but by turns: the kernel stops real-time programs that fill a core for
    a twentieth of each second, and that would be the tail."""
    if os.geteuid() != 0:
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(task), os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, int(task), -20)
    try:  # the scheduler shares a core among sessions first, and heeds niceness within one
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
            file.write("-20")
    except OSError:
        pass


def idle_health(bench, upstream):
    server = servers.Mainstay(bench, upstream).start()
    probe = found(health(bench, server, bench.options.seconds), may_fail=False)[0]
    server.stop()
    return probe["p99_us"] / 1e3


def busy_health(bench, upstream):
    """With how long other programs kept the server from its core, as Bench.load() says it."""
    server = Alone(bench, upstream).start()
    prefer(server.process.pid)
    seconds = bench.options.seconds
    load = subprocess.Popen(
        ["taskset", "-c", servers.LOAD_CORE, "setsid", str(bench.tools / "load"), "--mode",
         "closed", "--port", str(server.port), "--connections", str(CONNECTIONS), "--users",
         str(servers.USERS), "--warmup", "1", "--seconds", str(seconds), "--header",
         f"Authorization: Bearer {servers.KEY}", "--pid", str(server.process.pid)],
        stdout=subprocess.PIPE, text=True)
    time.sleep(0.1)  # until it is the load tool, in its own session
    prefer(load.pid)
    probe = found(crowd(bench, server, [(0, 1), (PROBES, seconds)], path="/health", get=1, even=1),
                  may_fail=False)[1]
    chats = json.loads(load.communicate()[0])
    server.stop()
    left = max(0.0, 1 - chats["cpu_seconds"] / chats["seconds"])
    return {"p99": probe["p99_us"] / 1e3, "rate": chats["per_second"],
            "kept_off": max(0.0, min(chats["waited"], left) - 0.02)}


def health_figures(bench):
    idle, busy, again = [], [], [None] * rounds(bench)
    for _ in range(rounds(bench)):
        upstream = Prompt(bench).start()
        idle.append(idle_health(bench, upstream))
        prefer(upstream.process.pid)
        busy.append(undisturbed(lambda up=upstream: busy_health(bench, up), again))
        upstream.stop()
    rate = statistics.median(one["rate"] for one in busy)
    note = f"{CONNECTIONS} connections, {rate:,.0f} chats a second on the same loop"
    kept = statistics.median(one["kept_off"] for one in busy)
    if kept > DISTURBED:
        note += f"; other programs kept it off its core for {kept:.0%} of the time"
    return [alone(IDLE, idle, f"{PROBES} a second"),
            alone(BUSY, [one["p99"] for one in busy], note)]


def one_fair(bench, seed):
    """The modest user alone, and on a fresh server beside the greedy one."""
    upstream = Slots(bench).start()
    p95 = []
    for greedy in (False, True) if seed % 2 else (True, False):
        door = Door(bench, upstream).start()
        # Two seconds first, so that the queue is full and the pace of answers known.
        modest = crowd(bench, door, [(0, 2), (MODEST_RATE, FAIR_SECONDS)], first_user=1,
                       patience=30, seed=seed)
        glutton = crowd(bench, door, [(GREEDY, FAIR_SECONDS + 2)], first_user=0, attempts=100,
                        patience=PATIENCE, seed=seed) if greedy else None
        phase = found(modest, may_fail=False)[1]
        if glutton:
            asked = found(glutton)[0]
            if asked["status_4xx"] == 0:
                raise Failed("the greedy user was never refused, so it was not greedy enough")
        door.stop()
        p95.append((greedy, phase["p95_us"] / 1e3))
    upstream.stop()
    return dict(p95)


def fairness_figures(bench):
    runs = [one_fair(bench, seed) for seed in range(1, rounds(bench) + 1)]
    both = [one[True] for one in runs]
    single = [one[False] for one in runs]
    result = compare(FAIR, both, single, lambda v: f"{v:,.0f} ms")
    result.detail = result.detail.replace("ours", "beside").replace("theirs", "alone")
    result.detail += f"; {MODEST_RATE:.0f} and {GREEDY:.0f} requests a second"
    return [result]


def rounds(bench):
    return min(bench.options.rounds, ROUNDS_MAX)


def run(bench):
    if bench.options.stand_in:
        raise build.Unavailable("the overload suite has no stand-in")
    results = []
    for group, measure in [(BURSTS, burst_figures), (HEALTH, health_figures),
                           (FAIRNESS, fairness_figures)]:
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
