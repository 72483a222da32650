"""A koi node in a network namespace of its own, and a client for its API over TLS."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

CLONE_NEWNET = 0x40000000


def enter(namespace):
    """Moves this process into a network namespace."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Node:
    def __init__(self, root, *options, images=()):
        self.koi = root / "build" / "release" / "koi"
        self.namespace = f"koi-bench-{os.getpid()}"
        self.work = Path(tempfile.mkdtemp(prefix="koi-bench-"))
        self.data = self.work / "data"
        (self.data / "agent" / "images").mkdir(parents=True)
        for image in images:
            archive = root / "build" / "images" / f"{image}.tar"
            if not archive.exists():
                archive.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run([root / "e2e" / "images" / f"build-{image}", archive], check=True, stdout=subprocess.DEVNULL)
            shutil.copy(archive, self.data / "agent" / "images")
        (self.work / "config.yaml").touch()
        self.options = options
        self.process = None
        self.ip("netns", "add", self.namespace)
        for command in ("link set lo up", "link add uplink type veth peer name outside", "link set outside up",
                        "addr add 192.0.2.10/24 dev uplink",
                        "link set uplink up", "route add default dev uplink"):
            self.ip("-n", self.namespace, *command.split())
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        enter(self.namespace)

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    def start(self):
        log = open(self.work / "koi.log", "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [self.koi, "server", "--data-dir", self.data, "--node-name", "bench", "--config", self.work / "config.yaml",
             "--write-kubeconfig", self.work / "koi.yaml", *self.options], stdout=log, stderr=log)
        return self

    def wait_ready(self):
        """Seconds from exec until /readyz answers 200."""
        deadline = self.started + 30
        while time.monotonic() < deadline:
            try:
                if self.request("GET", "/readyz", raw=True)[0] == 200:
                    return time.monotonic() - self.started
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit("koi ended: " + (self.work / "koi.log").read_text()[-2000:])
            time.sleep(0.001)
        raise SystemExit("koi did not become ready")

    def wait_node_ready(self):
        """Seconds from exec until the node's Ready condition is true."""
        path = "/api/v1/nodes/bench"
        while time.monotonic() < self.started + 30:
            status, node = self.request("GET", path)
            conditions = node.get("status", {}).get("conditions", []) if status == 200 else []
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                return time.monotonic() - self.started
            time.sleep(0.001)
        raise SystemExit("the node did not become ready")

    def context(self):
        tls = self.data / "server" / "tls"
        context = ssl.create_default_context(cafile=str(tls / "server-ca.crt"))
        context.load_cert_chain(str(tls / "admin.crt"), str(tls / "admin.key"))
        return context

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", 6443, context=self.context(), timeout=30)

    def request(self, method, path, body=None, raw=False, connection=None):
        if not (self.data / "server" / "tls" / "admin.crt").exists():
            raise OSError("no certificate yet")
        mine = connection or self.connect()
        mine.request(method, path, json.dumps(body) if body is not None else None,
                     {"Content-Type": "application/json", "Accept": "application/json"})
        response = mine.getresponse()
        text = response.read()
        if connection is None:
            mine.close()
        return response.status, text if raw else json.loads(text)

    def token(self):
        """A bearer token of a service account that may do everything."""
        self.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "bench"}})
        self.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "bench", "namespace": "default"}]})
        status, answer = self.request("POST", "/api/v1/namespaces/default/serviceaccounts/bench/token",
                                      {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        if status >= 300:
            raise SystemExit(f"no token: {answer}")
        return answer["status"]["token"]

    def resident_bytes(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        for line in open(f"/proc/{self.process.pid}/io"):
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        return 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run([self.koi, "killall", "--data-dir", self.data], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)

    def remove(self):
        self.stop()
        import ctypes
        ctypes.CDLL(None).setns(self.home, CLONE_NEWNET)
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
