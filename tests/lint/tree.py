"""The files a lint looks at, and what a lint answers."""
import os
import subprocess
from dataclasses import dataclass

CPP = (".h", ".cpp")
CODE = CPP + (".py", ".sh", ".js", ".mjs", ".ts", ".cmake")
TEXT = CODE + (".md", ".txt", ".json", ".toml", ".yml", ".yaml")


@dataclass(frozen=True)
class Problem:
    path: str
    line: int
    says: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.says}"


class Tree:
    """Path -> text. Real trees hold tracked files and new ones that git does not ignore."""

    def __init__(self, files, root=None, executable=()):
        self.files = files
        self.root = root
        self.executable = set(executable)

    @classmethod
    def read(cls, root):
        files, executable = {}, []
        for path in _paths(root):
            full = os.path.join(root, path)
            if not os.path.isfile(full):
                continue
            if os.access(full, os.X_OK):
                executable.append(path)
            with open(full, "rb") as source:
                data = source.read()
            if b"\0" not in data[:4096]:
                files[path] = data.decode("utf-8", "replace")
            else:
                files[path] = ""
        return cls(files, root, executable)

    def under(self, folders, endings=CPP):
        """(path, text) of files below the folders, in order."""
        for path in sorted(self.files):
            if path.split("/")[0] in folders and path.endswith(endings):
                yield path, self.files[path]


def _paths(root):
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "-co",
             "--exclude-standard"], capture_output=True, check=True)
        return [p for p in out.stdout.decode().split("\0") if p]
    except (OSError, subprocess.CalledProcessError):
        return list(_walk(root))


def _walk(root):
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if n not in (".git", ".peers", "build", "data",
                                                  "node_modules")]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root)
