# ===- check_levels.py - Which code of a module a device runs --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_levels.py DRIVER FOLDER MODEL PRECISION COSINE CAPABILITIES: compiles MODEL for CUDA in PRECISION for all
levels and runs it on simulated devices of CAPABILITIES (8.0,9.0). Each must run the code of its level,
which is the only one that its driver (DRIVER, libvit-fake-cuda.so) knows, with
the results of the interpreter up to rounding: the same class, and at least this cosine. In bf16, then with tiles of clusters."""

import glob
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/Inputs"))
import files

driver, folder, model, precision, least, capabilities = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
module, source = folder + "/model.vitm", folder + "/x.npy"


def run(*command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def check(result):
    if result.returncode != 0:
        sys.exit("%s: %s" % (" ".join(result.args), result.stderr))


def infer(model, output, device, **environment):
    return run("vit-run", "infer", model, "--device", device, "--input", source, "--output", output, **environment)


files.write_npy(source, [2, 3, 64, 64], [math.sin(i * i % 1013) for i in range(2 * 3 * 64 * 64)])


def compile_module(module, ir, levels, *options):
    """Writes kernels for the simulator to IR/LEVEL.so; returns their text."""
    check(run("vit-compile", model, "-o", module, "--target", "cuda", "--precision", precision, "--dump-ir", ir, *options,
              VIT_PTXAS=""))
    for level in levels:
        text, = glob.glob("%s/%s*/*-vit-emit-simt.mlir" % (ir, level))
        check(run("vit-simulate", text, "--level", level, "-o", "%s/%s.so" % (ir, level)))
    return open(text).read()


ir = folder + "/ir"
compile_module(module, ir, ["sm_80", "sm_90a"])
check(infer(model, folder + "/expected.npy", "reference"))
shape, expected = files.read_npy(folder + "/expected.npy")
classes = shape[-1]
for capability in capabilities.split(","):
    level, other = ("sm_90a", "sm_80") if capability == "9.0" else ("sm_80", "sm_90a")
    output = "%s/%s.npy" % (folder, capability)
    on_device = lambda known: infer(module, output, "cuda", VIT_CUDA_LIBRARY=driver, VIT_SIM_CAPABILITY=capability,
                                    VIT_SIM_KERNELS="%s/%s.so" % (ir, known))
    if on_device(other).returncode == 0:
        sys.exit("a device of %s runs the code of %s" % (capability, other))
    check(on_device(level))
    found = files.read_npy(output)[1]
    for first in range(0, len(expected), classes):
        a, b = expected[first:first + classes], found[first:first + classes]
        cosine = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        if cosine < float(least) or a.index(max(a)) != b.index(max(b)):
            sys.exit("%s: the cosine is %g" % (capability, cosine))
    print("%s: %s" % (capability, level))

if precision != "bf16":
    sys.exit()
# Tiles for many images are of clusters. They compute the same bits.
pairs, output = folder + "/pairs.vitm", folder + "/pairs.npy"
text = compile_module(pairs, folder + "/pairs", ["sm_90a"], "--batch", "4096")
check(infer(pairs, output, "cuda", VIT_CUDA_LIBRARY=driver, VIT_SIM_CAPABILITY="9.0",
            VIT_SIM_KERNELS=folder + "/pairs/sm_90a.so"))
if files.read_npy(output) != files.read_npy(folder + "/9.0.npy"):
    sys.exit("clusters change the results")
print("%d kernels of clusters" % text.count("nvvm.cluster_dim"))
