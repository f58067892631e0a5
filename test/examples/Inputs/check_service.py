# ===- check_service.py - Asks examples/service.py ---------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_service.py SOURCE PICTURES

Starts the service on a free port of this machine, sends all pictures at once and bad requests, and
compares the answers with those of Model.classify."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import vitrt

source, folder = sys.argv[1:]
shapes = os.path.join(source, "test/data/demo/shapes-vit")
paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
program = os.path.join(source, "examples/service.py")
service = subprocess.Popen([sys.executable, program, shapes, "--port", str(port), "--wait-ms", "50"])
client = httpx.Client(base_url="http://127.0.0.1:%d" % port, timeout=30)


def wait_until_ready():
    for _ in range(600):
        assert service.poll() is None, "the service has ended"
        try:
            return client.get("/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
    sys.exit("the service does not answer")


def ask(path):
    with open(path, "rb") as file:
        answer = client.post("/classify?top=3", content=file.read()).raise_for_status().json()
    return [(one["label"], one["score"]) for one in answer["predictions"]]


def refuse(status, text, **request):
    answer = client.post(**request)
    assert answer.status_code == status and text in answer.text, (answer.status_code, answer.text)


try:
    wait_until_ready()
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        found = list(pool.map(ask, paths))
    assert found == vitrt.load(shapes).classify(paths, top=3), "other answers than those of classify"
    health = client.get("/health").json()
    assert health["pictures"] == len(paths) and 3 <= health["batches"] < len(paths) / 2, health
    refuse(400, "no picture", url="/classify", content=b"text")
    refuse(400, "no picture", url="/classify", content=open(paths[0], "rb").read()[:300])
    refuse(422, "top", url="/classify?top=0", content=b"")
    refuse(413, "at most", url="/classify", content=bytes(20_000_001))
    assert ask(paths[0]) == found[0]
    print("%d pictures ran in %d batches" % (health["pictures"], health["batches"]))
    service.send_signal(signal.SIGTERM)
    service.wait(30)
finally:
    service.kill()
