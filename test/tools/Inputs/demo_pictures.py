# ===- demo_pictures.py - Pictures as a model wants them --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Prepares pictures of data/demo/draw.py, which have the size of their model."""

import array
import json
import os

import files


def f32(value):
    return array.array("f", [value])[0]


def prepare(data, model, output):
    """Writes the pictures DATA/CLASS/NAME.png in the order of the data set, prepared
    as the model's config says, to OUTPUT (npy). Returns their classes."""
    with open(model + "/config.json") as file:
        classes = {name: int(index) for index, name in json.load(file)["id2label"].items()}
    pixels, labels = array.array("f"), []
    for name in sorted(os.listdir(data)):
        for picture in sorted(os.listdir(os.path.join(data, name))):
            width, height, rows = files.read_png(os.path.join(data, name, picture))
            labels.append(classes[name])
            # As the data library: by 255, not by a rounded factor. Mean and deviation are 0.5.
            table = [f32(f32(f32(v / 255) - 0.5) / 0.5) for v in range(256)]
            for channel in range(3):
                pixels.extend(table[rows[y][3 * x + channel]] for y in range(height) for x in range(width))
    files.write_npy(output, [len(labels), 3, height, width], pixels)
    return labels
