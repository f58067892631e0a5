# ===- drop_dependencies.py - Launches that must wait, and do not ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""drop_dependencies.py DRIVER MODULE KERNELS: runs the first training step of
MODULE on DRIVER (libvit-fake-cuda.so) with one dependency of its graph left out,
for some of them: each must be found. Prints the graph."""

import os
import re
import subprocess
import sys

driver, module, kernels = sys.argv[1:]


def run(number):
    return subprocess.run(
        ["vit-check-steps", module, "cuda", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "VIT_CUDA_LIBRARY": driver, "VIT_SIM_KERNELS": kernels, "VIT_SIM_GRAPHS": "1",
             "VIT_SIM_DROP": str(number)})


nodes, dependencies, chain = map(int, re.search(r"a graph of (\d+) nodes and (\d+) dependencies; the longest chain "
                                                r"has (\d+) nodes", run(1).stdout).groups())
print("%d nodes, %d dependencies, longest chain %d" % (nodes, dependencies + 1, chain))
assert chain < 0.8 * nodes < dependencies
for number in range(1, dependencies + 2, max(1, dependencies // 12)):
    result = run(number)
    if result.returncode == 0 or not re.search(r"simulator: unordered: nodes \d+ \(\w+\) and \d+ \(\w+\)", result.stdout):
        sys.exit("dependency %d: %s" % (number, result.stdout))
