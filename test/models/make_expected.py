#!/usr/bin/env python3
# ===- make_expected.py - Expected results of the models in models/ --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Writes Inputs/NAME/golden.safetensors for each model text: the results of the
original library (torch, timm, vit-pytorch) in double, with the weights of
`vit-check-import export models/NAME.mlir` and the input sin(0.37 i).

    pip install torch timm vit-pytorch safetensors numpy
    make_expected.py --tool build/release/bin/vit-check-import
"""

import argparse
import os
import subprocess
import tempfile

import numpy as np
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from vit_pytorch import SimpleViT, ViT
from vit_pytorch.simple_vit import posemb_sincos_2d

SIZE, PATCHES = 32, 64


class Tutorial(nn.Module):
    """The CIFAR-10 tutorial's model, with attention over the tokens of each
    picture, four heads, the mean of the patch tokens and no softmax."""

    class Block(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.norm1 = nn.LayerNorm(dim)
            self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
            self.norm2 = nn.LayerNorm(dim)
            self.mlp = nn.Sequential(
                nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

        def forward(self, x):
            x = self.norm1(x)
            x = x + self.attn(x, x, x)[0]
            x = self.norm2(x)
            return x + self.mlp(x)

    def __init__(self, dim=100, heads=4, depth=2):
        super().__init__()
        self.unfold = nn.Unfold(kernel_size=4, stride=4)
        self.linear_projector = nn.Linear(48, dim)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positional_embedding = nn.Parameter(torch.zeros(1, PATCHES + 1, dim))
        self.blocks = nn.ModuleList([self.Block(dim, heads) for _ in range(depth)])
        self.mlp = nn.Sequential(nn.Linear(dim, 10))

    def forward(self, x):
        x = self.linear_projector(self.unfold(x).transpose(1, 2))
        x = torch.cat((self.class_token.expand(len(x), -1, -1), x), dim=1)
        x = x + self.positional_embedding
        for block in self.blocks:
            x = block(x)
        return self.mlp(x[:, 1:].mean(dim=1))


class PostNorm(nn.Module):
    """A ViT over torch.nn.TransformerEncoder with its defaults."""

    def __init__(self, dim=128, heads=4, depth=4):
        super().__init__()
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, dim, 4, stride=4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, PATCHES + 1, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 512, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1)
        return self.head(self.encoder(x + self.pos_embed)[:, 0])


def small_timm(**options):
    return timm.create_model("vit_tiny_patch16_224", img_size=SIZE, patch_size=4,
                             depth=6, num_classes=10, **options)


def sincos(side, dim):
    """vit-pytorch's table in double: the library rounds it to float even for a
    double model, which would hide smaller differences."""
    torch.set_default_dtype(torch.float64)
    table = posemb_sincos_2d(side, side, dim, dtype=torch.float64)
    torch.set_default_dtype(torch.float32)
    return table


def sincos_timm():
    """timm's model with fixed positions, for the patches only."""
    model = small_timm(no_embed_class=True)
    del model.pos_embed
    model.pos_embed = sincos(8, 192)[None]
    return model


def from_scratch():
    return ViT(image_size=SIZE, patch_size=4, num_classes=10, dim=128, depth=6,
               heads=4, dim_head=64, mlp_dim=512)


def simple_vit():
    model = SimpleViT(image_size=224, patch_size=16, num_classes=1000, dim=384,
                      depth=12, heads=6, mlp_dim=1536)
    model.pos_embedding = sincos(14, 384)
    return model


MODELS = {
    "vit-ti16": lambda: timm.create_model("vit_tiny_patch16_224"),
    "vit-s16": lambda: timm.create_model("vit_small_patch16_224"),
    "vit-b16": lambda: timm.create_model("vit_base_patch16_224"),
    "deit-ti16": lambda: timm.create_model("deit_tiny_patch16_224"),
    "deit-ti16-distilled":
        lambda: timm.create_model("deit_tiny_distilled_patch16_224"),
    "vit-cifar10": small_timm,
    "from-scratch": from_scratch,
    "simple-vit": simple_vit,
    "cifar10-tutorial": Tutorial,
    "post-norm": PostNorm,
    "flow-note": small_timm,
    "flow-note-sincos": sincos_timm,
}


def rename(name, weights):
    """Maps tensors that the text stores with another shape or name."""
    if name == "flow-note":
        weights["pos_embed"] = weights.pop("pos_emb.weight")[None]
    if name == "from-scratch":
        weights["cls_token"] = weights["cls_token"][0]
        weights["pos_embedding"] = weights["pos_embedding"][0]
    return weights


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True, help="vit-check-import")
    parser.add_argument("--only", help="one model")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    for name, make in MODELS.items():
        if options.only and name != options.only:
            continue
        text = os.path.join(here, "..", "..", "models", name + ".mlir")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weights.safetensors")
            subprocess.run([options.tool, "export", text, "-o", path], check=True)
            weights = rename(name, load_file(path))
        model = make().double().eval()
        model.load_state_dict(weights, strict=True)
        size = 224 if weights_are_big(weights) else SIZE
        batch = 1 if size == 224 else 2
        count = batch * 3 * size * size
        x = np.sin(0.37 * np.arange(count)).astype(np.float32).astype(np.float64)
        logits = model(torch.from_numpy(x).reshape(batch, 3, size, size))
        folder = os.path.join(here, "Inputs", name)
        os.makedirs(folder, exist_ok=True)
        save_file({"logits": logits}, os.path.join(folder, "golden.safetensors"))
        print(f"{name}: {list(logits.shape)}, largest {logits.abs().max():.3f}")


def weights_are_big(weights):
    return any(tensor.shape[0] == 1000 for tensor in weights.values())


if __name__ == "__main__":
    main()
