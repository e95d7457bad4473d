"""Running the load tool and turning rounds into figures."""
import dataclasses
import json
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile

from harness import build, servers


# A measurement is repeated when other programs kept the server from its core for longer than this
# share of the window: nothing moves a tail more than a compiler beside it.
DISTURBED = 0.01


class Failed(Exception):
    """A server under test did not do what was measured, so there is no figure."""


def tool_figures(bench, tool, fields, scale, note):
    """Figures of a tool that measures by itself: fields maps each to its member of the JSON."""
    urgent = ["chrt", "--rr", "1"] if bench.options.urgent else []
    runs = []
    for _ in range(bench.options.rounds):
        done = subprocess.run([*urgent, str(bench.tools / tool), "--rounds", "3"], text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            return bench.wanted(failed(list(fields), Failed(done.stderr.strip())))
        runs.append(json.loads(done.stdout))
    return bench.wanted([alone(figure, [r[field] * scale for r in runs], note)
                         for figure, field in fields.items()])


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number with a goal. goal: ("<=", 1.2), or None for what is printed to compare only."""
    name: str
    unit: str
    goal: tuple | None
    against: str

    def goal_text(self):
        return f"{self.goal[0]} {self.goal[1]:g}" if self.goal else "none"


@dataclasses.dataclass
class Result:
    figure: Figure
    value: float | None
    detail: str  # what was measured on both sides, and the spread

    def holds(self):
        if self.figure.goal is None:
            return None
        if self.value is None:
            return False
        sign, bound = self.figure.goal
        return self.value >= bound if sign == ">=" else self.value <= bound

    def as_json(self):
        return {"figure": self.figure.name,
                "value": None if self.value is None else round(self.value, 4),
                "unit": self.figure.unit, "goal": self.figure.goal_text(), "holds": self.holds(),
                "against": f"{self.figure.against}: {self.detail}"}


class Bench:
    """One run: its options, its temporary folder and the servers it started."""

    def __init__(self, options):
        self.options = options
        self.tools = None
        self.binary = None
        self.started = []
        self.curves = {}  # what --curves draws: name to [(seconds, MB)]
        self.folder = None
        _, self.files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:  # a proxy needs two descriptors for each stream
            resource.setrlimit(resource.RLIMIT_NOFILE, (65536, max(self.files_max, 65536)))
            self.files_max = max(self.files_max, 65536)
        except (ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files_max, self.files_max))

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-bench-"))
        return self

    def __exit__(self, *_):
        for server in list(self.started):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_folder(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.folder)

    def wants(self, figures):
        return any(self.options.only.lower() in figure.name.lower() for figure in figures)

    def wanted(self, results):
        return [r for r in results if self.options.only.lower() in r.figure.name.lower()]

    def load(self, server, mode="closed", **options):
        """Runs the load tool against `server`; returns its JSON. Raises Failed when more than one
        reply in a thousand is wrong, or when a stream did not open or did not stay."""
        command = [*servers.pinned(self, servers.LOAD_CORE), str(self.tools / "load"),
                   "--mode", mode, "--port", str(server.port), "--path", server.path,
                   "--users", str(servers.USERS)]
        options.setdefault("seconds", self.options.seconds)
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        for header in server.headers():
            command += ["--header", header]
        for pid in server.pids():
            command += ["--pid", str(pid)]
        for helper in self.started:
            if isinstance(helper, servers.Upstream):
                command += ["--helper", str(helper.process.pid)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{server.name}: {done.stderr.strip()}")
        found = json.loads(done.stdout)
        wrong = found["errors"] + found["closed_early"]
        right = found["streams"] if mode == "stream" else found["replies"]
        if right == 0 or wrong > right / 1000:
            raise Failed(f"{server.name}: {wrong} wrong beside {right} right replies"
                         f" (last status {found['bad_status']})")
        if mode == "stream" and right < options["connections"]:
            raise Failed(f"{server.name}: {right} of {options['connections']} streams opened")
        found["kept_off"] = found["waited"]
        if mode == "closed":
            # At saturation a server's own threads wait for each other; what they leave of the core
            # was taken by somebody else.
            idle = max(0.0, 1 - found["cpu_seconds"] / found["seconds"])
            usual = 0.06 if self.options.urgent else 0.02  # the kernel keeps 5 % from real-time
            found["kept_off"] = max(0.0, min(found["waited"], idle) - usual)
        return found


def undisturbed(measure, again):
    """One measurement; repeated while it was disturbed and `again` (a list used as a purse) still
    pays for it. The least disturbed one counts."""
    found = measure()
    while found["kept_off"] > DISTURBED and again:
        again.pop()
        found = min(found, measure(), key=lambda one: one["kept_off"])
    return found


def alternate(rounds, *measures):
    """Calls the measures in turn, the order reversed in every second round. Returns, for each
    measure, the list of what it returned."""
    found = [[] for _ in measures]
    again = [None] * (2 * rounds)
    for n in range(rounds):
        order = range(len(measures)) if n % 2 == 0 else reversed(range(len(measures)))
        for i in order:
            found[i].append(undisturbed(measures[i], again))
    kept = [one["kept_off"] for each in found for one in each if one["kept_off"] > DISTURBED]
    if kept:
        build.say(f"  note: in {len(kept)} of {rounds * len(measures)} measurements other programs"
                  f" kept the server off its core for {statistics.median(kept):.1%} of the time")
    return found


def ratio(ours, other):
    return ours / other if other else float("inf")


def compare(figure, ours, other, shown, combine=ratio):
    """The median over rounds of combine(ours, other), each round paired with itself."""
    paired = [combine(a, b) for a, b in zip(ours, other)]
    detail = (f"ours {shown(statistics.median(ours))}, theirs {shown(statistics.median(other))};"
              f" rounds {min(paired):.3g} to {max(paired):.3g}")
    return Result(figure, statistics.median(paired), detail)


def alone(figure, values, note=""):
    detail = f"{min(values):.3g} to {max(values):.3g} over {len(values)}" if len(values) > 1 else ""
    return Result(figure, statistics.median(values), "; ".join(filter(None, [detail, note])))


def failed(figures, problem):
    build.say(f"  no figure: {problem}")
    text = " ".join(str(problem).split())
    return [Result(figure, None, text[:300]) for figure in figures]
