#!/usr/bin/env python3
# ===- quantize_openvino.py - An OpenVINO model in int8 --------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""usage: quantize_openvino.py MODEL.xml RESULT.xml

Quantizes a model as NNCF recommends for transformers (post-training
quantization, per-tensor scales of activations), with random pictures for
calibration: for measurements of speed. Needs openvino and nncf.
"""
import sys

import nncf
import numpy as np
import openvino as ov


def main():
    source, result = sys.argv[1:]
    model = ov.Core().read_model(source)
    shape = [dimension.get_length() for dimension in model.inputs[0].partial_shape]
    rng = np.random.default_rng(0)
    pictures = [rng.standard_normal(shape, dtype=np.float32) for _ in range(4)]
    quantized = nncf.quantize(
        model, nncf.Dataset(pictures), subset_size=len(pictures), model_type=nncf.ModelType.TRANSFORMER
    )
    ov.save_model(quantized, result, compress_to_fp16=False)


if __name__ == "__main__":
    main()
