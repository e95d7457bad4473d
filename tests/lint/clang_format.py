"""C++ files are formatted as .clang-format says; `tools/format` mends them."""
import os
import re
import shutil
import subprocess

from tree import Problem

PROGRAM = "clang-format-19"


def check(tree):
    program = shutil.which(PROGRAM)
    if tree.root is None or program is None:
        return [Problem(".clang-format", 1, f"{PROGRAM} is missing: apt-get install {PROGRAM}")]
    paths = [path for path, _ in tree.under({"src", "tests", "bench"})]
    problems = []
    for start in range(0, len(paths), 50):
        some = [os.path.join(tree.root, path) for path in paths[start:start + 50]]
        run = subprocess.run([program, "--dry-run", "--ferror-limit=1", *some],
                             capture_output=True, text=True, check=False)
        for match in re.finditer(r"^(.+?):(\d+):\d+: (?:warning|error): code should be",
                                 run.stderr, re.M):
            path = os.path.relpath(match.group(1), tree.root)
            problems.append(Problem(path, int(match.group(2)), "not formatted: run tools/format"))
    return problems
