"""The config suite: what one read of the configuration costs, on one thread and on all cores while
snapshots are swapped under them."""
import json
import subprocess

from harness import build
from harness.measure import Failed, Figure, alone, failed

PEERS = []
TOOLS = "bench_config"
NEEDS_MAINSTAY = False

KEPT = Figure("configuration read and kept", "ns", ("<=", 20), "itself")
LOOKED = Figure("configuration read for one look", "ns", ("<=", 20), "itself")
SHARED = Figure("configuration read on all cores during 100 swaps", "ns", ("<=", 20), "itself")
FIELDS = {KEPT: "get_ns", LOOKED: "peek_ns", SHARED: "shared_ns"}


def figures():
    return list(FIELDS)


def one_run(bench):
    urgent = ["chrt", "--rr", "1"] if bench.options.urgent else []
    done = subprocess.run([*urgent, str(bench.tools / "config"), "--rounds", "3"], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def run(bench):
    build.say("measuring reads of the configuration")
    try:
        runs = [one_run(bench) for _ in range(bench.options.rounds)]
    except Failed as problem:
        return bench.wanted(failed(figures(), problem))
    note = "2,000,000 reads a round, the median of each run"
    return bench.wanted([alone(figure, [r[field] for r in runs], note)
                         for figure, field in FIELDS.items()])
