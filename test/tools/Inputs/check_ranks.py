# ===- check_ranks.py - Compares ranks with accumulation on a device -------===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_ranks.py FOLDER DEVICE LEVEL [NCCL] [-- COMMAND...]

Trains a small model with dropout at this level on 1, 2 and 4 ranks, threads of one process, and
compares the bits with those of accumulated micro-batches: see vit-check-ranks. COMMAND is a prefix
of the command on the device. DEVICE is vulkan, or the path of libvit-fake-cuda.so for a simulated
CUDA device. With NCCL, the path of libvit-fake-nccl.so, gradients go from device to device instead of
through the host, also with --fast; and waits between streams that are left out are found.
"""

import glob
import os
import subprocess
import sys

arguments = sys.argv[1:]
end = arguments.index("--") if "--" in arguments else len(arguments)
(folder, device, level, *nccl), before = arguments[:end], arguments[end + 1 :]
target = "vulkan" if device == "vulkan" else "cuda"


def run(*command, **environment):
    if subprocess.run(command, env={**os.environ, **environment}).returncode != 0:
        sys.exit("failed: " + " ".join(command))


def drop_waits(command, environment):
    """Leaves out a wait of the first step, which has 4 on each of 2 ranks."""
    for number in range(1, 9, 3):
        result = subprocess.run(command, env={**os.environ, **environment, "VIT_SIM_DROP_WAIT": str(number)},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode == 0 or "simulator: unordered: " not in result.stdout:
            sys.exit("wait %d: %s" % (number, result.stdout))
    print("waits that are left out are found")


os.makedirs(folder, exist_ok=True)
text, module = folder + "/step.mlir", folder + "/step.vitm"
here = os.path.dirname(__file__)
run(sys.executable, os.path.join(here, "make_step.py"), "20", "2", "36", "0.2", text)
run("vit-compile", text, "--target", "cpu," + target, "--level", "avx2," + level, "--distribute", "--bucket-bytes", "6K",
    "--train=optimizer=adamw accumulate=4 clip-norm=0.5", "-o", module, "--dump-ir", folder + "/ir", VIT_PTXAS="")
ranks = ["2", "4"] if nccl else ["1", "2", "4"]
check = [*before, "vit-check-ranks", module, module, target, "4", "2", *ranks]
if target == "vulkan":
    run(*check, VIT_VULKAN_LEVEL=level)
else:
    kernels, (code,) = folder + "/kernels.so", glob.glob(folder + "/ir/sm_80*/*-vit-emit-simt.mlir")
    run("vit-simulate", code, "-o", kernels)
    environment = {"VIT_CUDA_LIBRARY": device, "VIT_SIM_KERNELS": kernels}
    if not nccl:
        run(*check, **environment)
    for library in nccl:
        source = os.path.join(here, "../../../runtime/src/devices/cuda/add_pieces.mlir")
        run("vit-simulate", source, "-o", folder + "/add.so")
        environment.update(VIT_SIM_KERNELS=kernels + ":" + folder + "/add.so", VIT_NCCL_LIBRARY=library)
        run(check[0], "--nccl", *check[1:], **environment)
        run(check[0], "--nccl", "--fast", module, module, "cuda", "3", "2", "3", **environment)
        drop_waits([check[0], "--nccl", module, module, "cuda", "4", "1", "2"], environment)
