"""Spoken questions and answers: rows of the voice suite. A model that writes slowly stands behind the
server; ears and mouth are the built-in ones."""
import base64
import http.client
import http.server
import json
import pathlib
import subprocess
import threading
import time

from harness import build, servers
from harness.measure import Failed, Figure, alone, alternate, compare, failed
from harness.watch import Watch

THREE_CALLS = "transcriptions, then chat/completions whole, then audio/speech, of the same server"
FIRST = Figure("spoken answer: first sound ÷ waiting for the whole answer", "ratio", ("<=", 0.6),
               THREE_CALLS)
ANSWERED = Figure("50 voice turns at once: answered", "turns", (">=", 50), "itself")
LONGEST = Figure("50 voice turns at once: until the last one is spoken", "s", None, "itself")
MEMORY = Figure("50 voice turns at once: peak memory of all processes", "MB", ("<=", 512), "itself")
TURNS = [FIRST, ANSWERED, LONGEST, MEMORY]

COUNT = 50
ROUNDS_MAX = 2  # a turn that is not answered in time ends after voice.turn_timeout, so each round does
QUESTION = "what is the price of the house"
SENTENCES = [f"This is part {number} of an answer that a model writes slowly, word by word." for
             number in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
TOKEN_SECONDS = 0.02  # of a small model on a small machine


class Model(http.server.BaseHTTPRequestHandler):
    """An OpenAI-compatible server that writes SENTENCES, a word each TOKEN_SECONDS."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        self.send("application/json", json.dumps(
            {"object": "list", "data": [{"id": "slow", "object": "model"}]}).encode())

    def do_POST(self):  # pylint: disable=invalid-name
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = " ".join(SENTENCES).split(" ")
        if not asked.get("stream"):
            time.sleep(TOKEN_SECONDS * len(words))
            self.send("application/json", json.dumps(
                {"id": "c", "object": "chat.completion", "created": 1, "model": "slow", "choices": [
                    {"index": 0, "finish_reason": "stop", "message":
                        {"role": "assistant", "content": " ".join(words)}}]}).encode())
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in words:
            time.sleep(TOKEN_SECONDS)
            self.event({"delta": {"content": word + " "}, "finish_reason": None})
        self.event({"delta": {}, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, choice):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "slow",
                 "choices": [{"index": 0, **choice}]}
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()


class World:
    """The server and the model behind it."""

    def __init__(self, bench):
        self.bench = bench
        self.model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
        self.model.daemon_threads = True
        threading.Thread(target=self.model.serve_forever, daemon=True).start()
        self.folder, self.port = pathlib.Path(bench.new_folder("voice")), servers.free_port()
        (self.folder / "mainstay.toml").write_text(
            "[limits]\nenabled = false\n[models]\ndiscover = false\n[cache]\nenabled = false\n"
            "coalesce = false\n[audio]\ncache = false\n[[providers]]\nname = \"slow\"\n"
            "kind = \"openai\"\nmodels = [\"slow\"]\n"
            f"base_url = \"http://127.0.0.1:{self.model.server_port}/v1\"\n", encoding="utf-8")
        self.process = None

    def __enter__(self):
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                [str(self.bench.binary), "serve", "--config", str(self.folder / "mainstay.toml"),
                 "--listen", f"127.0.0.1:{self.port}", "--data", str(self.folder / "data")],
                stdout=output, stderr=subprocess.STDOUT, env=servers.clean_environment(self.folder))
        end = time.monotonic() + 20
        while not servers.answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed("mainstay did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.model.shutdown()
        self.model.server_close()

    def post(self, path, body, kind, accept="application/json"):
        """An open reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("POST", path, body, {"Content-Type": kind, "Accept": accept})
        reply = connection.getresponse()
        if reply.status != 200:
            raise Failed(f"{path}: {reply.status} {reply.read(300)!r}")
        return reply

    def json(self, path, body):
        return self.post(path, json.dumps(body), "application/json")

    def question(self):
        """The question, spoken."""
        return self.json("/v1/audio/speech", {"model": "auto", "input": QUESTION, "speed": 0.8,
                                              "response_format": "wav"}).read()


def form_of(sound, **fields):
    """Kind and body of a form with a recording."""
    parts = []
    for name, value in fields.items():
        parts.append(f'--of-the-bench\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                     f"{value}\r\n".encode())
    parts += [b'--of-the-bench\r\nContent-Disposition: form-data; name="file"; '
              b'filename="q.wav"\r\nContent-Type: audio/wav\r\n\r\n', sound,
              b"\r\n--of-the-bench--\r\n"]
    return "multipart/form-data; boundary=of-the-bench", b"".join(parts)


def one_turn(world, sound):
    """Seconds to the first sound and to the end, and bytes of sound, of one call."""
    kind, body = form_of(sound, model="slow", format="mp3", audio="inline", response="stream")
    began = time.monotonic()
    reply = world.post("/v1/voice", body, kind, "text/event-stream")
    first, size, ended = None, 0, False
    for line in reply:
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        if event["type"] == "audio":
            first = first or time.monotonic() - began
            size += len(base64.b64decode(event["base64"]))
        if event["type"] in ("error", "speech_failed"):
            raise Failed(f"a turn failed: {event}")
        ended = ended or event["type"] == "done"
    if first is None or not ended:
        raise Failed("a turn ended without sound")
    return {"first": first, "seconds": time.monotonic() - began, "bytes": size, "kept_off": 0.0}


def three_calls(world, sound):
    """The same, each step waiting for the one before it."""
    kind, body = form_of(sound, model="auto")
    began = time.monotonic()
    heard = json.loads(world.post("/v1/audio/transcriptions", body, kind).read())["text"]
    answer = json.loads(world.json("/v1/chat/completions", {
        "model": "slow", "messages": [{"role": "user", "content": heard}]}).read())
    text = answer["choices"][0]["message"]["content"]
    speech = world.json("/v1/audio/speech", {"model": "auto", "input": text,
                                             "response_format": "mp3"})
    if not speech.read(1):
        raise Failed("no speech came")
    first = time.monotonic() - began
    speech.read()
    return {"first": first, "kept_off": 0.0}


def at_once(world, sound):
    """COUNT turns at the same time."""
    answered, problems = [], []

    def turn():
        try:
            answered.append(one_turn(world, sound))
        except (Failed, OSError, http.client.HTTPException, ValueError) as problem:
            problems.append(problem)

    watch = Watch(world.process.pid, kept=world.bench.curves, name=f"{COUNT} voice turns")
    watch.start()
    began = time.monotonic()
    threads = [threading.Thread(target=turn) for _ in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, peak = time.monotonic() - began, watch.peak()
    if problems:
        build.say(f"{len(problems)} of {COUNT} turns failed, the first: {problems[0]}")
    return {"answered": len(answered), "seconds": seconds, "mb": peak, "kept_off": 0.0,
            "first": sorted(one["first"] for one in answered)}


def turns(bench):
    """All figures of TURNS that are wanted."""
    results = []
    try:
        with World(bench) as world:
            sound = world.question()
            one_turn(world, sound)  # starts the processes that hear and speak
            if bench.wants([FIRST]):
                build.say("measuring a spoken answer beside three calls")
                ours, theirs = alternate(bench.options.rounds, lambda: one_turn(world, sound),
                                         lambda: three_calls(world, sound))
                results.append(compare(FIRST, [one["first"] for one in ours],
                                       [one["first"] for one in theirs],
                                       lambda value: f"{value:.2f} s"))
            if bench.wants([ANSWERED, LONGEST, MEMORY]):
                build.say(f"measuring {COUNT} voice turns at once")
                rounds = min(bench.options.rounds, ROUNDS_MAX)
                runs = [at_once(world, sound) for _ in range(rounds)]
                note = f"{len(SENTENCES)} sentences each"
                results += [alone(ANSWERED, [one["answered"] for one in runs], note),
                            alone(LONGEST, [one["seconds"] for one in runs], note),
                            alone(MEMORY, [one["mb"] for one in runs], note)]
    except (Failed, OSError, http.client.HTTPException) as problem:
        return failed(TURNS, problem)
    return results
