#!/usr/bin/env python3
# ===- compare.py - Compares inference with other engines ------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Measures inference of vit and of its peers alternately, and prints a table.

The peer in f32 and bf16 is OpenVINO, in int8 ONNX Runtime with dynamic
quantization or, with --peer openvino, OpenVINO with what NNCF makes of its model.

The external harness (run.py) exports the models once and measures the peer; this
script gives `vit-compile` the same weights, checks that the outputs agree, and
runs both alternately for several rounds, each in a new process. It prints the
ratio peer / vit of the minimum (least affected by other load) and of the
median of the medians of all rounds.

  prepare (PYTHON has torch, timm, onnx and openvino; for OpenVINO in int8 also nncf):
    compare.py prepare --cache DIR --harness run.py --python PYTHON
  measure (PYTHON has openvino and numpy):
    compare.py run --cache DIR --harness run.py --python PYTHON [--only s,b:8] [--rounds 5] [--precision bf16] [--peer openvino]

With --families the models are those of families.py (CLIP, SigLIP, DINOv2, DINOv3,
BEiT), which exports and measures them in place of the harness.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from families import BATCHES, FAMILIES

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXPORTER = os.path.join(ROOT, "bench/families.py")
QUANTIZER = os.path.join(ROOT, "bench/quantize_openvino.py")
# The models of the harness as timm's config.json.
CONFIGS = {
    "cifar": dict(
        architecture="vit_tiny_patch16_224",
        num_classes=10,
        model_args=dict(img_size=32, patch_size=4, embed_dim=192, depth=6, num_heads=3),
        pretrained_cfg=dict(input_size=[3, 32, 32]),
    ),
    "ti": dict(architecture="vit_tiny_patch16_224", num_classes=1000),
    "s": dict(architecture="vit_small_patch16_224", num_classes=1000),
    "b": dict(architecture="vit_base_patch16_224", num_classes=1000),
}
PEERS = {"f32": ["openvino"], "bf16": ["openvino"], "int8": ["ort", "openvino"]}  # the first is the default
NAMES = {"openvino": "OpenVINO", "ort": "ONNX Runtime"}
GOALS = {("b", 1): 1.0, ("s", 1): 1.1, ("ti", 1): 1.2, ("cifar", 1): 1.5}  # else 1.1


def call(command, **kw):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kw)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(map(str, command))}\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def last_json(text):
    return json.loads(next(line for line in reversed(text.splitlines()) if line.startswith("{")))


def prepare(a):
    os.makedirs(a.cache, exist_ok=True)
    if a.families:
        call([a.python, EXPORTER, "export", "--cache", a.cache])
        return
    # The harness also makes files for other engines, unless they exist: empty ones
    # stand in for them, and go afterwards, since another --peer may need them.
    others = (".iree.vmfb",) if a.peer == "ort" else (".int8.onnx", ".iree.vmfb")
    unused = [os.path.join(a.cache, f"{m}_b{b}{suffix}") for m in CONFIGS for b in (1, 8, 32) for suffix in others]
    for file in unused:
        open(file, "a").close()
    try:
        call([a.python, a.harness, "export", "--cache", a.cache])
    finally:
        for file in unused:
            if os.path.getsize(file) == 0:
                os.remove(file)
    if a.precision == "int8" and a.peer == "openvino":
        for model, batch in selected(a):
            stem = os.path.join(a.cache, f"{model}_b{batch}")
            if not os.path.exists(stem + ".int8.xml"):
                call([a.python, QUANTIZER, stem + ".xml", stem + ".int8.xml"])


def selected(a):
    only = a.only.split(",") if a.only else []
    cells = [(m, b) for m in (FAMILIES if a.families else CONFIGS) for b in BATCHES]
    return [(m, b) for m, b in cells if not only or m in only or f"{m}:{b}" in only]


def compile_ours(a, model):
    module = os.path.join(a.cache, f"{model}.{a.precision}.vitm")
    compiler = [os.path.join(a.bin, "vit-compile"), "--precision", a.precision]
    if a.families:
        size = FAMILIES[model].size
        call([*compiler, os.path.join(a.cache, "hf-" + model), "--image-size", size, "-o", module])
        return module
    folder = os.path.join(a.cache, "timm-" + model)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(CONFIGS[model], f)
    weights = os.path.join(folder, "model.safetensors")
    if not os.path.exists(weights):
        os.link(os.path.join(a.cache, model + ".safetensors"), weights)
    call([*compiler, folder, "-o", module])
    return module


def check(a, module, model, batch):
    """The largest difference from torch's outputs, relative to an output's largest element."""
    script = (
        "import sys, numpy as np; y, r = (np.load(f) for f in sys.argv[1:]);"
        "print(float(np.abs(y - r).max() / np.abs(r).max()))"
    )
    stem = os.path.join(a.cache, f"{model}_b{batch}")
    outputs = FAMILIES[model].outputs if a.families else ("out",)
    with tempfile.TemporaryDirectory() as folder:
        files = {output: os.path.join(folder, output + ".npy") for output in outputs}
        options = [f"--output={output}={file}" if a.families else f"--output={file}" for output, file in files.items()]
        call([os.path.join(a.bin, "vit-run"), "infer", module, "--input", stem + ".in.npy", *options])
        return max(float(call([a.python, "-c", script, file, f"{stem}.{output}.npy"])) for output, file in files.items())


def measure_peer(a, model, batch):
    harness = [a.python, a.harness, "infer", "--peer", a.peer, "--dtype", a.precision]
    r = last_json(
        call(
            ([a.python, EXPORTER, "infer"] if a.families else harness)
            + ["--model", model, "--batch", batch, "--threads", a.threads, "--cache", a.cache, "--seconds", a.seconds]
        )
    )
    return r["min_ms"], r["median_ms"]


def ours(a, module, batch):
    r = last_json(
        call([os.path.join(a.bin, "vit-run"), "bench", module, "--batch", batch, "--threads", a.threads, "--json"])
    )
    return r["min_ms"], r["median_ms"]


def cpu_name():
    with open("/proc/cpuinfo") as f:
        info = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].splitlines() if ":" in line)
    info = {k.strip(): v.strip() for k, v in info.items()}
    return f"{info['model name']}, family {info['cpu family']} model {info['model']}, {os.cpu_count()} CPUs"


def measure(a):
    cells = selected(a)
    print(f"{cpu_name()}; {a.threads} threads, {a.precision}, {a.rounds} rounds; load average before: {os.getloadavg()[0]:.1f}\n")
    peer = NAMES[a.peer]
    print(f"| model | batch | {peer} min (median) ms | ours min (median) ms | ratio of min | of median | goal | error |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    modules = {m: compile_ours(a, m) for m in dict(cells)}
    for model, batch in cells:
        error = check(a, modules[model], model, batch)
        theirs, us = [], []
        for _ in range(a.rounds):
            theirs.append(measure_peer(a, model, batch))
            us.append(ours(a, modules[model], batch))
        (tmin, tmed), (umin, umed) = (
            (min(r[0] for r in rows), statistics.median(r[1] for r in rows)) for rows in (theirs, us)
        )
        goal = GOALS.get((model, batch), 1.1)
        print(
            f"| {model} | {batch} | {tmin:.2f} ({tmed:.2f}) | {umin:.2f} ({umed:.2f}) | {tmin / umin:.2f} "
            f"| {tmed / umed:.2f} | {goal} | {error:.1e} |",
            flush=True,
        )
    print(f"\nload average after: {os.getloadavg()[0]:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["prepare", "run"])
    parser.add_argument("--cache", required=True, help="folder of exported models")
    parser.add_argument("--harness", default=os.path.join(ROOT, "../shared/peers/run.py"), help="the peers' run.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter with the peers' packages")
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/bin"), help="folder of vit-run and vit-compile")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the peer in each round")
    parser.add_argument("--precision", choices=list(PEERS), default="f32")
    parser.add_argument("--peer", choices=list(NAMES), help="in int8: ort (default) or openvino")
    parser.add_argument("--families", action="store_true", help="the models of families.py")
    parser.add_argument("--only", help="models, or model:batch, separated by commas")
    a = parser.parse_args()
    if a.families and a.precision != "f32":
        parser.error("the models of --families are measured in f32 only")
    a.peer = a.peer or PEERS[a.precision][0]
    if a.peer not in PEERS[a.precision]:
        parser.error(f"{NAMES[a.peer]} is not measured in {a.precision}")
    prepare(a) if a.verb == "prepare" else measure(a)


if __name__ == "__main__":
    main()
