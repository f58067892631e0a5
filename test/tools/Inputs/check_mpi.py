# ===- check_mpi.py - N ranks give the bits of one -----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Trains with dropout, augmentation and clipping on 1, 2, 3 and 4 ranks, 12 batches
per update in all, and compares weights, optimizer states and logs.

  python3 check_mpi.py MODEL FOLDER MPI [OPTION...]

FOLDER is that of make_training.py, MPI openmpi or mpich. OPTIONs replace those
of each run.
"""

import os
import re
import sys

import files
import kill_resume
import ranks

model, folder, mpi = sys.argv[1:4]
K = 12
# 13 batches per epoch: neither an update nor a round of 2, 3 or 4 ends with it.
OPTIONS = sys.argv[4:] or ["--batch", "4", "--epochs", "3"]
COMMON = ["--crop", "4", "--flip", "--erase", "0.3", "--clip-norm", "0.5", "--lr", "3e-3",
          "--schedule", "cosine", "--warmup", "1", "--seed", "5", "--eval-batch", "3"] + OPTIONS


def command(count, out, *more, data="cifar"):
    start = [] if count == 1 else ranks.launcher(mpi, count)
    # On one rank another number of threads, as that changes nothing.
    options = ["--data", folder + "/" + data, "--out", folder + "/" + out, *COMMON]
    return start + ["vit-run", "train", folder + "/dropout.mlir",
                    *ranks.merge(options + (["--threads", "2"] if count == 1 else []), more)]


def train(count, out, *more, data="cifar"):
    ranks.remove(folder + "/" + out)
    return ranks.run(command(count, out, "--accumulate", str(K // count), *more, data=data))


def tensors(out, part="last"):
    result = {}
    for file in kill_resume.FILES:
        _, values = kill_resume.read_file("%s/%s/%s/%s" % (folder, out, part, file))
        result.update(values)
    return result


def expect_same(out, other="one", data="cifar"):
    for part in ["last", "best"]:
        a, b = tensors(out, part), tensors(other, part)
        assert a.keys() == b.keys()
        different = [name for name in a if a[name] != b[name]]
        assert not different, "%s/%s: %d of %d tensors differ, such as %s" % (
            out, part, len(different), len(a), different[0])
    a, b = ranks.log_of(folder + "/" + out), ranks.log_of(folder + "/" + other)
    assert len(a) == len(b), (out, len(a), len(b))
    for one, two in zip(a, b):
        # An epoch that ends within an update is tested before it in both.
        assert one == two, (out, one, two)


ranks.add_dropout(model, folder + "/dropout.mlir")
train(1, "one")
steps = len([line for line in ranks.log_of(folder + "/one") if line["kind"] == "step"])
for count in [2, 3, 4]:
    said = train(count, "several")
    assert "%d ranks, %d of them on this machine" % (count, count) in said, said
    assert said.count("training on") == 1, "ranks repeat what rank 0 says:\n" + said
    expect_same("several")
    print("%d ranks: %d steps with the bits of one rank" % (count, steps))

# Stopped within an epoch and an update, on two ranks, and continued on three, then on one.
train(2, "stopped", "--steps", "15")
ranks.run(command(3, "stopped", "--resume", "--steps", "19"))
ranks.run(command(1, "stopped", "--resume"))
expect_same("stopped")
print("stopped on 2 ranks, continued on 3 and 1: the same bits")

# A batch of which no picture can be read is no step.
with open(model, encoding="utf-8") as text:
    labels = re.search(r"vit\.labels = \[(.*?)\]", text.read(), re.S)
classes = re.findall(r'"(.*?)"', labels[1]) if labels else ["a", "b"]
for part, count in [("train", 7), ("val", 2)]:
    for kind, label in enumerate(classes):
        os.makedirs("%s/damaged/%s/%s" % (folder, part, label), exist_ok=True)
        for i in range(count):
            path = "%s/damaged/%s/%s/%d.png" % (folder, part, label, i)
            files.write_png(path, 32, 32, lambda x, y: (x * i % 256, y * 9 % 256, 20 * kind))
            if i == 1 + kind:
                os.truncate(path, 60)
DAMAGED = ["--skip-unreadable", "--batch", "1", "--epochs", "2", "--eval-batch", "1"]
train(1, "damaged-one", *DAMAGED, data="damaged")
train(3, "damaged-several", *DAMAGED, data="damaged")
expect_same("damaged-several", "damaged-one")
print("unreadable pictures: the same bits")

# The library's own order of additions: the same within rounding.
train(4, "fast", "--reduce", "fast")
one, fast = ranks.log_of(folder + "/one"), ranks.log_of(folder + "/fast")
worst = max(abs(a["loss"] - b["loss"]) for a, b in zip(one, fast) if a["kind"] == "step")
assert worst < 1e-4, worst
print("--reduce fast: the same losses within 1e-4")
