"""The admission suite: what the checks at the door cost each request, on one thread."""
import json
import subprocess

from harness import build
from harness.measure import Failed, Figure, alone, failed

PEERS = []
TOOLS = "bench_admission"
NEEDS_MAINSTAY = False

WHOLE = Figure("all checks of one request, default limits", "µs", ("<=", 3), "itself")
EVERY = Figure("all checks of one request, every limit on", "µs", ("<=", 3), "itself")
PERMIT = Figure("permit taken and given back", "µs", ("<=", 0.5), "itself")
AWAITED = Figure("permit taken and given back by a coroutine", "µs", None, "itself")
IDENTIFY = Figure("identified by key", "µs", None, "itself")
COUNT = Figure("counted against the user's limit", "µs", None, "itself")
FIELDS = {WHOLE: "whole_ns", EVERY: "every_limit_ns", PERMIT: "permit_ns", AWAITED: "awaited_ns",
          IDENTIFY: "identify_ns", COUNT: "count_ns"}


def figures():
    return list(FIELDS)


def one_run(bench):
    urgent = ["chrt", "--rr", "1"] if bench.options.urgent else []
    done = subprocess.run([*urgent, str(bench.tools / "admission"), "--rounds", "3"], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def run(bench):
    build.say("measuring the checks at the door")
    try:
        runs = [one_run(bench) for _ in range(bench.options.rounds)]
    except Failed as problem:
        return bench.wanted(failed(figures(), problem))
    note = "1,000 keys and users in turn, the median of each run"
    return bench.wanted([alone(figure, [r[field] / 1e3 for r in runs], note)
                         for figure, field in FIELDS.items()])
