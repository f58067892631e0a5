#!/usr/bin/env python3
# ===- make_carried.py - Checkpoints with tensors that nothing uses --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""make_carried.py FOLDER: from FOLDER/vit (make_model.py), same/ (a classifier
in torch's format, its names behind "module.") and tower/ (Dinov2Model), both
with tensors that the graph does not use.
make_carried.py FOLDER EXPORT same|tower: checks that EXPORT has them.
make_carried.py FOLDER FILE RUN: RUN/model.safetensors becomes FILE with the
metadata that it had."""

import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
IMPORT = os.path.join(HERE, "..", "..", "Import", "Inputs")
sys.path.insert(0, IMPORT)
from edit_safetensors import read, write

UNUSED = {"vit.embeddings.mask_token": ("BF16", [1, 1, 4], bytes(range(8))),
          "vit.embeddings.position_ids": ("I64", [1, 2], bytes(range(16))),
          "vit.empty": ("F32", [1, 0, 4], b""),
          "step": ("I64", [], bytes(range(8)))}
TOKEN = ("F16", [1, 32], bytes(range(64)))
folder = sys.argv[1]


def make_same():
    tensors = {**read(folder + "/vit/model.safetensors"), **UNUSED}
    shutil.copytree(folder + "/vit", folder + "/same")
    path = folder + "/same/model.safetensors"
    write(path, {"module." + name: value for name, value in tensors.items()})
    subprocess.check_call([sys.executable, IMPORT + "/torch_save.py", path,
                           folder + "/same/pytorch_model.bin"])
    os.remove(path)


def make_tower():
    """DINOv2's names and layer scales for the same numbers."""
    tensors = {"embeddings.mask_token": TOKEN, "step": UNUSED["step"]}
    ones = ("F32", [32], b"\0\0\x80\x3f" * 32)
    for name, value in read(folder + "/vit/model.safetensors").items():
        for old, new in [("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
                         ("intermediate.dense", "mlp.fc1"),
                         ("attention.output.dense", "attention.result"),
                         (".output.dense", ".mlp.fc2"),
                         ("attention.result", "attention.output.dense")]:
            name = name.replace(old, new)
        if name.startswith("vit."):
            tensors[name[4:]] = value
    for layer in range(2):
        for part in ["layer_scale1", "layer_scale2"]:
            tensors["encoder.layer.%d.%s.lambda1" % (layer, part)] = ones
    shutil.copytree(folder + "/vit", folder + "/tower")
    write(folder + "/tower/model.safetensors", tensors)
    with open(folder + "/tower/config.json") as file:
        config = json.load(file)
    config.update(architectures=["Dinov2Model"], model_type="dinov2", mlp_ratio=2)
    with open(folder + "/tower/config.json", "w") as file:
        json.dump(config, file)


def check(export, kind):
    tensors = read(folder + "/" + export + "/model.safetensors")
    want = UNUSED if kind == "same" else {"dinov2.embeddings.mask_token": TOKEN}
    for name, value in want.items():
        assert tensors[name] == tuple(value), (name, tensors.get(name))
    assert kind == "same" or "step" not in tensors, tensors.keys()


def replace(source, run):
    path = folder + "/" + run + "/model.safetensors"
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    with open(folder + "/" + source, "rb") as file:
        data = file.read()
    end = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps({"__metadata__": header["__metadata__"],
                       **json.loads(data[8:end])}).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data[end:])


if len(sys.argv) == 2:
    make_same()
    make_tower()
elif sys.argv[3] in ("same", "tower"):
    check(sys.argv[2], sys.argv[3])
else:
    replace(sys.argv[2], sys.argv[3])
