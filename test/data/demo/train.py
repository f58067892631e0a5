#!/usr/bin/env python3
# ===- train.py - Trains the demo's checkpoint -----------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Trains shapes-vit on pictures of draw.py and writes it with transformers.

Needs torch, transformers, numpy and Pillow; see README.md for versions and time.

  train.py --out shapes-vit
"""
import argparse
import multiprocessing
import os
import time

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

import draw

SIZE = 64
NAMES = list(draw.SHAPES)
MUON, ADAM = 0.02, 2e-3  # learning rates
HELD_OUT = 1_000_000  # first picture that is not used for training


def picture(job):
    name, seed, size = job
    return draw.draw(name, seed, size)


def pictures(first, count, size):
    """`count` pictures of each class: [N, 3, size, size] bytes, and labels."""
    jobs = [(name, seed, size) for seed in range(first, first + count) for name in NAMES]
    with multiprocessing.Pool() as pool:
        drawn = pool.map(picture, jobs, chunksize=16)
    images = np.stack([np.frombuffer(d, np.uint8).reshape(size, size, 3) for d in drawn])
    return images, torch.tensor([NAMES.index(name) for name, _, _ in jobs])


def augment(x):
    """Randomly shifts, exchanges channels, flips and inverts each image."""
    x = torch.nn.functional.pad(x, (6, 6, 6, 6), mode="reflect")
    out = torch.empty(len(x), 3, SIZE, SIZE)
    for i, (dy, dx) in enumerate(torch.randint(0, 13, (len(x), 2)).tolist()):
        y = x[i, torch.randperm(3), dy : dy + SIZE, dx : dx + SIZE]
        out[i] = y.flip(2) if dx % 2 else y
    return out * torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, -1.0, 1.0)


def accuracy(model, images, labels):
    """Resizes with Pillow, like pictures of users."""
    right = 0
    for i in range(0, len(images), 100):
        batch = [Image.fromarray(im).resize((SIZE, SIZE), Image.BILINEAR) for im in images[i : i + 100]]
        x = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad():
            right += (model(x).logits.argmax(1) == labels[i : i + 100]).sum().item()
    return right / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--pictures", type=int, default=600, help="of each class")
    parser.add_argument("--held-out", type=int, default=100, help="of each class")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--minutes", type=float, help="shorten the schedule to end after about this long")
    parser.add_argument("--verbose", action="store_true")
    a = parser.parse_args()
    torch.manual_seed(0)

    images, labels = pictures(0, a.pictures, SIZE)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    held, held_labels = pictures(HELD_OUT, a.held_out, 2 * SIZE)
    print(f"{len(x)} pictures drawn, {len(held)} held out", flush=True)

    model = ViTForImageClassification(
        ViTConfig(
            image_size=SIZE, patch_size=8, hidden_size=64, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
            layer_norm_eps=1e-6, id2label=dict(enumerate(NAMES)), label2id={n: i for i, n in enumerate(NAMES)},
        )
    )
    # Muon for the matrices of the layers (twice as fast here), AdamW for the rest.
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n and "classifier" not in n]
    rest = [p for p in model.parameters() if all(p is not q for q in inner)]
    optimizers = [torch.optim.Muon(inner, lr=MUON, weight_decay=0.01), torch.optim.AdamW(rest, lr=ADAM, weight_decay=0.01)]
    batch, steps, start = 64, a.epochs * (len(x) // 64), time.time()
    done = 0.0  # share of the schedule: by steps or by time, whichever ends first
    epoch = 0
    while done < 1:
        total = 0.0
        model.train()
        order = torch.randperm(len(x))
        for i in range(len(x) // batch):
            step = epoch * (len(x) // batch) + i
            done = step / steps
            if a.minutes:
                done = max(done, (time.time() - start) / 60 / a.minutes)
            done = min(done, 1.0)
            for optimizer, rate in zip(optimizers, (MUON, ADAM)):
                for group in optimizer.param_groups:
                    group["lr"] = rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * done))
            pick = order[i * batch : (i + 1) * batch]
            loss = cross_entropy(model(augment(x[pick])).logits, labels[pick])
            model.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            total += loss.item()
            if a.verbose and step % 20 == 0:
                print(f"step {step} of {steps}: loss {loss.item():.3f}, {time.time() - start:.0f} s", flush=True)
        epoch += 1
        done = max(done, epoch / a.epochs)
        model.eval()
        good = accuracy(model, held, held_labels)
        print(f"epoch {epoch} loss {total / (len(x) // batch):.4f} held-out {100 * good:.1f} % {time.time() - start:.0f} s", flush=True)

    model = model.eval().half()
    model.save_pretrained(a.out)
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(a.out)
    # Evaluate the stored model: f16 weights, f32 arithmetic.
    stored = ViTForImageClassification.from_pretrained(a.out, dtype=torch.float32).eval()
    print(f"held-out accuracy {100 * accuracy(stored, held, held_labels):.2f} % of {len(held)}")
    size = sum(os.path.getsize(os.path.join(a.out, f)) for f in os.listdir(a.out))
    print(f"{a.out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
