#!/usr/bin/env python3
# ===- compare_training.py - Compares training steps with PyTorch ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Measures AdamW training steps of vit and PyTorch alternately, and prints a table.

The external harness (run.py train) runs PyTorch, eager and compiled, with the
default matmul precision and with "medium" (on AMD that is oneDNN's f32); vit is
compared with the best of the requested ones. With --precision bf16 PyTorch runs under
autocast in bf16. Each round runs all of them, each
in a new process. It prints the ratio PyTorch / vit of the minimum and of the
median of the medians of all rounds, and the peak resident memory.

    compare_training.py --harness run.py --python PYTHON [--only cifar:64,s:8] [--rounds 3] [--no-compile] [--precision bf16]
"""
import argparse
import os
import statistics
import sys

from compare import ROOT, call, cpu_name, last_json

TEXTS = {"cifar": "vit-cifar10.mlir", "ti": "vit-ti16.mlir", "s": "vit-s16.mlir"}
GOALS = {"f32": {("cifar", 64): 2.0, ("ti", 8): 2.0, ("s", 8): 1.5},
         "bf16": {("cifar", 64): 1.6, ("ti", 8): 1.5, ("s", 8): 1.3}}
TRAINING = "weight-decay=0.05 decay-all"  # AdamW on all, like the harness


def torch(a, model, batch, peer, matmul):
    command = [a.python, a.harness, "train", "--peer", peer, "--model", model, "--batch", batch]
    command += ["--threads", a.threads, "--seconds", a.seconds]
    command += ["--dtype", a.precision]
    return last_json(call(command + (["--matmul", matmul] if matmul else [])))


def ours(a, model, batch):
    text = os.path.join(ROOT, "models", TEXTS[model])
    command = [os.path.join(a.bin, "vit-run"), "bench", text, "--train", TRAINING, "--batch", batch, "--precision", a.precision]
    r = last_json(call(command + ["--threads", a.threads, "--min-time", a.seconds, "--runs", 5, "--json"]))
    return dict(r, rss_mb=r["peak_rss_bytes"] / 2**20)


def summary(results):
    return min(r["min_ms"] for r in results), statistics.median(r["median_ms"] for r in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", default=os.path.join(ROOT, "../shared/peers/run.py"), help="the peers' run.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch and timm")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="folder of vit-run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--only", help="model:batch, separated by commas")
    parser.add_argument("--precision", default="f32", choices=sorted(GOALS))
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile (30 s of start each)")
    a = parser.parse_args()
    modes = ["eager"] if a.no_compile else ["eager", "compile"]
    matmuls = [None, "medium"] if a.precision == "f32" else [None]
    peers = [(mode, matmul) for mode in modes for matmul in matmuls]
    print(f"{cpu_name()}; {a.threads} threads, {a.precision}, {a.rounds} rounds; load average before: {os.getloadavg()[0]:.1f}\n")
    print("| model | batch | PyTorch (best of) min (median) ms | ours min (median) ms | ratio of min | of median | goal | memory theirs, ours MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    only = a.only.split(",") if a.only else []
    for (model, batch), goal in GOALS[a.precision].items():
        if only and f"{model}:{batch}" not in only:
            continue
        theirs, us = {peer: [] for peer in peers}, []
        for _ in range(a.rounds):
            for peer in peers:
                theirs[peer].append(torch(a, model, batch, *peer))
            us.append(ours(a, model, batch))
        best = min(peers, key=lambda peer: summary(theirs[peer])[1])
        (tmin, tmed), (umin, umed) = summary(theirs[best]), summary(us)
        memory = min(max(r["rss_mb"] for r in rows) for rows in theirs.values())
        name = best[0] + (f", {best[1]}" if best[1] else "")
        print(
            f"| {model} | {batch} | {name}: {tmin:.0f} ({tmed:.0f}) | {umin:.0f} ({umed:.0f}) | {tmin / umin:.2f} "
            f"| {tmed / umed:.2f} | {goal} | {memory:.0f}, {max(r['rss_mb'] for r in us):.0f} |",
            flush=True,
        )
        for peer in peers:
            low, middle = summary(theirs[peer])
            print(f"  {peer[0]} {peer[1] or 'default'}: {low:.0f} ({middle:.0f}) ms", file=sys.stderr)
    print(f"\nload average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
