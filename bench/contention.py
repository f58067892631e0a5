#!/usr/bin/env python3
# ===- contention.py - Compares steps beside busy processes ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Measures vit, and PyTorch where it is installed, beside 0 to 3 processes that only count.

Each round runs all of them in turn, each in a new process, and prints the least
time and the median of the medians of all rounds in ms. `fair` is the median
alone divided by the share of the cores to which the threads are entitled beside
the neighbours; `ratio` is the median divided by that.

    contention.py [--infer] [--model cifar] [--batch 64] [--neighbours 0,1,2,3] [--threads 1,2] [--rounds 2] [--harness run.py --python PYTHON]
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from compare import ROOT, call, cpu_name, last_json
from compare_training import TEXTS, TRAINING


def fair_cores(threads, neighbours, cores):
    """The cores that `threads` get if `neighbours` + `threads` are spread evenly."""
    per_core = [0] * cores
    for i in range(threads + neighbours):
        per_core[i % cores] += 1
    # A core shared by n processes gives each 1 / n of it; the threads are the
    # first ones.
    return sum(1 / per_core[i % cores] for i in range(threads))


def ours(a, threads):
    command = [os.path.join(a.bin, "vit-run"), "bench", os.path.join(ROOT, "models", TEXTS[a.model])]
    command += [] if a.infer else ["--train", TRAINING]
    return last_json(call(command + ["--batch", a.batch, "--threads", threads, "--min-time", a.seconds, "--runs", 5, "--json"]))


def export(a):
    """Has the harness write PyTorch's weights and inputs; inference reads them."""
    stem = os.path.join(a.cache, a.model)
    # What it makes for other engines is left out where there is such a file.
    for batch in (1, 8, 32):
        for suffix in (".onnx", ".xml", ".int8.onnx", ".iree.vmfb"):
            open("%s_b%d%s" % (stem, batch, suffix), "a").close()
    call([a.python, a.harness, "export", "--cache", a.cache, "--model", a.model])
    if not os.path.exists("%s_b%d.in.npy" % (stem, a.batch)):
        raise SystemExit("error: the harness has no input of batch %d of %s; use --batch 1 or 8" % (a.batch, a.model))


def torch(a, threads):
    peer = ["infer", "--peer", "torch", "--cache", a.cache] if a.infer else ["train", "--peer", "eager"]
    command = [a.python, a.harness, *peer, "--model", a.model]
    return last_json(call(command + ["--batch", a.batch, "--threads", threads, "--seconds", a.seconds]))


def beside(neighbours, measure):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)]
    try:
        return measure()
    finally:
        for process in busy:
            process.kill()
            process.wait()


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="folder of vit-run")
    parser.add_argument("--harness", help="the peers' run.py; without it PyTorch is left out")
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch and timm")
    parser.add_argument("--model", default="cifar", choices=sorted(TEXTS))
    parser.add_argument("--batch", type=int, help="pictures per step (default: 64; 8 with --infer)")
    parser.add_argument("--infer", action="store_true", help="inference instead of training steps")
    parser.add_argument("--neighbours", type=numbers, default=[0, 1, 2, 3])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    a = parser.parse_args()
    a.batch = a.batch or (8 if a.infer else 64)
    # Alone is what the others are compared with.
    a.neighbours = sorted({0, *a.neighbours})
    with tempfile.TemporaryDirectory() as a.cache:
        if a.infer and a.harness:
            export(a)
        measure_all(a)


def measure_all(a):
    cores = len(os.sched_getaffinity(0))
    peers = {"vit": ours, **({"PyTorch": torch} if a.harness else {})}
    print("%s, %d cores, %s, batch %d, %s" % (cpu_name(), cores, a.model, a.batch, "inference" if a.infer else "training step"))
    print("%-8s %10s %7s %8s %8s %8s %6s" % ("", "neighbours", "threads", "least", "median", "fair", "ratio"))
    alone = {}
    for neighbours in a.neighbours:
        results = {}
        for _ in range(a.rounds):
            for threads in a.threads:
                for peer, measure in peers.items():
                    result = beside(neighbours, lambda: measure(a, threads))
                    results.setdefault((peer, threads), []).append((result["min_ms"], result["median_ms"]))
        for (peer, threads), times in sorted(results.items()):
            least, median = min(t[0] for t in times), statistics.median(t[1] for t in times)
            if neighbours == 0:
                alone[peer, threads] = median
            fair = alone.get((peer, threads), float("nan")) * threads / fair_cores(threads, neighbours, cores)
            print("%-8s %10d %7d %8.1f %8.1f %8.1f %6.2f" % (peer, neighbours, threads, least, median, fair, median / fair), flush=True)


if __name__ == "__main__":
    main()
