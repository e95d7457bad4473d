"""The servers under test and the model server behind them. All listen on 127.0.0.1 only, keep their
files in the bench's temporary folder, and run on one core; load and model server have the other."""
import http.client
import json
import pathlib
import socket
import subprocess
import time

from harness import build

SERVER_CORE, LOAD_CORE = "0", "1"
# Accepted by the servers this bench starts, by nothing else. The load tool numbers the users, so
# that each stays inside the largest per-user rate that the settings allow.
USERS = 64
KEY = "bench-key-0123456789-user-00"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(home):
    """No setting, key or proxy of the person who runs the bench reaches a server."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}


def answers(port, path="/health"):
    """True when the server gives any HTTP reply."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
        connection.getresponse().read()
        return True
    except OSError:
        return False
    finally:
        connection.close()


def pinned(bench, core):
    """What precedes a command: its core and, with --urgent, its priority; equal for all."""
    return [*(["chrt", "--rr", "1"] if bench.options.urgent else []), "taskset", "-c", core]


class Server:
    """One process (and its children) that listens on self.port."""
    name = "server"
    path = "/v1/chat/completions"
    start_timeout = 20.0

    def __init__(self, bench):
        self.bench = bench
        self.folder = pathlib.Path(bench.new_folder(self.name.split()[0].lower()))
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def headers(self):
        return [f"Authorization: Bearer {KEY}"]

    def start(self):
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                [*pinned(self.bench, SERVER_CORE), *map(str, self.command())], stdout=output,
                stderr=subprocess.STDOUT, cwd=self.folder, env=clean_environment(self.folder))
        self.bench.started.append(self)
        end = time.monotonic() + self.start_timeout
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.folder / "output").read_text(errors="replace")[-2000:]
                self.stop()
                raise build.Unavailable(f"{self.name} did not start:\n{text}")
            time.sleep(0.02)
        return self

    def pids(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(child) for child in children.read_text().split()]
        return found

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        if self in self.bench.started:
            self.bench.started.remove(self)


class Upstream(Server):
    """bench/tools/upstream.cpp on the load's core. `rate`: tokens a second of a stream, 0: one."""
    name = "upstream"

    def __init__(self, bench, rate=0):
        super().__init__(bench)
        self.rate = rate

    def start(self):
        self.process = subprocess.Popen(
            [*pinned(self.bench, LOAD_CORE), str(self.bench.tools / "upstream"),
             "--rate", str(self.rate)], stdout=subprocess.PIPE, text=True)
        self.bench.started.append(self)
        self.port = json.loads(self.process.stdout.readline())["port"]
        return self


NGINX_CONF = """daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
user root;
pid nginx.pid;
error_log error.log;
events {{ worker_connections {connections}; }}
http {{
  access_log access.log combined buffer=32k;
  keepalive_requests 1000000000;
  client_body_temp_path tmp_body;
  proxy_temp_path tmp_proxy;
  fastcgi_temp_path tmp_fastcgi;
  uwsgi_temp_path tmp_uwsgi;
  scgi_temp_path tmp_scgi;
  {upstream}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      {location}
    }}
  }}
}}
"""
NGINX_UPSTREAM = """upstream model {{
    server 127.0.0.1:{port};
    keepalive 64;
    keepalive_requests 1000000000;
  }}"""
NGINX_PROXY = """proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_read_timeout 600s;"""


class Nginx(Server):
    """One worker. kind: "proxy" (upstream keep-alive), "stream" (the same, unbuffered), "return"
    (`return 200` with a body as long as a model's reply)."""

    def __init__(self, bench, kind, upstream=None, body=""):
        self.name = f"nginx {kind}"
        super().__init__(bench)
        self.kind, self.upstream, self.body = kind, upstream, body

    def command(self):
        location = NGINX_PROXY
        if self.kind == "stream":
            location += "\n      proxy_buffering off;"
        if self.kind == "return":
            quoted = self.body.replace("\\", "\\\\").replace('"', '\\"').replace("$", "")
            location = f'default_type application/json;\n      return 200 "{quoted}";'
        upstream = NGINX_UPSTREAM.format(port=self.upstream.port) if self.upstream else ""
        files = self.bench.files_max
        # nginx sheds waiting connections when a sixteenth of worker_connections is left, so the
        # count stands well above what a test opens; descriptors are the limit.
        (self.folder / "nginx.conf").write_text(NGINX_CONF.format(
            port=self.port, files=files, connections=24_000, upstream=upstream,
            location=location))
        return ["nginx", "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log"]


class Portkey(Server):
    """npm @portkey-ai/gateway; which model server it calls is said in each request."""
    name = "portkey"

    def __init__(self, bench, upstream):
        super().__init__(bench)
        self.upstream = upstream

    def command(self):
        package, _ = build.NPM_PEERS["portkey"]
        script = build.PEERS / "node_modules" / package / "build" / "start-server.js"
        return ["node", script, f"--port={self.port}", "--headless"]

    def headers(self):
        return super().headers() + [
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{self.upstream.port}/v1"]


MAINSTAY_CONF = """# All governance is on: key check, rate limit, cache, log line, metrics.
[server]
listen = "127.0.0.1:{port}"
threads = 1
[storage]
data_dir = "{folder}/data"
[log]
level = "info"
sink = "{folder}/mainstay.log"
[auth]
keys = [{keys}]
[limits]
enabled = true
concurrent_max = 20000
[limits.user]
requests_per_minute = {requests_per_minute}
burst = {burst}
[upstream]
connections_max = 10000
keepalive_max = 256
[models]
default_model = "m"
discover = false
first_token_timeout = "300s"
between_tokens_timeout = "300s"
[cache]
enabled = true
[[providers]]
name = "up"
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
models = ["m"]
concurrent_max = 10000
"""


class Mainstay(Server):
    """All governance on and one event loop; without an upstream: the embedded defaults."""
    name = "mainstay"

    def __init__(self, bench, upstream=None):
        super().__init__(bench)
        self.upstream = upstream

    def command(self):
        (self.folder / "data").mkdir(exist_ok=True)
        if self.upstream is None:
            return [self.bench.binary, "serve", "--listen", f"127.0.0.1:{self.port}",
                    "--data", self.folder / "data"]
        (self.folder / "mainstay.toml").write_text(MAINSTAY_CONF.format(
            port=self.port, folder=self.folder, upstream=self.upstream.port,
            keys=", ".join(f'"{KEY[:-2]}{n:02}"' for n in range(USERS)),
            requests_per_minute=1_000_000, burst=100_000))
        return [self.bench.binary, "serve", "--config", self.folder / "mainstay.toml"]


def ours(bench, upstream, stand_in_kind="proxy"):
    """Mainstay, or the server that stands in for it."""
    if bench.options.stand_in == "nginx":
        body = "x" * 594 if stand_in_kind == "return" else ""
        return Nginx(bench, stand_in_kind, upstream if stand_in_kind != "return" else None, body)
    return Mainstay(bench, upstream)


def first_health(server):
    """Seconds from exec to the first 200 of /health; stops the server again."""
    with open(server.folder / "output", "wb") as output:
        begin = time.monotonic()
        server.process = subprocess.Popen(
            [str(part) for part in server.command()], stdout=output, stderr=subprocess.STDOUT,
            cwd=server.folder, env=clean_environment(server.folder))
    request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    try:
        while time.monotonic() < begin + 10:
            try:
                with socket.create_connection(("127.0.0.1", server.port), 2) as probe:
                    probe.sendall(request)
                    if b" 200 " in probe.recv(4096)[:16]:
                        return time.monotonic() - begin
            except OSError:
                pass
            if server.process.poll() is not None:
                break
            time.sleep(0.0005)
        text = (server.folder / "output").read_text(errors="replace")[-2000:]
        raise build.Unavailable(f"{server.name} never answered /health:\n{text}")
    finally:
        server.stop()
