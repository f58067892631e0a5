#!/usr/bin/env python3
# ===- compare_vulkan.py - Compares inference on Vulkan with ncnn ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Measures f32 inference of one picture with vit and ncnn on Vulkan alternately, and
prints a table and the parts of vit's time to the first result.

The external harness (extra.py) converts the model for ncnn once and measures it; vit
runs the same architecture as text, with weights from initialisers. Both use the same
driver: lavapipe, or that of the JSON file given by --driver.

  compare_vulkan.py --cache DIR --harness extra.py --python PYTHON [--only ti,s] [--rounds 5]
"""
import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile

from compare import ROOT, call, cpu_name, last_json

TEXTS = {"cifar": "vit-cifar10", "ti": "vit-ti16", "s": "vit-s16", "b": "vit-b16"}
GOALS = {"ti": 1.5}
LAVAPIPE = "/usr/share/vulkan/icd.d/lvp_icd.%s.json" % os.uname().machine


def compile_ours(a, model):
    module = os.path.join(a.cache, model + ".vulkan.vitm")
    text = os.path.join(ROOT, "models", TEXTS[model] + ".mlir")
    call([os.path.join(a.bin, "vit-compile"), text, "-o", module, "--target", "vulkan", "--seed", "0"])
    return module


def ours(a, module, env, runs=10):
    command = [os.path.join(a.bin, "vit-run"), "bench", module, "--device", "vulkan", "--json", "--runs", runs]
    return last_json(call(command, env=env))


def ncnn(a, model, env):
    command = [a.python, a.harness, "ncnn-vk", "--model", model, "--cache", a.cache, "--threads", a.threads]
    command += ["--seconds", a.seconds]
    return last_json(call(command, env=env, cwd=os.path.dirname(os.path.abspath(a.harness))))


def first_results(a, module, env):
    """The parts of the time to the first result, with an empty and a full shader cache."""
    print("\n| shaders | all | module | weights | session | first run |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as cache:
        for name in ("compiled by the driver", "from the cache"):
            r = ours(a, module, dict(env, XDG_CACHE_HOME=cache), runs=1)["first_result"]
            parts = ("ms", "module_ms", "weights_ms", "session_ms", "first_run_ms")
            print(f"| {name} | " + " | ".join(f"{r[p]:.1f} ms" for p in parts) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, help="folder for converted models")
    parser.add_argument("--harness", default=os.path.join(ROOT, "../shared/peers/extra.py"), help="the peers' extra.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter with ncnn, pnnx, torch and numpy")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="folder of vit-run and vit-compile")
    parser.add_argument("--driver", default=LAVAPIPE, help="the driver's JSON file")
    parser.add_argument("--threads", type=int, default=2, help="of ncnn's host side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of ncnn in each round")
    parser.add_argument("--only", default="ti", help="of cifar, ti, s, b; separated by commas")
    a = parser.parse_args()
    a.cache = os.path.abspath(a.cache)
    os.makedirs(a.cache, exist_ok=True)
    if not os.path.exists(a.driver) or not shutil.which(a.python):
        raise SystemExit(f"error: {a.driver} or {a.python} is missing")
    env = dict(os.environ, VK_ICD_FILENAMES=a.driver, VK_DRIVER_FILES=a.driver)
    print(f"{cpu_name()}; {a.rounds} rounds; load average before: {os.getloadavg()[0]:.1f}\n")
    rows, modules = [], {}
    for model in a.only.split(","):
        modules[model] = compile_ours(a, model)
        theirs, us = [], []
        for _ in range(a.rounds):
            theirs.append(ncnn(a, model, env))
            us.append(ours(a, modules[model], env))
        tmin, umin = (min(r["min_ms"] for r in rows_of) for rows_of in (theirs, us))
        tmed, umed = (statistics.median(r["median_ms"] for r in rows_of) for rows_of in (theirs, us))
        if not rows:
            print(f"{us[0]['device_name']}, level {us[0]['level']}\n")
            print("| model | ncnn min (median) ms | ours min (median) ms | ratio of min | of median | goal |")
            print("|---|---|---|---|---|---|")
        rows.append(model)
        print(
            f"| {model} | {tmin:.1f} ({tmed:.1f}) | {umin:.1f} ({umed:.1f}) | {tmin / umin:.2f} | {tmed / umed:.2f} "
            f"| {GOALS.get(model, '')} |",
            flush=True,
        )
    for model, module in modules.items():
        print(f"\nfirst result of {model}, from a .vitm")
        first_results(a, module, env)
    print(f"\nload average after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
