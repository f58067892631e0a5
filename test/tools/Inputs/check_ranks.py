# ===- check_ranks.py - Compares ranks with accumulation on a device -------===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_ranks.py FOLDER DEVICE LEVEL [-- COMMAND...]

Trains a small model with dropout at this level on 1, 2 and 4 ranks, threads of one process, and
compares the bits with those of accumulated micro-batches: see vit-check-ranks. COMMAND is a prefix
of the command on the device. DEVICE is vulkan, or the path of libvit-fake-cuda.so for a simulated
CUDA device.
"""

import glob
import os
import subprocess
import sys

arguments = sys.argv[1:]
end = arguments.index("--") if "--" in arguments else len(arguments)
(folder, device, level), before = arguments[:end], arguments[end + 1 :]
target = "vulkan" if device == "vulkan" else "cuda"


def run(*command, **environment):
    if subprocess.run(command, env={**os.environ, **environment}).returncode != 0:
        sys.exit("failed: " + " ".join(command))


os.makedirs(folder, exist_ok=True)
text, module = folder + "/step.mlir", folder + "/step.vitm"
here = os.path.dirname(__file__)
run(sys.executable, os.path.join(here, "make_step.py"), "20", "2", "36", "0.2", text)
run("vit-compile", text, "--target", "cpu," + target, "--level", "avx2," + level, "--distribute",
    "--train=optimizer=adamw accumulate=4 clip-norm=0.5", "-o", module, "--dump-ir", folder + "/ir", VIT_PTXAS="")
check = [*before, "vit-check-ranks", module, module, target, "4", "2", "1", "2", "4"]
if target == "vulkan":
    run(*check, VIT_VULKAN_LEVEL=level)
else:
    kernels, (code,) = folder + "/kernels.so", glob.glob(folder + "/ir/sm_80*/*-vit-emit-simt.mlir")
    run("vit-simulate", code, "-o", kernels)
    run(*check, VIT_CUDA_LIBRARY=device, VIT_SIM_KERNELS=kernels)
