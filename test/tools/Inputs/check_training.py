# ===- check_training.py - Checks a training case on a device --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_training.py FOLDER WORK DEVICE TOLERANCE [LEVELS [COMMAND...]]

Compiles the model of FOLDER as its train/train.json says and compares gradients
and trained weights with PyTorch's: see vit-check-training. COMMAND is a prefix
of the command on the device."""
import json
import os
import subprocess
import sys

folder, work, device, tolerance = sys.argv[1:5]
levels = sys.argv[5] if len(sys.argv) > 5 else ""
before = sys.argv[6:]
with open(os.path.join(folder, "train", "train.json")) as file:
    recipe = json.load(file)
beta1, beta2 = recipe["betas"]
adamw = f"optimizer=adamw beta1={beta1} beta2={beta2} epsilon={recipe['eps']} weight-decay={recipe['weight_decay']} decay-all"
os.makedirs(work, exist_ok=True)
name = os.path.basename(folder)
for verb, options, end in [("gradients", "optimizer=none", [tolerance]), ("steps", adamw, [])]:
    module = os.path.join(work, f"{name}.{verb}.vitm")
    target = device.split(":")[0]
    compile_it = ["vit-compile", folder, "--target", target, "-o", module]
    compile_it += [f"--train={options} label-smoothing={recipe['label_smoothing']}"]
    if levels:
        compile_it += ["--level", levels]
    subprocess.run(compile_it, check=True)
    print(name, device, verb, flush=True)
    subprocess.run([*before, "vit-check-training", verb, module, folder, device, *end], check=True)
