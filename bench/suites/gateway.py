"""The gateway suite: what Mainstay costs in front of a model server, with all governance on (key
check, rate limit, cache, log line, metrics), beside nginx without any of it and beside Portkey."""
import statistics
import time

from harness import build, servers
from harness.measure import Failed, Figure, alone, alternate, compare, failed

PEERS = ["nginx", "portkey"]
CONNECTIONS = 64
FIXED_RATE = 3000
STREAMS, TOKENS_PER_SECOND = 1000, 20
IDLE_STREAMS = 10_000
REPLY_BYTES = 594

PROXY, FIXED200 = "nginx proxy_pass", "nginx return 200"
SATURATION = [Figure("requests/s ÷ nginx proxy_pass", "ratio", (">=", 1.0), PROXY),
              Figure("CPU per request ÷ nginx proxy_pass", "ratio", ("<=", 1.0), PROXY),
              Figure("loaded resident memory", "MB", ("<=", 40), "itself")]
PORTKEY = [Figure("requests/s ÷ Portkey", "ratio", (">=", 40), "@portkey-ai/gateway")]
HITS = [Figure("cache hits/s ÷ nginx return 200", "ratio", (">=", 0.6), FIXED200)]
FIXED = [Figure("added p50 at 3,000 requests/s, ours - nginx", "ms", ("<=", 0.1), PROXY),
         Figure("p99 at 3,000 requests/s ÷ nginx", "ratio", ("<=", 1.5), PROXY)]
STREAM = [Figure("CPU per token of 1,000 streams ÷ nginx", "ratio", ("<=", 1.1), PROXY),
          Figure("memory per stream of 1,000 streams ÷ nginx", "ratio", ("<=", 1.2), PROXY),
          Figure("p99 forward delay of 1,000 streams ÷ nginx", "ratio", ("<=", 1.2), PROXY)]
IDLE = [Figure("resident memory with 10,000 idle streams", "MB", ("<=", 250), "itself")]
START = [Figure("cold start to first /health", "ms", ("<=", 50), "itself"),
         Figure("idle resident memory", "MB", ("<=", 25), "itself")]
GROUPS = [START, SATURATION, PORTKEY, HITS, FIXED, STREAM, IDLE]


def figures():
    return [figure for group in GROUPS for figure in group]


def rate(value):
    return f"{value:,.0f}/s"


def micros(value):
    return f"{value:,.1f} µs"


def cpu_us(found, count):
    return 1e6 * found["cpu_seconds"] / found[count]


def megabytes(kib):
    return kib * 1024 / 1e6


def check_saturated(name, rounds):
    """A server that left its core idle was not the limit, and its rate says little."""
    busy = statistics.median(r["cpu_seconds"] / r["seconds"] for r in rounds)
    if busy < 0.93:
        build.say(f"  note: {name} used only {busy:.0%} of its core")


def start_figures(bench):
    if bench.options.stand_in:
        return []
    server = servers.Mainstay(bench)
    times = [servers.first_health(server) * 1e3 for _ in range(7)]
    server.start()
    time.sleep(1.0)
    resident = [megabytes(resident_kib(server))]
    server.stop()
    return [alone(START[0], times, "embedded defaults, both cores"), alone(START[1], resident)]


def resident_kib(server):
    total = 0
    for pid in server.pids():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Rss:"))
    return total


def on_fresh(bench, make, mode="closed", **options):
    """A measurement on a server started for it. Two processes of one program differ by up to 15 %
    (where their memory happens to lie), so each round takes new ones."""
    def measure():
        server = make().start()
        try:
            return bench.load(server, mode, connections=CONNECTIONS, **options)
        finally:
            server.stop()
    return measure


def saturation_figures(bench):
    upstream = servers.Upstream(bench).start()
    ours, nginx = alternate(bench.options.rounds,
                            on_fresh(bench, lambda: servers.ours(bench, upstream)),
                            on_fresh(bench, lambda: servers.Nginx(bench, "proxy", upstream)))
    check_saturated("ours", ours)
    check_saturated("nginx", nginx)
    return [compare(SATURATION[0], [r["per_second"] for r in ours],
                    [r["per_second"] for r in nginx], rate),
            compare(SATURATION[1], [cpu_us(r, "replies") for r in ours],
                    [cpu_us(r, "replies") for r in nginx], micros),
            alone(SATURATION[2], [megabytes(r["rss_kib"]) for r in ours])]


def portkey_figures(bench):
    upstream = servers.Upstream(bench).start()
    # Started once: its first seconds, before the JIT compiler has done its work, are not held
    # against it.
    portkey_server = servers.Portkey(bench, upstream).start()
    bench.load(portkey_server, connections=CONNECTIONS)
    ours, portkey = alternate(min(bench.options.rounds, 3),
                              on_fresh(bench, lambda: servers.ours(bench, upstream)),
                              lambda: bench.load(portkey_server, connections=CONNECTIONS))
    return [compare(PORTKEY[0], [r["per_second"] for r in ours],
                    [r["per_second"] for r in portkey], rate)]


def hit_figures(bench):
    upstream = servers.Upstream(bench).start()
    ours, nginx = alternate(
        bench.options.rounds,
        on_fresh(bench, lambda: servers.ours(bench, upstream, "return"), body="same"),
        on_fresh(bench, lambda: servers.Nginx(bench, "return", body="x" * REPLY_BYTES),
                 body="same"))
    check_saturated("ours", ours)
    return [compare(HITS[0], [r["per_second"] for r in ours], [r["per_second"] for r in nginx],
                    rate)]


def fixed_figures(bench):
    upstream = servers.Upstream(bench).start()
    ours, nginx = alternate(
        bench.options.rounds,
        on_fresh(bench, lambda: servers.ours(bench, upstream), "open", rate=FIXED_RATE),
        on_fresh(bench, lambda: servers.Nginx(bench, "proxy", upstream), "open", rate=FIXED_RATE))

    def added_ms(a, b):
        return (a - b) / 1e3
    return [compare(FIXED[0], [r["p50_us"] for r in ours], [r["p50_us"] for r in nginx], micros,
                    added_ms),
            compare(FIXED[1], [r["p99_us"] for r in ours], [r["p99_us"] for r in nginx], micros)]


def one_stream_round(bench, make):
    """A fresh server each time, so that memory is the streams' own."""
    server = make().start()
    # Fifty requests first: what a server sets up once is not a stream's memory.
    bench.load(server, "open", rate=100, connections=8, seconds=0.5, warmup=0)
    before = resident_kib(server)
    found = bench.load(server, "stream", connections=STREAMS, ramp=1)
    server.stop()
    found["kib_per_stream"] = (found["rss_kib"] - before) / STREAMS
    return found


def stream_figures(bench):
    upstream = servers.Upstream(bench, rate=TOKENS_PER_SECOND).start()
    ours, nginx = alternate(
        bench.options.rounds,
        lambda: one_stream_round(bench, lambda: servers.ours(bench, upstream, "stream")),
        lambda: one_stream_round(bench, lambda: servers.Nginx(bench, "stream", upstream)))
    expected = STREAMS * TOKENS_PER_SECOND
    arrived = statistics.median(r["tokens"] / r["seconds"] for r in ours)
    if arrived < 0.98 * expected:
        raise Failed(f"ours delivered {arrived:,.0f} of {expected:,} tokens a second")
    return [compare(STREAM[0], [cpu_us(r, "tokens") for r in ours],
                    [cpu_us(r, "tokens") for r in nginx], micros),
            compare(STREAM[1], [r["kib_per_stream"] for r in ours],
                    [r["kib_per_stream"] for r in nginx], lambda v: f"{v:.1f} KiB"),
            compare(STREAM[2], [r["p99_us"] for r in ours], [r["p99_us"] for r in nginx], micros)]


def idle_figures(bench):
    upstream = servers.Upstream(bench, rate=0).start()
    server = servers.ours(bench, upstream, "stream").start()
    # Two descriptors for each stream; where the limit is too low for all, the rest is scaled.
    count = min(IDLE_STREAMS, (bench.files_max - 200) // 2)
    before = resident_kib(server)
    found = bench.load(server, "stream", connections=count, ramp=count / 2500, seconds=2)
    server.stop()
    scaled = before + (found["rss_kib"] - before) * IDLE_STREAMS / count
    note = f"all open after {found['open_seconds']:.1f} s; {megabytes(before):.1f} MB before"
    if count < IDLE_STREAMS:
        note += f"; {count:,} held (descriptor limit {bench.files_max:,}) and scaled"
    return [alone(IDLE[0], [megabytes(scaled)], note)]


def run(bench):
    experiments = [(START, start_figures), (SATURATION, saturation_figures),
                   (PORTKEY, portkey_figures), (HITS, hit_figures), (FIXED, fixed_figures),
                   (STREAM, stream_figures), (IDLE, idle_figures)]
    results = []
    for group, measure in experiments:
        if not bench.wants(group):
            continue
        build.say("measuring " + ", ".join(figure.name for figure in group))
        try:
            found = measure(bench)
        except (Failed, build.Unavailable) as problem:
            found = failed(group, problem)
        finally:
            for server in list(bench.started):
                server.stop()
        results += bench.wanted(found)
    return results
