# ===- simulated.py - vit-run --device cuda on the simulator ---------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""simulated.py DRIVER FOLDER COMMAND [--precision PRECISION] [--level LEVEL] MODEL OPTIONS...

Like `vit-run COMMAND MODEL OPTIONS...` (infer, compare) on a CUDA device that
DRIVER (libvit-fake-cuda.so) simulates, of MODEL compiled in PRECISION (default:
f32) for LEVEL (default: sm_80). Keeps the compiled files in FOLDER.
"""

import glob
import os
import shutil
import subprocess
import sys

driver, folder, what = sys.argv[1:4]
options = sys.argv[4:]


def take(option):
    if option not in options:
        return []
    at = options.index(option)
    taken = options[at:at + 2]
    del options[at:at + 2]
    return taken


precision = take("--precision")
level = take("--level") or ["--level", "sm_80"]
model = options.pop(0)


def run(*command, **environment):
    result = subprocess.run(command, env={**os.environ, **environment})
    if result.returncode != 0:
        sys.exit(result.returncode)


outputs = [options[i + 1].partition("=")[0] for i, option in enumerate(options)
           if option == "--output" and "=" in options[i + 1]]
weights = []
for option in ["--weights", "--seed"]:
    if option in options:
        at = options.index(option)
        weights += options[at:at + 2]
        del options[at:at + 2]

shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
module, kernels = folder + "/model.vitm", folder + "/kernels.so"
# Machine code is never simulated: skip ptxas.
run("vit-compile", model, "-o", module, "--target", "cuda", "--dump-ir", folder + "/ir", *weights, *precision, *level,
    *(["--outputs", ",".join(outputs)] if outputs else []), VIT_PTXAS="")
text, = glob.glob(folder + "/ir/" + level[1] + "*/*-vit-emit-simt.mlir")
run("vit-simulate", text, *level, "-o", kernels)
run("vit-run", what, module, "--device", "cuda", *options,
    VIT_CUDA_LIBRARY=driver, VIT_SIM_KERNELS=kernels, VIT_SIM_CAPABILITY="9.0")
