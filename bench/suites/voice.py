"""The voice suite: sound decoded beside the ffmpeg command, and how well the built-in recogniser hears what
the built-in voice says. One function for each row; run() calls those that are wanted.

All of it takes about ten minutes on two quiet cores. Its parts, by --only: "an hour of mp3" (or wav, flac,
opus, m4a; a minute and a half each), "built-in recogniser" (two minutes), "spoken answer" and "50 voice
turns" (a minute each). Each call has a time after which it fails: nothing hangs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from harness import build
from harness.measure import Failed, Figure, alone, alternate, compare, failed
from suites import _voice_turns

PEERS = []
TOOLS = "bench_sound"
NEEDS_MAINSTAY = True

FFMPEG = "ffmpeg 5.1 to 16 kHz, one channel, s16"
HOUR, TENTH = 3600, 360
# More rounds of an hour of sound would say no more.
ROUNDS_MAX = 3
# Seconds that one call may take: making a file, decoding it, hearing all sentences of a voice.
MAKING_MAX, DECODING_MAX, HEARING_MAX = 300, 60, 600
# name, goal on two cores, ffmpeg's arguments
FORMATS = {
    "wav": (None, ["-c:a", "pcm_s16le"]),
    "flac": (None, ["-c:a", "flac"]),
    "mp3": (1.4, ["-c:a", "libmp3lame", "-b:a", "128k"]),
    "opus": (1.4, ["-c:a", "libopus", "-b:a", "64k"]),
    "m4a": (None, ["-c:a", "aac", "-b:a", "96k"]),
}
ONE = {kind: Figure(f"an hour of {kind}, one core ÷ ffmpeg in speed", "ratio", (">=", 1.0),
                    f"{FFMPEG}, on the same core") for kind in FORMATS}
TWO = {kind: Figure(f"an hour of {kind}, two cores ÷ one core", "ratio",
                    (">=", goal) if goal else None, "itself on one core")
       for kind, (goal, _) in FORMATS.items()}
PEAK = {kind: Figure(f"an hour of {kind}, two cores: peak memory of the decoding process", "MB",
                     ("<=", 40), "itself") for kind in FORMATS}
GROWTH = {kind: Figure(f"an hour of {kind} ÷ a minute: peak memory", "ratio", ("<=", 1.5), "itself")
          for kind in FORMATS}
ERRORS = Figure("word error rate of the built-in recogniser, en-us+f2", "share", None,
                "100 sentences spoken by eSpeak NG")
ERRORS_US = Figure("word error rate of the built-in recogniser, en-us", "share", None,
                   "100 sentences spoken by eSpeak NG")
PACE = Figure("time that the built-in recogniser takes ÷ time spoken", "ratio", ("<=", 1.0), "itself")
SPEECH = [ERRORS, ERRORS_US, PACE]


def figures():
    return [*ONE.values(), *TWO.values(), *PEAK.values(), *GROWTH.values(), *SPEECH,
            *_voice_turns.TURNS]


def run(bench):
    results = []
    for kind in FORMATS:
        if bench.wants([ONE[kind], TWO[kind], PEAK[kind], GROWTH[kind]]):
            results += decoding(bench, kind)
    if bench.wants(SPEECH):
        results += hearing(bench)
    if bench.wants(_voice_turns.TURNS):
        results += _voice_turns.turns(bench)
    return bench.wanted(results)


def program(bench):
    return str(bench.tools.parent / "mainstay-audio")


# ---- decoding

# Something that changes all the time and costs a decoder what speech does: tones that move, noise that
# comes and goes, pauses.
SOUND = ("aevalsrc='0.3*sin(2*PI*(200+80*sin(t*1.7))*t)*gt(mod(t\\,3.1)\\,0.9)+0.02*random(0)"
         "|0.25*sin(2*PI*(310+60*sin(t*2.3))*t)*gt(mod(t\\,4.3)\\,1.1)+0.02*random(1)':s=44100")


def finished(command, seconds):
    """What a program gave; one that takes longer fails."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{pathlib.Path(command[0]).name} took longer than {seconds} s") from late


def quiet(command):
    done = finished(command, MAKING_MAX)
    if done.returncode != 0:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-200:]}")


def sound_file(bench, kind, seconds):
    """A file of that kind and length: a minute, made by a formula, repeated."""
    folder = pathlib.Path(bench.folder) / "sound"
    folder.mkdir(exist_ok=True)
    minute, file = folder / "minute.wav", folder / f"{seconds}.{kind}"
    loud = ["ffmpeg", "-v", "error", "-y"]
    if not minute.exists():
        quiet([*loud, "-f", "lavfi", "-i", SOUND, "-t", "60", str(minute)])
    if not file.exists():
        rate = ["-ar", "48000"] if kind == "opus" else []
        quiet([*loud, "-stream_loop", "-1", "-i", str(minute), "-t", str(seconds),
               *FORMATS[kind][1], *rate, str(file)])
    file.read_bytes()  # so that it is cached
    return file


# Runs its arguments and prints what they used. A process of its own, and a small one: the kernel counts
# the memory of the process that began a program as the program's.
USED = """import json, os, sys, time
began = time.monotonic()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ,
                        file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, used = os.wait4(child, 0)
print(json.dumps([status, time.monotonic() - began, used.ru_utime + used.ru_stime]))"""


def on(cores):
    allowed = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", ",".join(map(str, allowed[-cores:]))]


def theirs(file):
    """Processor seconds of the ffmpeg command on one core."""
    done = finished(
        [*on(1), sys.executable, "-I", "-S", "-c", USED, "ffmpeg", "-v", "error", "-i", str(file),
         "-ac", "1", "-ar", "16000", "-f", "s16le", "-"], DECODING_MAX)
    if done.returncode != 0:
        raise Failed("ffmpeg could not be run")
    status, _, cpu = json.loads(done.stdout)
    if status != 0:
        raise Failed("ffmpeg failed")
    return {"seconds": cpu, "kept_off": 0.0}


def ours(bench, file, cores):
    """The decoding process: its processor seconds, its time by the clock, its peak memory, what it gave."""
    done = finished([*on(cores), str(bench.tools / "sound"), "decode", program(bench), str(file),
                     str(cores)], DECODING_MAX)
    if done.returncode != 0:
        raise Failed(f"decoding {file.name} failed")
    first, second = map(json.loads, done.stdout.strip().splitlines())
    return {"seconds": second["cpu"], "wall": first["wall"], "mb": second["peak"] / 1000,
            "length": first["seconds"], "pieces": first["pieces"], "kept_off": 0.0}


def decoding(bench, kind):
    figures_of = [ONE[kind], TWO[kind], PEAK[kind], GROWTH[kind]]
    if shutil.which("ffmpeg") is None:
        return failed(figures_of, Failed("ffmpeg is not installed: apt-get install ffmpeg"))
    length = TENTH if bench.options.quick else HOUR
    build.say(f"decoding {length} s of {kind}")
    try:
        file, minute = sound_file(bench, kind, length), sound_file(bench, kind, 60)
        # One core beside one core by the processor's seconds: a compiler beside them is not measured.
        rounds = min(bench.options.rounds, ROUNDS_MAX)
        one, other = alternate(rounds, lambda: ours(bench, file, 1),
                               lambda: theirs(file))
        # Two cores beside one by the clock: that is what they are for.
        two, alone_again = alternate(rounds, lambda: ours(bench, file, 2),
                                     lambda: ours(bench, file, 1))
        small = [ours(bench, minute, 2) for _ in range(3)]
        if abs(one[0]["length"] - length) > 1:
            raise Failed(f"{one[0]['length']} s came out of {length}")
    except Failed as problem:
        return failed(figures_of, problem)
    least = min(run["mb"] for run in small)
    note = f"in {two[0]['pieces']} pieces" if two[0]["pieces"] > 1 else "not cut"

    def seconds(value):
        return f"{value:.2f} s"

    def speed(a, b):
        return b / a if a else float("inf")
    return [
        compare(ONE[kind], [r["seconds"] for r in one], [r["seconds"] for r in other], seconds, speed),
        compare(TWO[kind], [r["wall"] for r in two], [r["wall"] for r in alone_again], seconds, speed),
        alone(PEAK[kind], [r["mb"] for r in two], note),
        alone(GROWTH[kind], [r["mb"] / least for r in two], f"a minute: {least:.1f} MB"),
    ]


# ---- hearing

OPENINGS = ["when does", "where is", "what time does", "how far is", "who runs", "tell me about", "please open",
            "i am looking for", "how do i get to", "what is the name of"]
THINGS = ["the library", "the kitchen door", "the train station", "the museum", "the hospital", "the market",
          "the morning news", "the swimming pool", "the river", "the city hall"]
COMMANDS = ["turn on the light in the kitchen", "set a timer for ten minutes", "stop the music",
            "one two three four five", "go forward ten meters", "turn left and stop", "call my mother",
            "read the first page", "what time is it", "what is the weather like today",
            "close the window", "open the garage", "play some music", "make it louder", "make it warmer",
            "remind me at seven", "add milk to the list", "cancel the meeting", "start the car",
            "six seven eight nine ten"]


def sentences(count):
    """Commands, numbers and questions; always the same ones."""
    asked = [f"{opening} {THINGS[(n + shift) % len(THINGS)]}" for shift in range(8)
             for n, opening in enumerate(OPENINGS)]
    return (COMMANDS + asked)[:count] if count >= 100 else COMMANDS[:count // 2] + asked[:count - count // 2]


def heard(bench, voice):
    count = 20 if bench.options.quick else 100
    build.say(f"hearing {count} sentences of {voice}")
    path = pathlib.Path(bench.new_folder("sentences")) / "list.txt"
    path.write_text("\n".join(sentences(count)) + "\n")
    done = finished([str(bench.tools / "sound"), "speech", program(bench), str(path), voice], HEARING_MAX)
    if done.returncode != 0:
        raise Failed(f"speech: {done.stderr.strip()}")
    return json.loads(done.stdout)


def hearing(bench):
    try:
        best, usual = heard(bench, "en-us+f2"), heard(bench, "en-us")
    except Failed as problem:
        return failed(SPEECH, problem)

    def rate(figure, found):
        note = (f"{found['wrong']} of {found['words']} words wrong, {found['whole']} of"
                f" {len(found['sentences'])} sentences exact; a voice made by rules is harder than a person's")
        return alone(figure, [found["wrong"] / found["words"]], note)
    return [rate(ERRORS, best), rate(ERRORS_US, usual),
            alone(PACE, [best["heard_in"] / best["spoken"], usual["heard_in"] / usual["spoken"]])]
