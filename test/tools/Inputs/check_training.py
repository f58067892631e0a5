# ===- check_training.py - Checks a training case on a device --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_training.py [--bf16] FOLDER WORK DEVICE TOLERANCE [LEVELS [COMMAND...]]

Compiles the model of FOLDER as its train/train.json says and compares gradients
and trained weights with PyTorch's: see vit-check-training. COMMAND is a prefix
of the command on the device. DEVICE is cpu, vulkan, or the path of
libvit-fake-cuda.so for a simulated CUDA device.

--bf16: the gradients in that precision. AdamW divides by their magnitudes, so in steps
rounding errors of the least of them would be as large as the learning rate."""
import glob
import json
import os
import subprocess
import sys

arguments = sys.argv[1:]
is_narrow = arguments[0] == "--bf16"
if is_narrow:
    del arguments[0]
folder, work, device, tolerance = arguments[:4]
levels = arguments[4] if len(arguments) > 4 else ""
before = arguments[5:]
with open(os.path.join(folder, "train", "train.json")) as file:
    recipe = json.load(file)
beta1, beta2 = recipe["betas"]
adamw = f"optimizer=adamw beta1={beta1} beta2={beta2} epsilon={recipe['eps']} weight-decay={recipe['weight_decay']} decay-all"
os.makedirs(work, exist_ok=True)
name = os.path.basename(folder)
is_simulated = device.endswith(".so")
for verb, options, end in [("gradients", "optimizer=none", [tolerance]), ("steps", adamw, [])][: 1 if is_narrow else 2]:
    module = os.path.join(work, f"{name}.{verb}.vitm")
    target = "cuda" if is_simulated else device.split(":")[0]
    compile_it = ["vit-compile", folder, "--target", target, "-o", module]
    compile_it += [f"--train={options} label-smoothing={recipe['label_smoothing']}"]
    if is_narrow:
        compile_it += ["--precision", "bf16"]
    if levels:
        compile_it += ["--level", levels]
    environment = dict(os.environ)
    if is_simulated:
        # Machine code is never simulated: skip ptxas.
        environment.update(VIT_PTXAS="", VIT_CUDA_LIBRARY=device, VIT_SIM_KERNELS=module + ".so")
        compile_it += ["--dump-ir", module + ".ir"]
    subprocess.run(compile_it, check=True, env=environment)
    if is_simulated:
        (code,) = glob.glob(module + ".ir/sm_*/*-vit-emit-simt.mlir")
        level = ["--level", levels] if levels else []
        subprocess.run(["vit-simulate", code, *level, "-o", module + ".so"], check=True)
    print(name, target, verb, flush=True)
    check = ["vit-check-training", verb, module, folder, "cuda" if is_simulated else device]
    subprocess.run([*before, *check, *end], check=True, env=environment)
