"""One function per benchmark: each returns rows of name, budget, value and unit."""

import json
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from node import Node


def row(name, budget, value, unit, less_is_better=True):
    return {"name": name, "budget": budget, "value": value, "unit": unit, "less_is_better": less_is_better}


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def build(root):
    """A clean release build of the checkout, without the compiler cache."""
    with tempfile.TemporaryDirectory(prefix="koi-build-") as folder:
        subprocess.run(["git", "clone", "-q", root, folder], check=True)
        started = time.monotonic()
        subprocess.run(["env", "CCACHE_DISABLE=1", f"{folder}/scripts/build", "release", "koi"], check=True,
                       stdout=subprocess.DEVNULL)
        return [row("clean release build", 600, time.monotonic() - started, "s")]


def size(root):
    koi = root / "build" / "release" / "koi"
    packed = subprocess.run(["zstd", "-19", "-q", "-c", koi], capture_output=True, check=False)
    if packed.returncode != 0:
        packed = subprocess.run(["xz", "-6", "-c", koi], capture_output=True, check=True)
    mebi = 1024 * 1024
    return [row("binary, stripped", 16, koi.stat().st_size / mebi, "MiB"),
            row("binary, compressed", 6, len(packed.stdout) / mebi, "MiB")]


def start(root):
    api, ready, again = [], [], []
    for _ in range(5):
        with Node(root) as node:
            node.start()
            api.append(node.wait_ready())
            ready.append(node.wait_node_ready())
            node.stop()
            node.start()
            again.append(node.wait_ready())
    return [row("exec to API ready, empty data dir", 0.15, statistics.median(api), "s"),
            row("exec to node Ready, empty data dir", 0.3, statistics.median(ready), "s"),
            row("exec to API ready, second start", None, statistics.median(again), "s")]


def idle(root, seconds=60):
    with Node(root) as node:
        node.start()
        node.wait_ready()
        node.wait_node_ready()
        time.sleep(15)
        cpu, written = node.cpu_seconds(), node.written_bytes()
        time.sleep(seconds)
        used = (node.cpu_seconds() - cpu) / seconds * 100
        hourly = (node.written_bytes() - written) / seconds * 3600 / 1e6
        resident = node.resident_bytes() / 1024 / 1024
    return [row("resident memory, idle server with agent", 32, resident, "MiB"),
            row("idle CPU", 0.3, used, "% of a core"),
            row("idle disk writes", 5, hourly, "MB/h")]


def pod(name):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
                     "containers": [{"name": "main", "image": "busybox", "imagePullPolicy": "IfNotPresent",
                                     "command": ["sleep", "1000000"]}]}}


class RunningPods:
    """Notes when a watch first shows each pod Running."""

    def __init__(self, node):
        self.seen = {}
        self.changed = threading.Condition()
        self.connection = node.connect()
        self.connection.request("GET", "/api/v1/namespaces/default/pods?watch=true")
        self.response = self.connection.getresponse()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.response:
            event = json.loads(line)
            if event["object"].get("status", {}).get("phase") == "Running":
                with self.changed:
                    self.seen.setdefault(event["object"]["metadata"]["name"], time.monotonic())
                    self.changed.notify_all()

    def wait(self, name):
        with self.changed:
            if not self.changed.wait_for(lambda: name in self.seen, 60):
                raise SystemExit(f"pod {name} did not run")
            return self.seen[name]


def pods(root):
    one_by_one, at_once = [], []
    with Node(root, images=["busybox"]) as node:
        node.start()
        node.wait_ready()
        node.wait_node_ready()
        watch = RunningPods(node)
        connection = node.connect()
        path = "/api/v1/namespaces/default/pods"
        for index in range(50):
            started = time.monotonic()
            node.request("POST", path, pod(f"one-{index}"), connection=connection)
            one_by_one.append(watch.wait(f"one-{index}") - started)
        node.request("DELETE", path, connection=connection)
        starts = {}
        for index in range(50):
            starts[f"all-{index}"] = time.monotonic()
            node.request("POST", path, pod(f"all-{index}"), connection=connection)
        at_once = [watch.wait(name) - begun for name, begun in starts.items()]
        node.request("DELETE", path, connection=connection)
        deadline = time.monotonic() + 60
        while node.request("GET", path, connection=connection)[1]["items"] and time.monotonic() < deadline:
            time.sleep(0.05)
    return [row("pod create to Running, one by one, p50", 30, percentile(one_by_one, 0.5) * 1e3, "ms"),
            row("pod create to Running, one by one, p99", 100, percentile(one_by_one, 0.99) * 1e3, "ms"),
            row("pod create to Running, 50 at once, p50", None, percentile(at_once, 0.5) * 1e3, "ms"),
            row("pod create to Running, 50 at once, p99", None, percentile(at_once, 0.99) * 1e3, "ms")]


CREATE_SCRIPT = """
local thread_count = 0
function setup(thread) thread:set("id", thread_count); thread_count = thread_count + 1 end
local n = 0
local payload = string.rep("x", 900)
function request()
  n = n + 1
  local body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s-' .. id .. '-' .. n ..
    '"},"data":{"payload":"' .. payload .. '"}}'
  return wrk.format("POST", "/api/v1/namespaces/default/configmaps", nil, body)
end
function response(status) if status ~= 201 then bad = (bad or 0) + 1; print("status", status) end end
"""


def wrk(path, token, connections, seconds, script=None, work=None):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {token}",
               "-H", "Content-Type: application/json"]
    if script:
        file = work / "wrk.lua"
        file.write_text(script)
        command += ["-s", str(file)]
    out = subprocess.run([*command, f"https://127.0.0.1:6443{path}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "status" in out.split("Thread Stats")[0]:
        raise SystemExit("the load met errors:\n" + out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    middle = re.search(r"50%\s+([\d.]+)(us|ms|s)", out)
    millis = float(middle.group(1)) * {"us": 1e-3, "ms": 1, "s": 1e3}[middle.group(2)]
    return rate, millis


def api(root):
    if not shutil.which("wrk"):
        raise SystemExit("this benchmark needs wrk: apt-get install wrk")
    rows = []
    with Node(root, "--disable-agent") as node:
        node.start()
        node.wait_ready()
        token = node.token()
        for connections, budget in ((1, 2000), (8, None), (32, 15000)):
            script = CREATE_SCRIPT.replace("%s", f"c{connections}")
            rate, _ = wrk("/", token, connections, 5, script, node.work)
            rows.append(row(f"durable creates of 1 KB, {connections} clients", budget, rate, "/s", False))
        path = "/api/v1/namespaces/default/configmaps"
        for connections, budget in ((1, None), (8, None), (32, 30000)):
            rate, _ = wrk(f"{path}/c1-0-100", token, connections, 5)
            rows.append(row(f"GET, {connections} clients", budget, rate, "/s", False))
        path = "/api/v1/namespaces/listed/configmaps"
        node.request("POST", "/api/v1/namespaces", {"metadata": {"name": "listed"}})
        connection = node.connect()
        for index in range(5000):
            node.request("POST", path, {"metadata": {"name": f"l{index}"}, "data": {"payload": "x" * 900}},
                         connection=connection)
        _, millis = wrk(path, token, 1, 5)
        rows.append(row("LIST of 5,000 ConfigMaps, p50", 10, millis, "ms"))
        rows.append(row("resident memory after that load", None, node.resident_bytes() / 1024 / 1024, "MiB"))
    return rows


ALL = {"build": build, "size": size, "start": start, "idle": idle, "pods": pods, "api": api}
