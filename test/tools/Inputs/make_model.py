# ===- make_model.py - Writes a tiny checkpoint and its inputs -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes reproducible files to a folder:

  vit/      a transformers checkpoint: image 16, patch 4, width 32, 2 layers,
            2 heads, 7 classes, random weights
  x.npy     five inputs [5, 3, 16, 16]; one.npy: the first one; f64.npy and
            f16.npy: the same in these types; i32.npy: integers
  picture.png, data/{cat,dog}/*.png   pictures

  python3 make_model.py FOLDER
"""

import json
import os
import random
import sys

import files

WIDTH, HIDDEN, LAYERS, HEADS, IMAGE, PATCH, CLASSES = 32, 64, 2, 2, 16, 4, 7

folder = sys.argv[1]
os.makedirs(folder + "/vit", exist_ok=True)
random.seed(1)
tensors = {}


def add(name, *shape, scale=None, mean=0.0):
    count = 1
    for size in shape:
        count *= size
    scale = scale or (count / shape[0]) ** -0.5
    tensors[name] = (list(shape),
                     [random.gauss(mean, scale) for _ in range(count)])


def add_linear(name, outputs, inputs):
    add(name + ".weight", outputs, inputs)
    add(name + ".bias", outputs, scale=0.1)


def add_norm(name):
    add(name + ".weight", WIDTH, scale=0.2, mean=1.0)
    add(name + ".bias", WIDTH, scale=0.2)


embeddings = "vit.embeddings."
add(embeddings + "cls_token", 1, 1, WIDTH, scale=0.5)
add(embeddings + "position_embeddings", 1, (IMAGE // PATCH) ** 2 + 1, WIDTH, scale=0.5)
add(embeddings + "patch_embeddings.projection.weight", WIDTH, 3, PATCH, PATCH)
add(embeddings + "patch_embeddings.projection.bias", WIDTH, scale=0.1)
for layer in range(LAYERS):
    prefix = "vit.encoder.layer.%d." % layer
    for part in ["query", "key", "value"]:
        add_linear(prefix + "attention.attention." + part, WIDTH, WIDTH)
    add_linear(prefix + "attention.output.dense", WIDTH, WIDTH)
    add_linear(prefix + "intermediate.dense", HIDDEN, WIDTH)
    add_linear(prefix + "output.dense", WIDTH, HIDDEN)
    add_norm(prefix + "layernorm_before")
    add_norm(prefix + "layernorm_after")
add_norm("vit.layernorm")
add_linear("classifier", CLASSES, WIDTH)
files.write_safetensors(folder + "/vit/model.safetensors", tensors)

labels = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
with open(folder + "/vit/config.json", "w") as file:
    json.dump({
        "architectures": ["ViTForImageClassification"], "model_type": "vit",
        "hidden_size": WIDTH, "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "image_size": IMAGE, "patch_size": PATCH, "num_channels": 3,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "qkv_bias": True,
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)}}, file, indent=1)
with open(folder + "/vit/preprocessor_config.json", "w") as file:
    json.dump({
        "image_processor_type": "ViTImageProcessor", "do_resize": True,
        "size": {"height": IMAGE, "width": IMAGE}, "resample": 2,
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3}, file, indent=1)

pixels = 3 * IMAGE * IMAGE
values = [random.gauss(0, 1) for _ in range(5 * pixels)]
shape = [5, 3, IMAGE, IMAGE]
files.write_npy(folder + "/x.npy", shape, values)
files.write_npy(folder + "/one.npy", [1] + shape[1:], values[:pixels])
files.write_npy(folder + "/f64.npy", shape, values, "<f8")
files.write_npy(folder + "/f16.npy", shape, values, "<f2")
files.write_npy(folder + "/i32.npy", shape, [int(v) for v in values], "<i4")
files.write_npy(folder + "/narrow.npy", [1, 3, 16, 12], values[: 3 * 16 * 12])

files.write_png(folder + "/picture.png", 40, 30,
                lambda x, y: (6 * x, 8 * y, (x * y) % 256))
for kind, label in enumerate(["cat", "dog"]):
    os.makedirs(folder + "/data/" + label, exist_ok=True)
    for i in range(6):
        files.write_png("%s/data/%s/%d.png" % (folder, label, i), 20, 20,
                        lambda x, y: ((x * i * 9) % 256, (y * 12) % 256, 200 * kind))
