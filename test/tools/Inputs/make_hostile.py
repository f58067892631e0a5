# ===- make_hostile.py - A model and data whose names are markup -----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 make_hostile.py MODEL DATA NEW-MODEL NEW-DATA NEW-RUN

Copies a checkpoint and an image folder and gives the first of their classes, in
order, names that would run code in a page. Writes the log of a run with such texts, and
with lines that are wrong."""

import json
import os
import shutil
import sys

NAMES = ["<script>hacked=1<!script>", "\" onmouseover=hacked=1 x=\"", "<!--<script>\u2028${hacked=1}{{data}}"]

model, data, new_model, new_data, new_run = sys.argv[1:]
shutil.copytree(model, new_model)
shutil.copytree(data, new_data)
with open(new_model + "/config.json") as file:
    config = json.load(file)
for old, new in zip(sorted(os.listdir(new_data)), NAMES, strict=True):
    os.rename(os.path.join(new_data, old), os.path.join(new_data, new))
    for number, label in config["id2label"].items():
        if label == old:
            config["id2label"][number] = new
config["label2id"] = {label: int(number) for number, label in config["id2label"].items()}
with open(new_model + "/config.json", "w") as file:
    json.dump(config, file)

os.mkdir(new_run)
lines = [{"kind": "start", "model": NAMES[2], NAMES[1]: {"x": [NAMES[0]]}, "__proto__": 1},
         {"kind": "step", "step": 1, "loss": 2.0, "accuracy": "0.5"}, {"kind": "step", "step": 2, "loss": 1e308},
         {"kind": "step", "step": None, "loss": []}, {"kind": NAMES[0], "step": {}, "text": NAMES[1]},
         {"kind": "epoch", "step": "1", "epoch": NAMES[0], "test_loss": {}}, {"kind": "step", "step": 3, "loss": 1.5}]
with open(new_run + "/log.jsonl", "wb") as file:
    for line in lines:
        file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    file.write(b"[]\n\xff\xfe\n" + b"[" * 1000 + b"\n{\"kind\":\"step\"")
