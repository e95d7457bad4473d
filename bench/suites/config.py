"""The config suite: what one read of the configuration costs, on one thread and on all cores while
snapshots are swapped under them."""
from harness import build
from harness.measure import Figure, tool_figures

PEERS = []
TOOLS = "bench_config"
NEEDS_MAINSTAY = False

KEPT = Figure("configuration read and kept", "ns", ("<=", 20), "itself")
LOOKED = Figure("configuration read for one look", "ns", ("<=", 20), "itself")
SHARED = Figure("configuration read on all cores during 100 swaps", "ns", ("<=", 20), "itself")
FIELDS = {KEPT: "get_ns", LOOKED: "peek_ns", SHARED: "shared_ns"}


def figures():
    return list(FIELDS)


def run(bench):
    build.say("measuring reads of the configuration")
    return tool_figures(bench, "config", FIELDS, 1,
                        "2,000,000 reads a round, the median of each run")
