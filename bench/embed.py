# ===- embed.py - From JPEG files to vectors, beside other libraries -------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python bench/embed.py prepare CACHE      (torch, transformers, onnx, onnxscript, pillow)
PYTHONPATH=BUILD/python python bench/embed.py run CACHE [--model s] [--images 1000] [--rounds 2]

Embeds JPEG files with a DINOv2 of random weights by vitrt, ONNX Runtime and OpenVINO, in turn, on
two threads, in batches of 8: decoding and preparing included, which the other two do with Pillow
and NumPy as their guides do. Prints images/s of each (the best round) and the least cosine between
the vectors."""

import argparse
import os
import time

import numpy

BATCH, THREADS = 8, 2
WIDTHS = {"ti": (192, 3), "s": (384, 6)}


def prepare(cache, count):
    import torch
    import transformers
    from PIL import Image

    for name, (width, heads) in WIDTHS.items():
        torch.manual_seed(0)
        config = transformers.Dinov2Config(hidden_size=width, num_attention_heads=heads, image_size=224, patch_size=14)
        model = transformers.Dinov2Model(config).eval()
        folder = os.path.join(cache, name)
        model.save_pretrained(folder)
        transformers.BitImageProcessor(
            size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=3,
            image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
        ).save_pretrained(folder)

        class Pooled(torch.nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(x).pooler_output

        torch.onnx.export(
            Pooled(model), (torch.zeros(BATCH, 3, 224, 224),), folder + ".onnx", input_names=["x"], output_names=["y"],
            dynamo=True, external_data=False,
        )
    generator = numpy.random.default_rng(0)
    os.makedirs(os.path.join(cache, "pictures"), exist_ok=True)
    for index in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=numpy.uint8)).resize((640, 480), 3)
        fine = generator.normal(0, 6, (480, 640, 1))
        pixels = numpy.clip(numpy.asarray(coarse) + fine, 0, 255).astype(numpy.uint8)
        Image.fromarray(pixels).save(os.path.join(cache, "pictures", "%04d.jpg" % index), quality=90)


def load_with_pillow(path):
    from PIL import Image

    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([int(size * scale) for size in image.size], Image.BICUBIC)
    left, top = ((size - 224) // 2 for size in image.size)
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), dtype=numpy.float32)
    pixels = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return pixels.transpose(2, 0, 1)


def embed_with(infer, paths):
    rows = []
    for first in range(0, len(paths), BATCH):
        batch = numpy.stack([load_with_pillow(path) for path in paths[first : first + BATCH]]).astype(numpy.float32)
        rows.append(infer(batch))
    return numpy.concatenate(rows)


def libraries(cache, name):
    import onnxruntime
    import openvino
    import vitrt

    onnx = os.path.join(cache, name + ".onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    # In f32, as the others.
    compiled = core.compile_model(onnx, "CPU", {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32"})
    model = vitrt.load(os.path.join(cache, name), threads=THREADS)
    return {
        "vitrt": lambda paths: model.embed(paths, batch=BATCH),
        "onnxruntime": lambda paths: embed_with(lambda x: session.run(None, {"x": x})[0], paths),
        "openvino": lambda paths: embed_with(lambda x: compiled(x)[0], paths),
    }


def run(cache, name, count, rounds):
    paths = sorted(os.path.join(cache, "pictures", file) for file in os.listdir(os.path.join(cache, "pictures")))[:count]
    found, best = {}, {}
    calls = libraries(cache, name)
    for call in calls.values():
        call(paths[:BATCH])
    for _ in range(rounds):
        for library, call in calls.items():
            begin = time.perf_counter()
            found[library] = call(paths)
            seconds = time.perf_counter() - begin
            best[library] = max(best.get(library, 0), len(paths) / seconds)
    own = found["vitrt"]
    for library, rate in best.items():
        rows = found[library]
        cosine = (own * rows).sum(1) / numpy.linalg.norm(own, axis=1) / numpy.linalg.norm(rows, axis=1)
        print("%-12s %8.1f images/s  vitrt is %.2f times as fast  least cosine %.6f" % (
            library, rate, best["vitrt"] / rate, cosine.min()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["prepare", "run"])
    parser.add_argument("cache")
    parser.add_argument("--model", choices=sorted(WIDTHS), default="s")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if options.command == "prepare":
        prepare(options.cache, options.images)
    else:
        run(options.cache, options.model, options.images, options.rounds)


main()
