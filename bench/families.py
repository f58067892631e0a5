#!/usr/bin/env python3
# ===- families.py - Models of ViT families for compare.py -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Makes CLIP, SigLIP, DINOv2, DINOv3 and BEiT with transformers, for vit and OpenVINO.

`export` makes each model in the size of a published checkpoint, with random
weights of a fixed seed, and writes to the cache:
  hf-NAME/               the folder that vit-compile reads
  NAME_bB.xml            OpenVINO's model for batch B
  NAME_bB.in.npy         pictures
  NAME_bB.OUTPUT.npy     what transformers computes from them
`infer` measures OpenVINO and prints a line of JSON with min_ms and median_ms. It
needs openvino and numpy only.
"""
import argparse
import json
import os
import statistics
import time
from typing import NamedTuple

BASE = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
SMALL = dict(hidden_size=384, num_hidden_layers=12, num_attention_heads=6)
TOKENS = ("last_hidden_state", "pooler_output")
CLIP = ("CLIPVisionModelWithProjection", ("image_embeds", "last_hidden_state"))


class Family(NamedTuple):
    """What a checkpoint holds, which is published under the name after #."""

    cls: str  # of transformers
    outputs: tuple
    size: int  # of pictures
    config: dict


FAMILIES = {
    "clip-b32": Family(*CLIP, 224, dict(BASE, patch_size=32)),  # openai/clip-vit-base-patch32
    "clip-b16": Family(*CLIP, 224, dict(BASE, patch_size=16)),  # openai/clip-vit-base-patch16
    "siglip-b16": Family("SiglipVisionModel", TOKENS, 224, dict(BASE, patch_size=16)),  # google/siglip-base-patch16-224
    # facebook/dinov2-small, at the size of its processor and at that of its positions
    "dinov2-s14": Family("Dinov2Model", TOKENS, 224, dict(SMALL, image_size=518, patch_size=14)),
    "dinov2-s14-518": Family("Dinov2Model", TOKENS, 518, dict(SMALL, image_size=518, patch_size=14)),
    # facebook/dinov3-vits16-pretrain-lvd1689m
    "dinov3-s16": Family("DINOv3ViTModel", TOKENS, 224, dict(SMALL, intermediate_size=1536, num_register_tokens=4)),
    # microsoft/beit-base-patch16-224
    "beit-b16": Family("BeitModel", TOKENS, 224, dict(BASE, use_relative_position_bias=True)),
}
BATCHES = (1, 8)


def build(name):
    import torch
    import transformers

    family = FAMILIES[name]
    torch.manual_seed(0)
    cls = getattr(transformers, family.cls)
    model = cls(cls.config_class(**family.config)).eval()
    # Biases and tables are zero at first, which would hide a wrong one.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            result = self.model(pixel_values=x)
            return tuple(result[name] for name in family.outputs)

    return model, Outputs()


def export(a):
    import numpy as np
    import openvino
    import torch

    os.makedirs(a.cache, exist_ok=True)
    for name in a.model.split(",") if a.model else FAMILIES:
        family = FAMILIES[name]
        model, graph = build(name)
        model.save_pretrained(os.path.join(a.cache, "hf-" + name))
        for batch in BATCHES:
            stem = os.path.join(a.cache, f"{name}_b{batch}")
            x = torch.randn(batch, 3, family.size, family.size, generator=torch.Generator().manual_seed(1))
            with torch.no_grad():
                for output, y in zip(family.outputs, graph(x)):
                    np.save(f"{stem}.{output}.npy", y.numpy())
            np.save(stem + ".in.npy", x.numpy())
            converted = openvino.convert_model(graph, example_input=x, input=[x.shape])
            openvino.save_model(converted, stem + ".xml", compress_to_fp16=False)
        print(name, "exported", flush=True)


def infer(a):
    import numpy as np
    import openvino

    stem = os.path.join(a.cache, f"{a.model}_b{a.batch}")
    x = np.load(stem + ".in.npy")
    config = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": a.threads,
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(stem + ".xml", "CPU", config).create_infer_request()
    y = request.infer({0: x}, share_inputs=True)
    error = 0.0
    for i, output in enumerate(FAMILIES[a.model].outputs):
        expected = np.load(f"{stem}.{output}.npy")
        error = max(error, float(np.abs(y[i] - expected).max() / np.abs(expected).max()))

    def run():
        start = time.perf_counter()
        request.infer({0: x}, share_inputs=True)
        return (time.perf_counter() - start) * 1e3

    run()
    times, start = [], time.perf_counter()
    while len(times) < 7 or time.perf_counter() - start < a.seconds:
        times.append(run())
    print(json.dumps(dict(min_ms=min(times), median_ms=statistics.median(times), reps=len(times), error=error)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["export", "infer"])
    parser.add_argument("--cache", required=True)
    parser.add_argument("--model", help="for export: names, separated by commas")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    a = parser.parse_args()
    export(a) if a.verb == "export" else infer(a)


if __name__ == "__main__":
    main()
