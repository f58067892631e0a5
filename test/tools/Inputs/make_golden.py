# ===- make_golden.py - Writes the inputs of vit-run compare ---------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes x.npy and the outputs beside it to golden.safetensors, and the same with
two changed outputs to changed.safetensors."""

import sys

import files

folder = sys.argv[1]
names = ["logits", "attn_1", "hidden_1", "hidden_0"]
golden = {name: files.read_npy("%s/%s.npy" % (folder, name)) for name in names}
golden["input"] = files.read_npy(folder + "/x.npy")
files.write_safetensors(folder + "/golden.safetensors", golden)
for name in ["hidden_1", "logits"]:
    golden[name][1][3] += 0.5
files.write_safetensors(folder + "/changed.safetensors", golden)
