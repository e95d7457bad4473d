"""The admission suite: what the checks at the door cost each request, on one thread."""
from harness import build
from harness.measure import Figure, tool_figures

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


def run(bench):
    build.say("measuring the checks at the door")
    return tool_figures(bench, "admission", FIELDS, 1e-3,
                        "1,000 keys and users in turn, the median of each run")
