"""Thumbnails of photographs through POST /v1/images beside npm sharp: a row of the knowledge suite."""
import http.client
import json
import pathlib
import shutil
import subprocess
import threading
import time

from harness import build, servers
from harness.measure import Failed, Figure, alternate, compare, failed
from harness.watch import Watch

SHARP = "npm sharp 0.35.5, two at once"
THROUGHPUT = Figure("200 twelve-megapixel JPEG thumbnails ÷ sharp: throughput", "ratio", (">=", 0.9),
                    SHARP)
MEMORY = Figure("200 twelve-megapixel JPEG thumbnails ÷ sharp: peak memory", "ratio", ("<=", 0.6),
                f"{SHARP}; all processes together, shared pages once")
IMAGES = [THROUGHPUT, MEMORY]

COUNT, IN_ONE_FORM, CONNECTIONS, WARM_FORMS = 200, 5, 3, 4
NODE = shutil.which("node") or "node"
SCRIPT = build.ROOT / "bench" / "images" / "sharp.mjs"


def form_of(files):
    """Boundary and body of a form with these files."""
    parts = []
    for file in files:
        parts += [b'--of-the-bench\r\nContent-Disposition: form-data; name="image"; filename="',
                  file.name.encode(), b'"\r\nContent-Type: image/jpeg\r\n\r\n', file.read_bytes(),
                  b"\r\n"]
    return b"".join([*parts, b"--of-the-bench--\r\n"])


def send(port, forms, problems):
    """Posts forms over one connection until none is left."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while forms:
        try:
            body = forms.pop()
        except IndexError:
            break
        connection.request("POST", "/v1/images?width=320&height=320&quality=80", body,
                           {"Content-Type": "multipart/form-data; boundary=of-the-bench"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200 or text.count(b"x-mainstay-size: 320x240") != IN_ONE_FORM:
            problems.append(f"status {reply.status}: {text[:200]!r}")
    connection.close()


def rounds_of(port, forms, problems):
    """Posts all of these forms over a few connections."""
    left = list(forms)
    senders = [threading.Thread(target=send, args=(port, left, problems))
               for _ in range(CONNECTIONS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def ours(bench, files):
    """Seconds and peak memory of the server and its decoders."""
    folder, port = bench.new_folder("images"), servers.free_port()
    with open(pathlib.Path(folder) / "output", "wb") as output:
        server = subprocess.Popen(
            [str(bench.binary), "serve", "--listen", f"127.0.0.1:{port}", "--data", str(folder),
             "--set", "limits.enabled=false", "--set", "models.discover=false"],
            stdout=output, stderr=subprocess.STDOUT, env=servers.clean_environment(folder))
    try:
        end = time.monotonic() + 20
        while not servers.answers(port):
            if server.poll() is not None or time.monotonic() > end:
                raise Failed("mainstay did not start")
            time.sleep(0.02)
        forms = [form_of(files[at:at + IN_ONE_FORM]) for at in range(0, len(files), IN_ONE_FORM)]
        problems = []
        # Decoders start when there is something to do; sharp was loaded before it is timed.
        rounds_of(port, forms[:WARM_FORMS], problems)
        watch = Watch(server.pid, kept=bench.curves, name=f"{COUNT} thumbnails")
        watch.start()
        began = time.monotonic()
        rounds_of(port, forms, problems)
        seconds = time.monotonic() - began
        if problems:
            raise Failed(problems[0])
        return {"seconds": seconds, "mb": watch.peak(), "kept_off": 0.0}
    finally:
        server.terminate()
        server.wait(20)


def theirs(folder):
    """The same of sharp."""
    environment = {**servers.clean_environment(folder), "PEERS": str(build.PEERS)}
    with subprocess.Popen([NODE, str(SCRIPT), "thumbnails", str(folder)], env=environment,
                          stdout=subprocess.PIPE, text=True) as node:
        watch = Watch(node.pid)
        watch.start()
        said = node.stdout.read()
        peak = watch.peak()
        if node.wait() != 0:
            raise Failed("sharp failed")
    return {"seconds": json.loads(said)["seconds"], "mb": peak, "kept_off": 0.0}


def row_images(bench):
    """Both figures. npm's sharp must be installed (the suite names it among its PEERS)."""
    folder = pathlib.Path(bench.new_folder("photographs"))
    build.say(f"making {COUNT} photographs of twelve megapixels")
    environment = {**servers.clean_environment(folder), "PEERS": str(build.PEERS)}
    made = subprocess.run([NODE, str(SCRIPT), "make", str(folder), str(COUNT)], env=environment,
                          check=False)
    if made.returncode != 0:
        return failed(IMAGES, Failed("the photographs could not be made"))
    files = sorted(folder.glob("*.jpg"))
    build.say("measuring thumbnails beside sharp")
    try:
        here, there = alternate(bench.options.rounds, lambda: ours(bench, files),
                                lambda: theirs(folder))
    except (Failed, OSError) as problem:
        return failed(IMAGES, problem)
    speed = compare(THROUGHPUT, [COUNT / one["seconds"] for one in here],
                    [COUNT / one["seconds"] for one in there], lambda value: f"{value:.1f}/s")
    memory = compare(MEMORY, [one["mb"] for one in here], [one["mb"] for one in there],
                     lambda value: f"{value:.0f} MB")
    return [speed, memory]
