"""Creates objects from 32 clients while killing the server again and again, then compares."""

import argparse
import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

CLIENTS = 32


class Server:
    def __init__(self, koi, work, pid):
        self.koi, self.work, self.pid = koi, Path(work), pid
        tls = self.work / "data" / "server" / "tls"
        self.context = ssl.create_default_context(cafile=str(tls / "server-ca.crt"))
        self.context.load_cert_chain(str(tls / "admin.crt"), str(tls / "admin.key"))

    def connect(self):
        return http.client.HTTPSConnection("127.0.0.1", 6443, context=self.context, timeout=10)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            # The first server is the caller's child: it is gone once it runs no more.
            while self.is_running():
                time.sleep(0.005)

    def is_running(self):
        try:
            return ") Z " not in Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False

    def start(self):
        log = open(self.work / "koi.log", "ab")
        process = subprocess.Popen([self.koi, "server", "--data-dir", self.work / "data", "--node-name", "alpha",
                                    "--config", self.work / "config.yaml", "--write-kubeconfig", self.work / "koi.yaml",
                                    "--disable-agent"], stdout=log, stderr=log)
        self.pid = process.pid
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                connection = self.connect()
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.01)
        sys.exit("the server did not come back:\n" + (self.work / "koi.log").read_text()[-2000:])


class Client(threading.Thread):
    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.server, self.number, self.stop = server, number, stop
        self.acknowledged, self.sent = {}, set()

    def run(self):
        count, connection = 0, None
        while not self.stop.is_set():
            name = f"c{self.number}-{count}"
            count += 1
            body = json.dumps({"metadata": {"name": name}, "data": {"payload": "x" * 600, "name": name}})
            self.sent.add(name)
            try:
                connection = connection or self.server.connect()
                connection.request("POST", "/api/v1/namespaces/default/configmaps", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status == 201:
                    self.acknowledged[name] = answer["metadata"]["resourceVersion"]
            except (OSError, http.client.HTTPException, ValueError):
                connection = None
                time.sleep(0.01)


def check(server, clients):
    connection = server.connect()
    connection.request("GET", "/api/v1/namespaces/default/configmaps")
    listing = json.loads(connection.getresponse().read())
    found = {item["metadata"]["name"]: item for item in listing["items"]}
    revisions = [item["metadata"]["resourceVersion"] for item in found.values()]
    if len(revisions) != len(set(revisions)):
        sys.exit("two objects share a revision")
    sent = set().union(*(client.sent for client in clients))
    for name, item in found.items():
        whole = name == "kube-root-ca.crt" or (
            name in sent and item["data"] == {"payload": "x" * 600, "name": name} and item["metadata"]["uid"])
        if not whole:
            sys.exit(f"{name} is there, but not whole: {item}")
    acknowledged = 0
    for client in clients:
        for name, revision in list(client.acknowledged.items()):
            acknowledged += 1
            if name not in found:
                sys.exit(f"{name} was acknowledged at revision {revision} and is gone")
            if found[name]["metadata"]["resourceVersion"] != revision:
                sys.exit(f"{name} was acknowledged at revision {revision}, found {found[name]['metadata']['resourceVersion']}")
    return acknowledged


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--koi", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    server = Server(arguments.koi, arguments.work, arguments.pid)
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    chance = random.Random(seed)
    acknowledged = 0
    every = []
    for kill in range(arguments.kills):
        stop = threading.Event()
        clients = [Client(server, f"{kill}-{number}", stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.1, 1.0))
        server.kill()
        stop.set()
        for client in clients:
            client.join()
        every += clients
        server.start()
        acknowledged = check(server, every)
    print(f"{arguments.kills} kills, {acknowledged} acknowledged objects, all there with their revisions")
    os.kill(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
