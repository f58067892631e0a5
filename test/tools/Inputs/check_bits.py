# ===- check_bits.py - Checks that outputs are reproducible ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_bits.py MODULE X.npy WORK_FOLDER [RERUNS]

X.npy holds at least one input. The outputs of its first image must have the same
bits with 1, 2 and 3 threads, as first and last image of batches of 1, 3, 8 and
64, and in RERUNS (default 20) runs.
"""

import os
import subprocess
import sys

import files

module, source, work = sys.argv[1:4]
reruns = int(sys.argv[4]) if len(sys.argv) > 4 else 20
os.makedirs(work, exist_ok=True)
shape, values = files.read_npy(source)
size = len(values) // shape[0]
image = values[:size]


def run(batch, place, threads):
    """The output of `image` at `place` in a batch of modified copies."""
    data = []
    for i in range(batch):
        data += image if i == place else [v * (0.5 + i % 7) - i for v in image]
    files.write_npy(work + "/in.npy", [batch] + shape[1:], data)
    subprocess.run(["vit-run", "infer", module, "--input", work + "/in.npy", "--output",
                    work + "/out.npy", "--threads", str(threads)], check=True)
    out_shape, output = files.read_npy(work + "/out.npy")
    count = len(output) // out_shape[0]
    return output[place * count : (place + 1) * count].tobytes()


expected = run(1, 0, 1)
for batch in [1, 3, 8, 64]:
    for place in {0, batch - 1}:
        for threads in [1, 2, 3]:
            if run(batch, place, threads) != expected:
                sys.exit("other bits in a batch of %d at %d with %d threads" %
                         (batch, place, threads))
for i in range(reruns):
    if run(1 + i % 3, 0, 2) != expected:
        sys.exit("other bits in rerun %d" % i)
print("same bits")
