# ===- make_attention.py - Models whose attention is known -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes timm checkpoints of one layer for pictures of 32 x 16 pixels, a grid
of 2 rows and 4 columns: every patch looks at patch 6 (row 1, column 2), every
token before the patches at patch 1 (row 0, column 1).

  registers/   four registers, no class token
  class/       a class token and two registers
  distilled/   a class and a distillation token
  plain/       patches alone
  picture.png, square.png  grey pictures of 32 x 16 and 32 x 32 pixels

  python3 make_attention.py FOLDER
  python3 make_attention.py --hottest MAP.png   prints the brightest patch
"""

import json
import os
import sys

import files

ROWS, COLUMNS, PATCH, WIDTH = 2, 4, 8, 8
TARGET, DECOY = 6, 1

# A feature is a pair of channels of opposite sign: the mean of a token is 0.
IS_PATCH, IS_TARGET, IS_PREFIX, IS_DECOY = range(4)


def token(*features):
    values = [0.0] * WIDTH
    for feature in features:
        values[2 * feature], values[2 * feature + 1] = 1.0, -1.0
    return values


def patch_token(index):
    features = [IS_PATCH]
    if index == TARGET:
        features.append(IS_TARGET)
    if index == DECOY:
        features.append(IS_DECOY)
    return token(*features)


def zeros(*shape):
    count = 1
    for size in shape:
        count *= size
    return list(shape), [0.0] * count


def ones(size):
    return [size], [1.0] * size


def attention_weight():
    """Query: channel 0 of patches, channel 1 of others. Key: channel 0 of the
    target, channel 1 of the decoy."""
    rows = [[0.0] * WIDTH for _ in range(3 * WIDTH)]
    rows[0][2 * IS_PATCH] = rows[1][2 * IS_PREFIX] = 4.0
    rows[WIDTH][2 * IS_TARGET] = rows[WIDTH + 1][2 * IS_DECOY] = 4.0
    return [3 * WIDTH, WIDTH], [value for row in rows for value in row]


def write_model(folder, architecture, before, args):
    """`before`: name -> number of tokens of this kind before the patches."""
    patches = [patch_token(i) for i in range(ROWS * COLUMNS)]
    # timm's distilled model adds positions to the tokens before the patches.
    table = patches
    if "dist_token" in before:
        table = [[0.0] * WIDTH] * 2 + patches
    tensors = {
        "patch_embed.proj.weight": zeros(WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": zeros(WIDTH),
        "pos_embed": ([1, len(table), WIDTH], sum(table, [])),
        "blocks.0.attn.qkv.weight": attention_weight(),
        "blocks.0.attn.qkv.bias": zeros(3 * WIDTH),
        "blocks.0.attn.proj.weight": zeros(WIDTH, WIDTH),
        "blocks.0.attn.proj.bias": zeros(WIDTH),
        "blocks.0.mlp.fc1.weight": zeros(WIDTH, WIDTH),
        "blocks.0.mlp.fc1.bias": zeros(WIDTH),
        "blocks.0.mlp.fc2.weight": zeros(WIDTH, WIDTH),
        "blocks.0.mlp.fc2.bias": zeros(WIDTH),
    }
    norm = "fc_norm" if args.get("global_pool") == "avg" else "norm"
    for name in ("blocks.0.norm1", "blocks.0.norm2", norm):
        tensors[name + ".weight"], tensors[name + ".bias"] = ones(WIDTH), zeros(WIDTH)
    for name in ["head"] + ["head_dist"] * ("dist_token" in before):
        tensors[name + ".weight"] = zeros(3, WIDTH)
        tensors[name + ".bias"] = [3], [0.0, 1.0, 2.0]
    for name, count in before.items():
        tensors[name] = [1, count, WIDTH], token(IS_PREFIX) * count
    os.makedirs(folder, exist_ok=True)
    files.write_safetensors(folder + "/model.safetensors", tensors)
    with open(folder + "/config.json", "w") as file:
        json.dump({
            "architecture": architecture, "num_classes": 3,
            "model_args": dict({
                "img_size": [ROWS * PATCH, COLUMNS * PATCH], "patch_size": PATCH,
                "embed_dim": WIDTH, "depth": 1, "num_heads": 1, "mlp_ratio": 1.0},
                **args),
            "pretrained_cfg": {
                "input_size": [3, ROWS * PATCH, COLUMNS * PATCH],
                "fixed_input_size": True, "interpolation": "bicubic",
                "crop_pct": 1.0, "mean": [0.5] * 3, "std": [0.5] * 3}}, file)


def print_hottest(path):
    width, height, pixels = files.read_png(path)
    best = None
    for row in range(ROWS):
        for column in range(COLUMNS):
            x = int((column + 0.5) * width / COLUMNS)
            y = int((row + 0.5) * height / ROWS)
            red, green = pixels[y][3 * x : 3 * x + 2]
            if best is None or red + green > best[0]:
                best = red + green, row * COLUMNS + column
    print("brightest patch", best[1])


if sys.argv[1] == "--hottest":
    print_hottest(sys.argv[2])
    sys.exit()
folder = sys.argv[1]
plain = "vit_tiny_patch16_224"
gap = {"class_token": False, "global_pool": "avg", "no_embed_class": True}
write_model(folder + "/registers", plain, {"reg_token": 4}, dict(gap, reg_tokens=4))
write_model(folder + "/class", plain, {"cls_token": 1, "reg_token": 2},
            {"no_embed_class": True, "reg_tokens": 2})
write_model(folder + "/distilled", "deit_tiny_distilled_patch16_224",
            {"cls_token": 1, "dist_token": 1}, {})
write_model(folder + "/plain", plain, {}, gap)
for name, height in (("picture", 16), ("square", 32)):
    files.write_png(folder + "/%s.png" % name, 32, height, lambda x, y: (128,) * 3)
