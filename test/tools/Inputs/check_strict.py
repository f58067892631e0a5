#!/usr/bin/env python3
# ===- check_strict.py - Loads exports strictly with their library ---------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_strict.py VIT_RUN FOLDER transformers|timm|torchvision [FAMILY...]

Makes a tiny model of each family with the library itself, trains it for one
step at a learning rate of 0, and loads the checkpoint strictly: no tensor is
missing, unexpected or of another shape. Every tensor but a new head must have
the bits and type that it had, and the library's logits must be vit-run's.
"""

import json
import os
import shutil
import subprocess
import sys

import numpy
import torch

import files

SIDE, CLASSES = 32, ["cat", "dog"]
PICTURE = {"image_size": SIDE, "patch_size": 8}
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 2}
TOWER = {**PICTURE, **SMALL}
TEXT = {"text_config": {**SMALL, "vocab_size": 40, "eos_token_id": 1,
                        "bos_token_id": 0, "pad_token_id": 2}}

# The class that is trained, its configuration, the class that is exported.
TRANSFORMERS = {
    "vit": ("ViTModel", TOWER, "ViTForImageClassification"),
    "deit": ("DeiTForImageClassification", TOWER, None),
    "vit_mae": ("ViTMAEForPreTraining",
                {**TOWER, "decoder_hidden_size": 16,
                 "decoder_intermediate_size": 16, "decoder_num_hidden_layers": 1,
                 "decoder_num_attention_heads": 2}, "ViTForImageClassification"),
    "vit_msn": ("ViTMSNModel", TOWER, "ViTMSNForImageClassification"),
    "ijepa": ("IJepaForImageClassification", TOWER, None),
    "clip": ("CLIPModel", {"vision_config": TOWER, "projection_dim": 16, **TEXT},
             "CLIPForImageClassification"),
    "clip-tower": ("CLIPVisionModelWithProjection", {**TOWER, "projection_dim": 8},
                   "CLIPForImageClassification"),
    "clip-classifier": ("CLIPForImageClassification", {"vision_config": TOWER}, None),
    "siglip": ("SiglipModel", {"vision_config": TOWER, **TEXT},
               "SiglipForImageClassification"),
    "siglip-classifier": ("SiglipForImageClassification", {"vision_config": TOWER},
                          None),
    "dinov2": ("Dinov2Model", TOWER, "Dinov2ForImageClassification"),
    "dinov2-classifier": ("Dinov2ForImageClassification",
                          {**TOWER, "use_swiglu_ffn": True}, None),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", TOWER,
                              "Dinov2WithRegistersForImageClassification"),
    "beit": ("BeitForImageClassification",
             {**TOWER, "use_relative_position_bias": True, "use_mask_token": True},
             None),
    "beit-pretrained": ("BeitForMaskedImageModeling",
                        {**TOWER, "use_shared_relative_position_bias": True,
                         "use_mask_token": True, "vocab_size": 16},
                        "BeitForImageClassification"),
    "data2vec-vision": ("Data2VecVisionModel",
                        {**TOWER, "use_relative_position_bias": True,
                         "use_mask_token": True},
                        "Data2VecVisionForImageClassification"),
}

DIMENSIONS = {"img_size": SIDE, "patch_size": 8, "embed_dim": 32, "depth": 2,
              "num_heads": 2}
# The architecture, its arguments, the classes of the source.
TIMM = {
    "vit": ("vit_tiny_patch16_224", DIMENSIONS, 5),
    "deit": ("deit_tiny_distilled_patch16_224", DIMENSIONS, 2),
    "dinov2": ("vit_small_patch14_reg4_dinov2", DIMENSIONS, 0),
    "siglip": ("vit_base_patch16_siglip_224", DIMENSIONS, 0),
    "clip": ("vit_base_patch16_clip_224", DIMENSIONS, 3),
    "beit": ("beit_base_patch16_224", DIMENSIONS, 2),
    "eva02": ("eva02_tiny_patch14_224", DIMENSIONS, 3),
    "dinov3": ("vit_small_patch16_dinov3", DIMENSIONS, 0),
    "aimv2": ("aimv2_large_patch14_224", DIMENSIONS, 0),
}


def perturb(model):
    """Replaces all values, so that none is an initial one."""
    generator = torch.Generator().manual_seed(1)
    state = model.state_dict()
    for value in state.values():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.1 + 0.05)
    model.load_state_dict(state)


def run(arguments):
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode:
        sys.exit(" ".join(arguments) + ": " + result.stderr)
    return result.stderr


def train(model, out, steps=1, *more):
    run([VIT_RUN, "train", model, "--data", FOLDER + "/data", "--out", out, "--lr",
         "0", "--batch", "4", "--steps", str(steps), *more])
    return out + "/last"


def check(name, export, loaded, before, source):
    """`before`: the tensors of the source, by the names of the loaded class."""
    pixels = numpy.load(FOLDER + "/x.npy")
    run([VIT_RUN, "infer", export, "--input", FOLDER + "/x.npy", "--output",
         FOLDER + "/y.npy"])
    loaded.eval()
    with torch.no_grad():
        logits = loaded(torch.from_numpy(pixels))
    logits = getattr(logits, "logits", logits).numpy()
    error = numpy.abs(logits - numpy.load(FOLDER + "/y.npy")).max()
    assert error < 2e-4 * max(1, numpy.abs(logits).max()), (name, error)
    same = 0
    for key, value in loaded.state_dict().items():
        if key in before and before[key].shape == value.shape:
            assert torch.equal(before[key].to(value.dtype), value), (name, key)
            same += 1
    assert same >= len(loaded.state_dict()) - 4, (name, same)
    print("%s: %s is loaded strictly, %d tensors as before" % (name, source, same))


def check_transformers(name, transformers):
    source, arguments, target = TRANSFORMERS[name]
    folder = FOLDER + "/" + name
    kind = getattr(transformers, source)
    model = kind(kind.config_class(**arguments))
    perturb(model)
    model.save_pretrained(folder)
    with open(folder + "/preprocessor_config.json", "w") as file:
        json.dump({"image_processor_type": "ViTImageProcessor",
                   "size": {"height": SIDE, "width": SIDE}}, file)
    if name in ("dinov2", "clip-classifier"):
        # The same in torch's format, in f16, and with a wrapper's prefix.
        state = {"module." + key: value.half()
                 for key, value in model.state_dict().items()}
        os.remove(folder + "/model.safetensors")
        torch.save(state, folder + "/pytorch_model.bin")
        model.half().float()
        for value in model.state_dict().values():
            value.copy_(value.half())
    target = getattr(transformers, target or source)
    export = train(folder, FOLDER + "/run")
    loaded, report = target.from_pretrained(export, output_loading_info=True)
    wrong = {kind: names for kind, names in report.items() if names}
    assert not wrong, (name, wrong)
    base = target.base_model_prefix + "."
    before = {}
    for key, value in model.state_dict().items():
        before[key] = before[base + key] = before["vision_model." + key] = value
    check(name, export, loaded, before, target.__name__)
    if name == "dinov2":
        check_again(folder, export, target)


def read_header(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__")
    return header


def check_again(folder, export, target):
    """A resumed run and one that starts from the export pass the tensors on."""
    stored = read_header(export + "/model.safetensors")
    assert stored["dinov2.embeddings.mask_token"]["dtype"] == "F16", stored
    resumed = train(folder, FOLDER + "/run", 2, "--resume")
    again = train(export, FOLDER + "/again")
    for path in (resumed, again):
        report = target.from_pretrained(path, output_loading_info=True)[1]
        assert not any(report.values()), (path, report)
        assert read_header(path + "/model.safetensors").keys() == stored.keys()


def check_timm(name, timm):
    architecture, arguments, classes = TIMM[name]
    folder = FOLDER + "/" + name
    model = timm.create_model(architecture, num_classes=classes, **arguments)
    perturb(model)
    os.makedirs(folder)
    torch.save(model.state_dict(), folder + "/pytorch_model.bin")
    with open(folder + "/config.json", "w") as file:
        json.dump({"architecture": architecture, "num_classes": classes,
                   "model_args": arguments,
                   "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}}, file)
    export = train(folder, FOLDER + "/run")
    loaded = timm.create_model(architecture, num_classes=len(CLASSES), **arguments)
    loaded.load_state_dict(read_weights(export), strict=True)
    check(name, export, loaded, model.state_dict(), architecture)


def read_weights(folder):
    import safetensors.torch
    return safetensors.torch.load_file(folder + "/model.safetensors")


def check_torchvision(name, torchvision):
    folder = FOLDER + "/" + name
    arguments = {"image_size": SIDE, "patch_size": 8, "num_layers": 2,
                 "num_heads": 2, "hidden_dim": 32, "mlp_dim": 64}
    kind = torchvision.models.VisionTransformer
    model = kind(num_classes=5, **arguments)
    perturb(model)
    os.makedirs(folder)
    torch.save(model.state_dict(), folder + "/model.pth")
    with open(folder + "/config.json", "w") as file:
        json.dump({"library": "torchvision", "class": "VisionTransformer",
                   "args": {**arguments, "num_classes": 5}}, file)
    export = train(folder, FOLDER + "/run")
    loaded = kind(num_classes=len(CLASSES), **arguments)
    loaded.load_state_dict(read_weights(export), strict=True)
    check(name, export, loaded, model.state_dict(), "VisionTransformer")


def main():
    library = __import__(LIBRARY)
    if LIBRARY == "transformers":
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
    for kind in CLASSES:
        os.makedirs("%s/data/%s" % (FOLDER, kind))
        for i in range(4):
            files.write_png("%s/data/%s/%d.png" % (FOLDER, kind, i), SIDE, SIDE,
                            lambda x, y: (x * i * 9 % 256, y * 8, len(kind) * i))
    numpy.save(FOLDER + "/x.npy", numpy.random.RandomState(0).standard_normal(
        (2, 3, SIDE, SIDE)).astype("f4"))
    families, one = {"transformers": (TRANSFORMERS, check_transformers),
                     "timm": (TIMM, check_timm),
                     "torchvision": (["vit"], check_torchvision)}[LIBRARY]
    done = 0
    for name in sys.argv[4:] or families:
        one(name, library)
        shutil.rmtree(FOLDER + "/run")
        done += 1
    print("%d of %d of %s" % (done, len(families), LIBRARY))


VIT_RUN, FOLDER, LIBRARY = sys.argv[1:4]
main()
