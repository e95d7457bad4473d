"""Rows of the knowledge suite about vectors: search, filtered search and durable inserts over HTTP,
beside Chroma's server with the same rows. Called by suites/knowledge.py."""
import json
import pathlib
import subprocess

from harness import build, servers
from harness.measure import Failed, Figure, alternate, compare, failed

PEERS = ["chromadb-bindings", "chromadb"]
CHROMA = "chromadb server (npm)"
SEARCH = Figure("vector search p50 ÷ chromadb", "ratio", ("<=", 0.7), CHROMA)
FILTERED = Figure("vector search filtered to a tenth ÷ chromadb", "ratio", ("<=", 0.1), CHROMA)
INSERT = Figure("bulk insert of vectors, durable ÷ chromadb", "ratio", (">=", 20), CHROMA)
VECTORS = [SEARCH, FILTERED, INSERT]
SCRIPT = build.ROOT / "bench" / "knowledge" / "vectors.mjs"
RECALL_MIN = 0.99
DIMENSION = 384
QUERIES = 100


class Ours(servers.Mainstay):
    """The embedded defaults, but for the limits of one user."""

    def command(self):
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "mainstay.toml").write_text("[limits]\nenabled = false\n")
        return [self.bench.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data",
                self.folder / "data", "--config", self.folder / "mainstay.toml"]


class Chroma(servers.Server):
    name = "chroma"
    start_timeout = 60.0

    def command(self):
        return [build.PEERS / "node_modules" / ".bin" / "chroma", "run", "--path",
                self.folder / "data", "--host", "127.0.0.1", "--port", self.port]

    def start(self):
        # It has no /health; its heartbeat is another path.
        before, servers.answers = servers.answers, lambda port: heartbeat(port)
        try:
            return super().start()
        finally:
            servers.answers = before


def heartbeat(port, path="/api/v2/heartbeat"):
    done = subprocess.run(["curl", "-sf", "-m", "2", f"http://127.0.0.1:{port}{path}"],
                          capture_output=True, check=False)
    return done.returncode == 0


def ask(server, kind, data, count, phase):
    done = subprocess.run(
        ["node", str(SCRIPT), "--server", kind, "--port", str(server.port), "--data", str(data),
         "--count", str(count), "--dimension", str(DIMENSION), "--queries", str(QUERIES),
         "--peers", str(build.PEERS), "--phase", phase],
        text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{kind}, {phase}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def recalled(runs, place):
    return min(one[place]["recall"] for one in runs)


def vectors(bench):
    """100,000 rows of 384; --quick: 10,000. Inserts once on each side, searches in turn."""
    count = 10_000 if getattr(bench.options, "quick", False) else 100_000
    build.cmake("bench", "bench_vectors") if not bench.options.no_build else None
    tool = build.TOOLS / "vectors"
    if not tool.exists():
        return failed(VECTORS, "the tool bench_vectors is not built; run without --no-build")
    data = pathlib.Path(bench.new_folder("vectors")) / "rows"
    here, there = Ours(bench), Chroma(bench)
    try:
        subprocess.run([str(tool), "--make", str(data), "--count", str(count), "--dimension",
                        str(DIMENSION), "--queries", str(QUERIES)], check=True)
        here.start()
        there.start()
        build.say(f"inserting {count} vectors on both sides")
        ours = ask(here, "mainstay", data, count, "insert")
        theirs = ask(there, "chroma", data, count, "insert")
        build.say("searching them")
        mine, other = alternate(bench.options.rounds,
                                lambda: ask(here, "mainstay", data, count, "search"),
                                lambda: ask(there, "chroma", data, count, "search"))
        for place in ("all", "tenth"):
            if recalled(mine, place) < RECALL_MIN:
                raise Failed(f"recall@10 of ours is {recalled(mine, place):.4f} ({place})")
    except (Failed, build.Unavailable, subprocess.CalledProcessError) as problem:
        return failed(VECTORS, problem)
    finally:
        here.stop()
        there.stop()
        data.unlink(missing_ok=True)

    def row(figure, place):
        result = compare(figure, [one[place]["p50_ms"] for one in mine],
                         [one[place]["p50_ms"] for one in other], lambda value: f"{value:.2f} ms")
        result.detail += (f"; recall@10 ours {recalled(mine, place):.4f}, theirs"
                          f" {recalled(other, place):.4f}; {count} x {DIMENSION}")
        return result

    insert = compare(INSERT, [ours["insert_s"]], [theirs["insert_s"]],
                     lambda value: f"{value:.0f}/s")
    return [row(SEARCH, "all"), row(FILTERED, "tenth"), insert]
