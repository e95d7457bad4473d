"""The memory of a process and its children while they work: the most of it, and its curve, which
`bench/run knowledge --curves FILE` draws."""
import os
import pathlib
import threading
import time


def pss(pid):
    """Proportional resident memory of a process and all below it, in MB."""
    total = 0
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for task in os.listdir(f"/proc/{pid}/task"):
            if task != str(pid):
                children += pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    except (OSError, StopIteration):
        return total / 1000
    return total / 1000 + sum(pss(int(child)) for child in children)


def cpu_seconds(pid):
    """Of the process alone, its ended children not counted."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch(threading.Thread):
    """The most memory seen while it runs, and (seconds, MB) of each look. `kept`: a dictionary that
    gets the curve under `name`, when somebody draws it."""

    def __init__(self, pid, every=0.05, kept=None, name=""):
        super().__init__(daemon=True)
        self.pid, self.every, self.stopped, self.curve = pid, every, threading.Event(), []
        if kept is not None:
            kept[name] = self.curve

    def run(self):
        began = time.monotonic()
        while not self.stopped.wait(self.every):
            found = pss(self.pid)
            if found > 0:
                self.curve.append((time.monotonic() - began, found))

    def peak(self):
        self.stopped.set()
        self.join()
        return max((megabytes for _, megabytes in self.curve), default=0)


# ---- drawing

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 300, 52, 40, 24
COLOURS = ["#3465a4", "#c4622d", "#4e8a3e", "#8a4f9e"]


def points(curve, megabytes_max):
    end = curve[-1][0] or 1
    step = max(1, len(curve) // 600)
    return " ".join(
        f"{LEFT + (WIDTH - LEFT - 12) * at / end:.1f},"
        f"{HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / megabytes_max:.1f}"
        for at, value in curve[::step])


def draw(curves, path):
    """An SVG with one line for each curve; the time of each is stretched over the width."""
    drawn = {name: curve for name, curve in curves.items() if len(curve) > 1}
    most = max((value for curve in drawn.values() for _, value in curve), default=1)
    top = max(16, -(-int(most * 1.1) // 16) * 16)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           f'<text x="{LEFT}" y="15" fill="#333333">resident memory in MB while it works</text>']
    for level in range(0, top + 1, top // 4):
        y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * level / top
        out += [f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" '
                'stroke="#dddddd"/>',
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" '
                f'fill="#555555">{level}</text>']
    for number, (name, curve) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        x = LEFT + number * (WIDTH - LEFT) / max(1, len(drawn))
        out += [f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" '
                f'points="{points(curve, top)}"/>',
                f'<text x="{x:.0f}" y="{HEIGHT - 12}" fill="{colour}">'
                f'{name}, {curve[-1][0]:.0f} s</text>']
    pathlib.Path(path).write_text("\n".join([*out, "</svg>"]) + "\n")
