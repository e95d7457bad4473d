"""Reading a text of 1 GB into the full-text index, and word search over 100,000 passages, both over
HTTP as a user does it: rows of the knowledge suite."""
import http.client
import json
import pathlib
import random
import re
import statistics
import subprocess
import time

from harness import build, servers
from harness.measure import Failed, Figure, Result, failed
from harness.watch import Watch, cpu_seconds

SPEED = Figure("text ingest with full-text index, 1 GB", "MB/s", (">=", 12), "itself")
MEMORY = Figure("text ingest: peak memory", "MB", ("<=", 64), "itself")
SEARCH = Figure("word search p50 over 100,000 passages", "ms", ("<=", 15), "itself")
DOCUMENTS = [SPEED, MEMORY, SEARCH]
PATIENCE = 900  # seconds for one text
QUESTIONS = 300
SEARCHED_MB = 100  # a little more than 100,000 passages; the reply of the collection counts them


class Ours(servers.Mainstay):
    """The embedded defaults on both cores, but for the limits of one user."""

    def command(self):
        (self.folder / "data").mkdir(exist_ok=True)
        return [self.bench.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data",
                self.folder / "data", "--set", "limits.enabled=false", "--set",
                "models.discover=false", "--set", "files.size_max=2GiB"]

    def start(self):
        super().start()
        subprocess.run(["taskset", "-a", "-p", "-c", "0,1", str(self.process.pid)], check=True,
                       stdout=subprocess.DEVNULL)
        return self


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body),
                       {"Content-Type": "application/json"})
    reply = connection.getresponse()
    found = json.loads(reply.read())
    connection.close()
    if reply.status >= 300:
        raise Failed(f"{method} {path}: status {reply.status}: {found}")
    return found


def ingest(server, path, collection):
    """Seconds from the first byte of the upload until the document can be found."""
    began = time.monotonic()
    done = subprocess.run(
        ["curl", "-sf", "-m", str(PATIENCE), f"http://127.0.0.1:{server.port}/v1/documents",
         "-F", f"collection={collection}", "-F", f"file=@{path};type=text/plain"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"the upload ended with {done.returncode}: {done.stderr}")
    job = json.loads(done.stdout)["job"]
    while time.monotonic() < began + PATIENCE:
        found = call(server.port, "GET", f"/v1/jobs/{job}")
        if found["state"] not in ("queued", "running"):
            break
        time.sleep(0.1)
    if found["state"] != "succeeded":
        raise Failed(f"the job is {found['state']}: {found.get('error')}")
    return time.monotonic() - began


def questions(path):
    """Three to six words of a sentence that stands somewhere in the text."""
    rng = random.Random(7)
    text = path.read_bytes()[:32_000_000].decode(errors="ignore")
    sentences = [words for words in (re.findall(r"[a-z]+", part.lower())
                                     for part in re.split(r"[.!?]", text)) if len(words) > 8]
    return [" ".join(rng.sample(rng.choice(sentences), rng.randint(3, 6)))
            for _ in range(QUESTIONS)]


def search(port, collection, asked):
    """Milliseconds of each question, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for question in asked:
        body = json.dumps({"query": question, "collection": collection, "limit": 10})
        began = time.monotonic()
        connection.request("POST", "/v1/search", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        took.append((time.monotonic() - began) * 1000)
        if reply.status != 200 or not json.loads(text)["data"]:
            raise Failed(f"search: status {reply.status}: {text[:200]!r}")
    connection.close()
    return took


def ingest_rows(bench, path, megabytes):
    server = Ours(bench)
    try:
        server.start()
        watch = Watch(server.process.pid, 0.2, bench.curves, f"ingest of {megabytes} MB")
        watch.start()
        seconds = ingest(server, path, "large")
        used = cpu_seconds(server.process.pid)
        peak = watch.peak()
    finally:
        server.stop()
    return [Result(SPEED, megabytes / seconds,
                   f"upload included; {megabytes / used:.1f} MB per second of processor"),
            Result(MEMORY, peak, f"{megabytes} MB of text")]


def search_row(bench, path):
    server = Ours(bench)
    try:
        server.start()
        ingest(server, path, "searched")
        facts = call(server.port, "GET", "/v1/collections/searched")
        asked = questions(path)
        search(server.port, "searched", asked[:20])
        took = search(server.port, "searched", asked)
    finally:
        server.stop()
    tail = sorted(took)[int(len(took) * 0.95)]
    return Result(SEARCH, statistics.median(took),
                  f"{facts['chunks']} passages, {len(took)} questions; p95 {tail:.1f} ms")


def documents(bench, text_file):
    """`text_file(bench, megabytes)` makes the prose. --quick: a tenth of it."""
    share = 10 if getattr(bench.options, "quick", False) else 1
    rows = []
    try:
        if bench.wants([SPEED, MEMORY]):
            build.say("reading a long text")
            path = text_file(bench, 1000 // share)
            rows += ingest_rows(bench, path, 1000 // share)
            path.unlink()
        if bench.wants([SEARCH]):
            build.say("searching words")
            path = text_file(bench, SEARCHED_MB // share)
            rows.append(search_row(bench, pathlib.Path(path)))
            path.unlink()
        return rows
    except (Failed, build.Unavailable, OSError) as problem:
        return failed(DOCUMENTS, problem)
