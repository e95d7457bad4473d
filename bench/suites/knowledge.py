"""The knowledge suite: reading, searching and telling of much text in little memory. One function
for each row; run() calls those that are wanted."""
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import textwrap

from harness import build, servers
from harness.measure import Failed, Figure, alone, alternate, compare, failed
from harness.watch import Watch
from suites import _knowledge_documents, _knowledge_vectors
from suites._knowledge_images import IMAGES, row_images

PEERS = ["sharp", *_knowledge_vectors.PEERS]
TOOLS = ""
NEEDS_MAINSTAY = True

WC = "wc -lwm (coreutils), LC_ALL=C.UTF-8"
SPEED = Figure("analysis ÷ wc -lwm in speed", "ratio", (">=", 0.7), WC)
MEMORY = Figure("analysis: peak memory", "MB", ("<=", 32), "itself")
ANALYSIS = [SPEED, MEMORY]


def figures():
    return [*ANALYSIS, *IMAGES, *_knowledge_documents.DOCUMENTS, *_knowledge_vectors.VECTORS]


def run(bench):
    results = []
    if bench.wants(ANALYSIS):
        results += analysis(bench)
    if bench.wants(IMAGES):
        results += row_images(bench)
    if bench.wants(_knowledge_documents.DOCUMENTS):
        results += _knowledge_documents.documents(bench, text_file)
    if bench.wants(_knowledge_vectors.VECTORS):
        results += _knowledge_vectors.vectors(bench)
    return bench.wanted(results)


# ---- texts

STOP = ("the of and to in a is that it was for on are as with his they at be this have from or had "
        "by not but what all were when there an which their if will up other about out many then "
        "them these so some her would into has more no could than been its who now").split()


def vocabulary(rng, size):
    """Words that can be spoken, the first ones the most used."""
    starts = "b c d f g h l m n p r s t v w br cl dr fl gr pl st tr th sh".split()
    vowels, ends = "a e i o u ea ou ai".split(), ["", "", "n", "r", "s", "l", "t", "ng", "st", "nd"]
    found = {}
    while len(found) < size:
        syllables = rng.choice((1, 1, 2, 2, 2, 3))
        word = "".join(rng.choice(starts) + rng.choice(vowels) for _ in range(syllables))
        found[word + rng.choice(ends)] = None
    return list(found)


def prose(megabytes):
    """Seeded English-like prose in lines of 80 columns with typographic quotes: 60,000 different
    words by Zipf's law, sentences of 5 to 28 words. 32 MB of it, repeated where more is asked."""
    rng = random.Random(1)
    words = vocabulary(rng, 60_000)
    weights = list(itertools.accumulate(1 / (i + 3) for i in range(len(words))))
    block, size = [], 0
    while size < min(megabytes, 32) * 1_000_000:
        sentences = []
        for _ in range(rng.randint(2, 8)):
            rare = rng.choices(words, cum_weights=weights, k=rng.randint(5, 28))
            said = [rng.choice(STOP) if rng.random() < 0.45 else word for word in rare]
            if rng.random() < 0.1:
                said[-1] = "don\u2019t"
            text = " ".join(said).capitalize() + rng.choice("....!?")
            sentences.append(f"\u201c{text}\u201d" if rng.random() < 0.1 else text)
        paragraph = textwrap.fill(" ".join(sentences), 80).encode() + b"\n\n"
        block.append(paragraph)
        size += len(paragraph)
    return b"".join(block)


def text_file(bench, megabytes):
    """The prose in a file of that size; kept for the rounds, and read once so that it is cached."""
    path = pathlib.Path(bench.new_folder("text")) / "prose.txt"
    block = prose(megabytes)
    with open(path, "wb") as out:
        while out.tell() < megabytes * 1_000_000:
            out.write(block[:megabytes * 1_000_000 - out.tell()])
    path.read_bytes() if megabytes <= 100 else subprocess.run(["cat", path], check=True,
                                                               stdout=subprocess.DEVNULL)
    return path


# ---- analysis

# Runs its arguments and prints what they used. A process of its own, and a small one: the kernel
# counts the memory of the process that began a program as the program's.
USED = """import json, os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ,
                        file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, used = os.wait4(child, 0)
print(json.dumps([status, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000]))"""


def timed(command, environment):
    """Seconds of the processor and the most memory, in MB, of one run of a program. Not the clock's
    seconds: both programs read a cached file on one core, and a compiler beside them would otherwise
    be measured as well."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", USED, *command], env=environment,
                          stdout=subprocess.PIPE, check=True)
    status, seconds, megabytes = json.loads(done.stdout)
    if status != 0:
        raise Failed(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": seconds, "mb": megabytes, "kept_off": 0.0}


def analysis_curve(bench, command, environment):
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        watch = Watch(process.pid, 0.05, bench.curves, "analysis of 1 GB")
        watch.start()
        process.wait()
        watch.peak()


def analysis(bench):
    """1 GB of prose; --quick: 100 MB."""
    megabytes = 100 if getattr(bench.options, "quick", False) else 1000
    build.say(f"making {megabytes} MB of prose")
    path = text_file(bench, megabytes)
    environment = {**servers.clean_environment(path.parent), "LC_ALL": "C.UTF-8"}
    build.say("measuring the analysis beside wc")
    ours = [str(bench.binary), "analyze", "--json", str(path)]
    theirs = ["wc", "-lwm", str(path)]
    try:
        here, there = alternate(bench.options.rounds, lambda: timed(ours, environment),
                                lambda: timed(theirs, environment))
        if bench.options.curves:
            analysis_curve(bench, ours, environment)
    except Failed as problem:
        return failed(ANALYSIS, problem)
    finally:
        path.unlink()
    speed = compare(SPEED, [megabytes / one["seconds"] for one in here],
                    [megabytes / one["seconds"] for one in there],
                    lambda value: f"{value:.0f} MB/s of processor time")
    return [speed, alone(MEMORY, [one["mb"] for one in here], f"{megabytes} MB of text")]
