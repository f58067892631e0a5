#!/usr/bin/env python3
#===- make_clip.py - Tiny image towers and embeddings of labels ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===------------------------------------------------------------------------===#
#
# usage: make_clip.py FOLDER
#
# Writes clip/ and siglip/ (transformers, 16x16 pictures, width 8, embeddings of
# 8) with a logit_scale and, for SigLIP, a logit_bias; embeddings of the labels
# cat, dog and fish; and faulty ones.
#
#===------------------------------------------------------------------------===#

import json
import math
import os
import random
import sys

from files import write_npy, write_png, write_safetensors

WIDTH, LABELS = 8, ["cat", "dog", "fish"]
folder = sys.argv[1]
rng = random.Random(5)


def values(*shape, scale=0.5, mean=0.0):
    return shape, [rng.gauss(mean, scale) for _ in range(math.prod(shape))]


def linear(tensors, name, outputs, inputs):
    tensors[name + ".weight"] = values(outputs, inputs)
    tensors[name + ".bias"] = values(outputs)


def norm(tensors, name):
    tensors[name + ".weight"] = values(WIDTH, mean=1.0)
    tensors[name + ".bias"] = values(WIDTH)


def tower(has_class):
    tensors = {}
    start = "vision_model."
    tensors[start + "embeddings.patch_embedding.weight"] = values(WIDTH, 3, 8, 8)
    tensors[start + "embeddings.position_embedding.weight"] = values(
        4 + has_class, WIDTH)
    block = start + "encoder.layers.0."
    norm(tensors, block + "layer_norm1")
    norm(tensors, block + "layer_norm2")
    for part in ["q_proj", "k_proj", "v_proj", "out_proj"]:
        linear(tensors, block + "self_attn." + part, WIDTH, WIDTH)
    linear(tensors, block + "mlp.fc1", 16, WIDTH)
    linear(tensors, block + "mlp.fc2", WIDTH, 16)
    norm(tensors, start + "post_layernorm")
    return tensors


def write_model(name, tensors, extra):
    os.makedirs(os.path.join(folder, name))
    config = {"model_type": name, "vision_config": {
        "model_type": name + "_vision_model", "hidden_size": WIDTH,
        "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 16, "patch_size": 8}}
    config.update(extra)
    preparation = {"image_processor_type": "CLIPImageProcessor",
                   "size": {"height": 16, "width": 16}, "do_center_crop": False,
                   "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    for file, what in [("config.json", config),
                       ("preprocessor_config.json", preparation)]:
        with open(os.path.join(folder, name, file), "w") as stream:
            json.dump(what, stream)
    write_safetensors(os.path.join(folder, name, "model.safetensors"), tensors)


def write_clip():
    tensors = tower(has_class=True)
    tensors["vision_model.embeddings.class_embedding"] = values(WIDTH)
    norm(tensors, "vision_model.pre_layrnorm")
    tensors["visual_projection.weight"] = values(8, WIDTH)
    tensors["logit_scale"] = ((), [math.log(20.0)])
    write_model("clip", tensors, {"projection_dim": 8})


def write_siglip():
    tensors = tower(has_class=False)
    tensors["vision_model.embeddings.patch_embedding.bias"] = values(WIDTH)
    head = "vision_model.head."
    tensors[head + "probe"] = values(1, 1, WIDTH)
    tensors[head + "attention.in_proj_weight"] = values(3 * WIDTH, WIDTH)
    tensors[head + "attention.in_proj_bias"] = values(3 * WIDTH)
    linear(tensors, head + "attention.out_proj", WIDTH, WIDTH)
    norm(tensors, head + "layernorm")
    linear(tensors, head + "mlp.fc1", 16, WIDTH)
    linear(tensors, head + "mlp.fc2", WIDTH, 16)
    tensors["logit_scale"] = ((1,), [math.log(10.0)])
    tensors["logit_bias"] = ((1,), [-2.0])
    write_model("siglip", tensors, {})


def write_labels():
    rows = [values(WIDTH)[1] for _ in LABELS]
    flat = sum(rows, [])

    def write(name, values, names=LABELS, width=WIDTH):
        path = os.path.join(folder, name)
        write_npy(path + ".npy", [len(values) // width, width], values)
        if names:
            with open(path + ".txt", "w") as stream:
                stream.write("".join(one + "\n" for one in names))

    write("labels", flat)
    write("scaled", [3.5 * x for x in flat])
    write("unnamed", flat, names=None)
    write("short", flat, names=LABELS[:2])
    write("wide", flat + flat, width=2 * WIDTH)
    write("zero", flat[:-WIDTH] + [0.0] * WIDTH)
    write("infinite", flat[:-1] + [math.inf])
    write_safetensors(os.path.join(folder, "each.safetensors"),
                      {name: ((WIDTH,), row)
                       for name, row in zip(LABELS, rows)})
    write_safetensors(os.path.join(folder, "with-scale.safetensors"),
                      dict({name: ((1, WIDTH), row)
                            for name, row in zip(LABELS, rows)},
                           logit_scale=((), [math.log(20.0)])))


write_clip()
write_siglip()
write_labels()
write_png(os.path.join(folder, "picture.png"), 16, 16,
          lambda x, y: (x * 15, y * 15, 99))
