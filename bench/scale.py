#!/usr/bin/env python3
# ===- scale.py - How training scales over ranks ---------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Measures steps of models/vit-cifar10.mlir on 1, 2 and 4 ranks of this machine, one thread
each: the time of a step, the bytes that a rank sends, and how much of the exchange
is hidden behind the backward pass (from vit-run train --trace). Then computes what 8
to 512 ranks would do for ViT-Ti, S, B and L with a given network, for a ring and a
tree, and prints the assumptions beside the numbers.

--network G measures ranks in network namespaces of this machine, which TCP over links
of G Gbit/s connects (veth, tc's tbf): Linux, as root, with iproute2 and MPICH, whose
launcher reaches its ranks without the network.

    scale.py [--ranks 1,2,4] [--batch 32] [--steps 12] [--mpi openmpi]
             [--network 1] [--latency 20] [--bandwidth 10] [--rate GFLOPS] [--model-batch 64] [--no-measure]
"""
import argparse
import contextlib
import json
import math
import os
import random
import statistics
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(ROOT, "models", "vit-cifar10.mlir")
LAUNCHERS = {"openmpi": ["mpirun.openmpi", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none"],
             "mpich": ["mpirun.mpich"]}
# Width, depth, tokens at 224 x 224 with patches of 16.
VITS = {"ViT-Ti/16": (192, 12, 197), "ViT-S/16": (384, 12, 197), "ViT-B/16": (768, 12, 197), "ViT-L/16": (1024, 24, 197)}
CIFAR = ("models/vit-cifar10.mlir", (192, 6, 65))
PATCH, CLASSES = 16 * 16 * 3, 1000


def parameters(width, depth, tokens, patch=PATCH, classes=CLASSES):
    layer = 12 * width * width + 13 * width
    return depth * layer + (patch + 1) * width + (tokens + 1) * width + 2 * width + (width + 1) * classes


def forward_flop(width, depth, tokens, patch=PATCH, classes=CLASSES):
    """Of one picture; a multiply-add counts two."""
    layer = 12 * tokens * width * width + 2 * tokens * tokens * width
    return 2 * (depth * layer + tokens * patch * width + width * classes)


def write_data(folder, pictures):
    """CIFAR-10's binary format, random."""
    generator = random.Random(0)
    with open(os.path.join(folder, "data_batch_1.bin"), "wb") as file:
        for i in range(pictures):
            file.write(bytes([i % 10]) + generator.randbytes(3072))


def overlap(path):
    """Seconds of exchange per step, and the part during which this rank computed."""
    with open(path) as file:
        events = [event for event in json.load(file)["traceEvents"] if event.get("ph") == "X"]
    steps = [event for event in events if event["name"].startswith("step ")]
    def spans(is_exchange):
        return sorted((event["ts"], event["ts"] + event["dur"]) for event in events
                      if event not in steps and event.get("dur", 0) > 0 and is_exchange(event))
    exchange = spans(lambda event: event.get("args", {}).get("kernel") == "all_reduce" or event.get("cat") == "all_reduce")
    compute = spans(lambda event: event.get("args", {}).get("kernel") not in (None, "all_reduce", "wait"))
    hidden = 0
    for begin, end in exchange:
        hidden += sum(max(0, min(end, to) - max(begin, at)) for at, to in compute)
    count = max(1, len(steps))
    return sum(end - begin for begin, end in exchange) / count * 1e-6, hidden / count * 1e-6


class Network:
    """Namespaces vit0, vit1, ... with one address each, on a bridge."""

    def __init__(self, ranks, gigabits):
        self.ranks, self.gigabits = ranks, gigabits

    def __enter__(self):
        self.remove()
        self.run("ip link add vitbridge type bridge")
        self.run("ip link set vitbridge up")
        for i in range(self.ranks):
            self.run("ip netns add vit%d" % i)
            self.run("ip link add vitport%d type veth peer name eth0 netns vit%d" % (i, i))
            self.run("ip link set vitport%d master vitbridge up" % i)
            self.run("ip -n vit%d addr add 10.77.0.%d/24 dev eth0" % (i, i + 1))
            for device in ("eth0", "lo"):
                self.run("ip -n vit%d link set %s up" % (i, device))
            limit = "root tbf rate %gmbit burst 256kb latency 50ms" % (self.gigabits * 1000)
            self.run("ip netns exec vit%d tc qdisc add dev eth0 %s" % (i, limit))  # What it sends,
            self.run("tc qdisc add dev vitport%d %s" % (i, limit))  # and what it receives.
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for i in range(self.ranks):
            self.run("ip netns del vit%d" % i, check=False)
        self.run("ip link del vitbridge", check=False)

    @staticmethod
    def run(command, check=True):
        done = subprocess.run(command.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise SystemExit("error: --network is not possible here: %s: %s" % (command, done.stdout.strip()))


def launch(a, ranks, command):
    """The command line of a run, and its environment."""
    if ranks == 1:
        return command, None
    if not a.network:
        return LAUNCHERS[a.mpi] + ["-n", str(ranks)] + command, None
    line = ["mpirun.mpich"]
    for i in range(ranks):
        line += ([":"] if i else []) + ["-n", "1", "ip", "netns", "exec", "vit%d" % i] + command
    return line, dict(os.environ, UCX_TLS="tcp,self", MPIR_CVAR_NOLOCAL="1")


def measure(a, ranks, work):
    out, trace = os.path.join(work, "out%d" % ranks), os.path.join(work, "trace%d.json" % ranks)
    command = [os.path.join(a.bin, "vit-run"), "train", MODEL, "--data", work, "--out", out, "--batch", str(a.batch),
                "--steps", str(a.steps * ranks), "--epochs", "1000", "--eval-every", "0", "--threads", "1",
                "--trace", trace, "--reduce", a.reduce]
    command, environment = launch(a, ranks, command)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit("error: %s\n%s" % (" ".join(command), done.stdout))
    rates = []
    with open(os.path.join(out, "log.jsonl")) as file:
        for line in map(json.loads, file):
            if line["kind"] == "step" and line["step"] > 2 * ranks:  # The first ones read weights and code.
                rates.append(line["images_per_second"])
    seconds = a.batch * ranks / statistics.median(rates)
    exchange, hidden = overlap(trace)
    return seconds, exchange, hidden


def measure_all(a):
    width = CIFAR[1]
    count = parameters(*width, patch=48, classes=10)
    print("Measured: %s, batch %d per rank, one thread per rank, %d cores, --reduce %s, %s" %
          (CIFAR[0], a.batch, os.cpu_count(), a.reduce,
           "TCP over links of %g Gbit/s" % a.network if a.network else "within the machine"))
    print("| ranks | step, ms | images/s | images/s per rank | MiB sent per rank and step | exchange, ms | hidden |")
    print("|---|---|---|---|---|---|---|")
    rate = None
    network = Network(max(a.ranks), a.network) if a.network else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as work, network:
        write_data(work, 4 * a.batch * max(a.ranks))
        for ranks in a.ranks:
            seconds, exchange, hidden = measure(a, ranks, work)
            sent = 2 * 4 * count * (ranks - 1) / ranks / (1 << 20)
            print("| %d | %.1f | %.1f | %.1f | %.1f | %s | %s |" % (
                ranks, seconds * 1e3, a.batch * ranks / seconds, a.batch / seconds, sent,
                "%.1f" % (exchange * 1e3) if ranks > 1 else "", "%.0f %%" % (100 * hidden / exchange) if exchange else ""))
            if rate is None:
                rate = 3 * forward_flop(*width, patch=48, classes=10) * a.batch / seconds / ranks * 1e-9
    if max(a.ranks) > (os.cpu_count() or 1):
        print("More ranks than cores share them: their steps are slower for that reason alone.")
    return rate


def exchange_time(kind, ranks, size, latency, bandwidth):
    """Seconds until each rank has the sum of `size` bytes."""
    if ranks == 1:
        return 0
    if kind == "ring":  # Scatter of sums, then gather: ranks - 1 messages of size / ranks each.
        return 2 * (ranks - 1) * (latency + size / ranks / bandwidth)
    return 2 * math.ceil(math.log2(ranks)) * (latency + size / bandwidth)  # To the root and back.


def predict(a, rate):
    latency, bandwidth = a.latency * 1e-6, a.bandwidth * 1e9 / 8
    print("\nComputed, not measured. Assumptions:")
    print("- a rank computes %.0f GFLOP/s (%s), the same for each model; a step is 3 forward passes of a batch of %d" %
          (rate, "given" if a.rate else "measured above, on one rank", a.model_batch))
    print("- a message takes %g us + its bytes / %g Gbit/s; all ranks send and receive at the same time, on links of their own" %
          (a.latency, a.bandwidth))
    print("- f32 gradients of all parameters, once per step (--accumulate 1)")
    print("- exchanges run during the backward pass, 2/3 of a step, but for the last bucket of %g MiB" % a.bucket)
    print("- no rank is slower than another, and reading pictures costs nothing")
    for kind in ["ring", "tree"]:
        counts = [8, 16, 32, 64, 128, 256, 512]
        print("\nEfficiency (images/s per rank, compared with one rank), %s:\n" % kind)
        print("| model | step of one rank, ms | MiB of gradients | " + " | ".join("%d" % n for n in counts) + " |")
        print("|---" * (len(counts) + 3) + "|")
        for name, shape in VITS.items():
            size = 4 * parameters(*shape)
            step = 3 * forward_flop(*shape) * a.model_batch / (rate * 1e9)
            cells = []
            for ranks in counts:
                whole = exchange_time(kind, ranks, size, latency, bandwidth)
                last = exchange_time(kind, ranks, min(size, a.bucket * (1 << 20)), latency, bandwidth)
                shown = max(last, whole - step * 2 / 3)
                cells.append("%.3f" % (step / (step + shown)))
            print("| %s | %.0f | %.0f | %s |" % (name, step * 1e3, size / (1 << 20), " | ".join(cells)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(part) for part in text.split(",")]
    parser.add_argument("--ranks", type=numbers, default=[1, 2, 4])
    parser.add_argument("--batch", type=int, default=32, help="of a rank, for the measurement")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--reduce", default="ordered", choices=["ordered", "fast"])
    parser.add_argument("--mpi", default="openmpi", choices=sorted(LAUNCHERS))
    parser.add_argument("--network", type=float, help="Gbit/s of links between namespaces")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"))
    parser.add_argument("--latency", type=float, default=20, help="of a message, in us")
    parser.add_argument("--bandwidth", type=float, default=10, help="of a rank's link, in Gbit/s")
    parser.add_argument("--rate", type=float, help="GFLOP/s of a rank, in place of the measured ones")
    parser.add_argument("--model-batch", type=int, default=64, help="of a rank, for the computed steps")
    parser.add_argument("--bucket", type=float, default=1, help="MiB of the last bucket")
    parser.add_argument("--no-measure", action="store_true")
    a = parser.parse_args()
    if a.no_measure and not a.rate:
        parser.error("--no-measure needs --rate")
    rate = None if a.no_measure else measure_all(a)
    predict(a, a.rate or rate)


if __name__ == "__main__":
    main()
