# ===- check_steps.py - Compares training steps of a device and the CPU ----===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_steps.py [--cases PATTERN] [--batch N] [--bf16 | --tf32] FOLDER DEVICE LEVEL... [-- COMMAND...]

Trains the models of make_step.py, or the folders that PATTERN finds and that
have a part train, at each level and on the CPU, and compares losses,
parameters and states: see vit-check-steps. COMMAND is a prefix of the command
on the device. --bf16, --tf32: in that precision, with a tolerance for its roundings; in tf32 the CPU computes in f32.
--batch: code for that batch, which the steps do not have. LEVEL "coop, expanded": with plain code in place of matrices.
DEVICE is vulkan, or the path of libvit-fake-cuda.so for a simulated CUDA device.
"""

import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../Target/Inputs"))
from narrow import expansion

arguments, models = sys.argv[1:], []
if arguments[0] == "--cases":
    models = [case for case in sorted(glob.glob(arguments[1])) if os.path.isdir(case + "/train")]
    assert models, arguments[1]
    arguments = arguments[2:]
batch = []
if arguments[0] == "--batch":
    batch, arguments = arguments[:2], arguments[2:]
# In bf16 and tf32, the share of what a variable has moved that it may differ by.
SHARES = {"--bf16": "0.01", "--tf32": "0.03"}
precision, share = ("f32", [])
if arguments[0] in SHARES:
    precision, share, arguments = arguments[0][2:], [SHARES[arguments[0]]], arguments[1:]
end = arguments.index("--") if "--" in arguments else len(arguments)
folder, device, levels, before = arguments[0], arguments[1], arguments[2:end], arguments[end + 1 :]
target = "vulkan" if device == "vulkan" else "cuda"
# Name, arguments of make_step, training options, calls per update. Head and group sizes are whole
# vectors in the first model and need padding in the second one.
CASES = [
    ("whole", [32, 2, 64, 0.2], "optimizer=sgd momentum=0.9 nesterov weight-decay=0.01 clip-norm=0.5", 1),
    ("padded", [20, 2, 36, 0.2], "optimizer=adamw epsilon=0.01 label-smoothing=0.1 accumulate=2", 2),
]


def run(*command, **environment):
    if subprocess.run(command, env={**os.environ, **environment}).returncode != 0:
        sys.exit("failed: " + " ".join(command))


cases = [(os.path.basename(model), model, "optimizer=sgd momentum=0.9", 1) for model in models]
for name, numbers, options, every in cases or CASES:
    here = os.path.join(folder, name)
    os.makedirs(here, exist_ok=True)
    text, module = here + "/step.mlir", here + "/step.vitm"
    if models:
        text = numbers
    else:
        run(sys.executable, os.path.join(os.path.dirname(__file__), "make_step.py"), *map(str, numbers), text)

    def build(target, level, module, **variables):
        run("vit-compile", text, "--target", target, "--level", level, "--precision", precision, "--train=" + options,
            *batch, "-o", module, "--dump-ir", here + "/ir", VIT_PTXAS="", **variables)

    plain = [level for level in levels if not expansion(level)]
    build("cpu," + target if plain else "cpu", ",".join(["avx2", *plain]), module)
    for level in levels:
        print(name, level, flush=True)
        if target == "vulkan":
            level_name, code, more = level.split(",")[0], module, share
            if expansion(level):
                code, more = here + "/expanded.vitm", [*(share or ["0"]), module]
                build(target, level_name, code, **expansion(level))
            run(*before, "vit-check-steps", code, "vulkan", str(every), *more, VIT_VULKAN_LEVEL=level_name)
            continue
        kernels, (code,) = here + "/kernels.so", glob.glob(here + "/ir/" + level + "*/*-vit-emit-simt.mlir")
        run("vit-simulate", code, "--level", level, "-o", kernels)
        run(*before, "vit-check-steps", module, "cuda", str(every), *share,
            VIT_CUDA_LIBRARY=device, VIT_SIM_KERNELS=kernels, VIT_SIM_CAPABILITY="9.0")
