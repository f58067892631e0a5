# ===- make_tiny.py - Writes a tiny model and its training data ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes reproducible files to a folder:

  data/       MNIST idx files: 96 training and 32 test pictures of 8 x 8 pixels,
              10 classes: one row or column of the picture is bright
  model.mlir  a ViT for them: patches of 4, width 32, 2 layers, 2 heads, class
              token, dropout 0.1; names of timm

  python3 make_tiny.py FOLDER [CLASSES [IMAGE]]

CLASSES: the number of classes of the model. IMAGE: its picture size.
"""

import os
import random
import struct
import sys

TEXT = """// Made by make_tiny.py.
!image = tensor<?x1x%(image)dx%(image)dxf32>
!patches = tensor<?x%(patches)dx16xf32>
!embedded = tensor<?x%(patches)dx32xf32>
!tokens = tensor<?x%(rows)dx32xf32>
!hidden = tensor<?x%(rows)dx64xf32>
!probabilities = tensor<?x2x%(rows)dx%(rows)dxf32>
!pooled = tensor<?x32xf32>
!logits = tensor<?x%(classes)dxf32>
!patch_matrix = tensor<32x16xf32>
!square = tensor<32x32xf32>
!fc1_matrix = tensor<64x32xf32>
!fc2_matrix = tensor<32x64xf32>
!head_matrix = tensor<%(classes)dx32xf32>
!vector = tensor<32xf32>
!hidden_vector = tensor<64xf32>
!class_vector = tensor<%(classes)dxf32>
!token = tensor<1x32xf32>
!positions = tensor<%(rows)dx32xf32>

module attributes {
  vit.preprocessing = {
    channels = 1, height = %(image)d, width = %(image)d, resize_height = %(image)d, resize_width = %(image)d,
    center_crop = 0, interpolation = 2, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5>, std = array<f32: 0.5>
  }
} {
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.25> stored<"patch_embed.proj.weight", [32, 1, 4, 4], 0 to 32>
  vit.parameter @patch.bias : !vector init<uniform, 0.25> stored<"patch_embed.proj.bias", [32], 0 to 32>
  vit.parameter @class_token : !token init<normal, 1.0e-06> stored<"cls_token", [1, 1, 32], 0 to 1>
  vit.parameter @positions : !positions init<trunc_normal, 0.02> stored<"pos_embed", [1, %(rows)d, 32], 0 to 1>
  vit.parameter @norm1.weight : 2 x !vector init<constant, 1.0> stored<"blocks.{}.norm1.weight", [32], 0 to 32>
  vit.parameter @norm1.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.norm1.bias", [32], 0 to 32>
  vit.parameter @norm2.weight : 2 x !vector init<constant, 1.0> stored<"blocks.{}.norm2.weight", [32], 0 to 32>
  vit.parameter @norm2.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.norm2.bias", [32], 0 to 32>
  vit.parameter @norm.weight : !vector init<constant, 1.0> stored<"norm.weight", [32], 0 to 32>
  vit.parameter @norm.bias : !vector init<constant, 0.0> stored<"norm.bias", [32], 0 to 32>
  vit.parameter @query.weight : 2 x !square init<trunc_normal, 0.02> stored<"blocks.{}.attn.qkv.weight", [96, 32], 0 to 32>
  vit.parameter @query.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 0 to 32>
  vit.parameter @key.weight : 2 x !square init<trunc_normal, 0.02> stored<"blocks.{}.attn.qkv.weight", [96, 32], 32 to 64>
  vit.parameter @key.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 32 to 64>
  vit.parameter @value.weight : 2 x !square init<trunc_normal, 0.02> stored<"blocks.{}.attn.qkv.weight", [96, 32], 64 to 96>
  vit.parameter @value.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 64 to 96>
  vit.parameter @out.weight : 2 x !square init<trunc_normal, 0.02> stored<"blocks.{}.attn.proj.weight", [32, 32], 0 to 32>
  vit.parameter @out.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.attn.proj.bias", [32], 0 to 32>
  vit.parameter @fc1.weight : 2 x !fc1_matrix init<trunc_normal, 0.02> stored<"blocks.{}.mlp.fc1.weight", [64, 32], 0 to 64>
  vit.parameter @fc1.bias : 2 x !hidden_vector init<constant, 0.0> stored<"blocks.{}.mlp.fc1.bias", [64], 0 to 64>
  vit.parameter @fc2.weight : 2 x !fc2_matrix init<trunc_normal, 0.02> stored<"blocks.{}.mlp.fc2.weight", [32, 64], 0 to 32>
  vit.parameter @fc2.bias : 2 x !vector init<constant, 0.0> stored<"blocks.{}.mlp.fc2.bias", [32], 0 to 32>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02> stored<"head.weight", [%(classes)d, 32], 0 to %(classes)d>
  vit.parameter @head.bias : !class_vector init<constant, 0.0> stored<"head.bias", [%(classes)d], 0 to %(classes)d>
  func.func @forward(%%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %%patches = vit.patchify %%image patch [4, 4] order chw : (!image) -> !patches loc("patch_embed.proj")
    %%patch_weight = vit.read @patch.weight : !patch_matrix
    %%patch_bias = vit.read @patch.bias : !vector
    %%projected = vit.linear %%patches, %%patch_weight, %%patch_bias : (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %%class_token = vit.read @class_token : !token
    %%with_class = vit.prepend_tokens %%projected, %%class_token : (!embedded, !token) -> !tokens loc("cls_token")
    %%positions = vit.read @positions : !positions
    %%placed = vit.add %%with_class, %%positions : (!tokens, !positions) -> !tokens loc("pos_embed")
    %%start = vit.dropout %%placed probability 0.1 : !tokens loc("pos_drop")
    %%encoded = vit.layers 2 (%%i, %%x = %%start) : !tokens {
      %%s1 = vit.read @norm1.weight[%%i] : !vector
      %%b1 = vit.read @norm1.bias[%%i] : !vector
      %%norm1 = vit.layer_norm %%x scale %%s1 bias %%b1 epsilon 1.0e-06 : (!tokens, !vector, !vector) -> !tokens loc("blocks.{}.norm1")
      %%qw = vit.read @query.weight[%%i] : !square
      %%qb = vit.read @query.bias[%%i] : !vector
      %%query = vit.linear %%norm1, %%qw, %%qb : (!tokens, !square, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %%kw = vit.read @key.weight[%%i] : !square
      %%kb = vit.read @key.bias[%%i] : !vector
      %%key = vit.linear %%norm1, %%kw, %%kb : (!tokens, !square, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %%vw = vit.read @value.weight[%%i] : !square
      %%vb = vit.read @value.bias[%%i] : !vector
      %%value = vit.linear %%norm1, %%vw, %%vb : (!tokens, !square, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %%context, %%attention = vit.attention %%query, %%key, %%value heads 2 scale 0.25 : (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("blocks.{}.attn")
      %%ow = vit.read @out.weight[%%i] : !square
      %%ob = vit.read @out.bias[%%i] : !vector
      %%out = vit.linear %%context, %%ow, %%ob : (!tokens, !square, !vector) -> !tokens loc("blocks.{}.attn.proj")
      %%attended = vit.add %%out, %%x : (!tokens, !tokens) -> !tokens loc("blocks.{}.attn.proj")
      %%s2 = vit.read @norm2.weight[%%i] : !vector
      %%b2 = vit.read @norm2.bias[%%i] : !vector
      %%norm2 = vit.layer_norm %%attended scale %%s2 bias %%b2 epsilon 1.0e-06 : (!tokens, !vector, !vector) -> !tokens loc("blocks.{}.norm2")
      %%w1 = vit.read @fc1.weight[%%i] : !fc1_matrix
      %%c1 = vit.read @fc1.bias[%%i] : !hidden_vector
      %%fc1 = vit.linear %%norm2, %%w1, %%c1 : (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("blocks.{}.mlp.fc1")
      %%active = vit.gelu erf %%fc1 : !hidden loc("blocks.{}.mlp.fc1")
      %%w2 = vit.read @fc2.weight[%%i] : !fc2_matrix
      %%c2 = vit.read @fc2.bias[%%i] : !vector
      %%fc2 = vit.linear %%active, %%w2, %%c2 : (!hidden, !fc2_matrix, !vector) -> !tokens loc("blocks.{}.mlp.fc2")
      %%next = vit.add %%fc2, %%attended : (!tokens, !tokens) -> !tokens loc("blocks.{}.mlp.fc2")
      vit.yield %%next : !tokens
    } loc("blocks")
    %%final_scale = vit.read @norm.weight : !vector
    %%final_shift = vit.read @norm.bias : !vector
    %%final = vit.layer_norm %%encoded scale %%final_scale bias %%final_shift epsilon 1.0e-06 : (!tokens, !vector, !vector) -> !tokens loc("norm")
    %%cls = vit.take_tokens %%final from 0 : (!tokens) -> !pooled loc("norm")
    %%head_weight = vit.read @head.weight : !head_matrix
    %%head_bias = vit.read @head.bias : !class_vector
    %%logits = vit.linear %%cls, %%head_weight, %%head_bias : (!pooled, !head_matrix, !class_vector) -> !logits loc("head")
    return %%logits : !logits
  }
}
"""


def make_text(classes, image):
    patches = (image // 4) ** 2
    return TEXT % {"classes": classes, "image": image, "patches": patches,
                   "rows": patches + 1}


def write_idx(folder, name, count, generator, image=8):
    labels = bytes(generator.randrange(10) for _ in range(count))
    pixels = bytearray()
    for label in labels:
        for y in range(image):
            for x in range(image):
                bright = y == label if label < 8 else x == 3 * (label - 8)
                pixels.append((200 if bright else 20) + generator.randrange(50))
    with open("%s/%s-images-idx3-ubyte" % (folder, name), "wb") as file:
        file.write(struct.pack(">IIII", 2051, count, image, image) + bytes(pixels))
    with open("%s/%s-labels-idx1-ubyte" % (folder, name), "wb") as file:
        file.write(struct.pack(">II", 2049, count) + labels)


if __name__ == "__main__":
    folder = sys.argv[1]
    classes = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    image = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    os.makedirs(folder + "/data", exist_ok=True)
    generator = random.Random(7)
    write_idx(folder + "/data", "train", 96, generator)
    write_idx(folder + "/data", "t10k", 32, generator)
    with open(folder + "/model.mlir", "w") as file:
        file.write(make_text(classes, image))
