"""Builds and installs what a suite needs: Mainstay, the bench tools, and the peers."""
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".peers"  # npm packages; git ignores it
TOOLS = ROOT / "build" / "bench" / "bench"
# Installed once at this version, so that figures of two days can be compared.
NPM_PEERS = {"portkey": ("@portkey-ai/gateway", "1.15.2"), "bullmq": ("bullmq", "6.7.0"),
             "ioredis": ("ioredis", "5.11.1"),  # bullmq asks for it and does not bring it
             "sharp": ("sharp", "0.35.5"),
             # Newer bindings need a newer C library than Debian 12 has.
             "chromadb-bindings": ("chromadb-js-bindings-linux-x64-gnu", "1.0.3"),
             "chromadb": ("chromadb", "3.0.10")}
DEBIAN_PEERS = {"nginx": ("nginx", "nginx-light"), "redis": ("redis-server", "redis-server")}
BUILT = [ROOT / "build/release/mainstay", ROOT / "build/release/src/app/mainstay"]


class Unavailable(Exception):
    """Something the bench needs is missing; the text says what to do."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def quietly(command, what, cwd=ROOT):
    """Runs a command; its output is shown only when it fails."""
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise Unavailable(f"{what} failed: {' '.join(command)}\n{tail}")


def cmake(preset, target):
    say(f"building {preset}: {target}")
    quietly(["cmake", "--preset", preset], f"configuring {preset}")
    quietly(["cmake", "--build", "--preset", preset, "--target", target], f"building {target}")


def debian(peer, build):
    program, package = DEBIAN_PEERS[peer]
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return
    if not build:
        raise Unavailable(f"{program} is not installed: apt-get install {package}")
    say(f"installing {package}")
    quietly(["apt-get", "install", "-y", "--no-install-recommends", package],
            f"installing {package}")


def npm(peer, build):
    package, version = NPM_PEERS[peer]
    manifest = PEERS / "node_modules" / package / "package.json"
    if manifest.exists() and json.loads(manifest.read_text())["version"] == version:
        return
    if not build:
        raise Unavailable(f"{package} {version} is not installed in {PEERS}")
    say(f"installing {package} {version}")
    PEERS.mkdir(exist_ok=True)
    quietly(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(PEERS),
             f"{package}@{version}"], f"installing {package}")


def prepare(bench, peers, tools="bench_tools", needs_mainstay=True):
    """Leaves bench.tools and bench.binary set, and every peer installed. `tools`: the target; empty:
    the suite needs none."""
    build = not bench.options.no_build
    if build and tools:
        cmake("bench", tools)
    bench.tools = TOOLS
    if tools and not (TOOLS / ("load" if tools == "bench_tools" else tools.removeprefix("bench_"))).exists():
        raise Unavailable("the bench tools are not built; run without --no-build")
    for peer in peers:
        (debian if peer in DEBIAN_PEERS else npm)(peer, build)
    if bench.options.stand_in or not needs_mainstay:
        return
    if bench.options.binary:
        bench.binary = pathlib.Path(bench.options.binary).resolve()
    else:
        if build:
            cmake("release", "mainstay")
        bench.binary = next((path for path in BUILT if path.exists()), BUILT[0])
    if not bench.binary.exists():
        raise Unavailable(f"{bench.binary} does not exist")
