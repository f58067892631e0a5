# ===- set_problem.py - Models of other problem types ----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Copies FOLDER/vit, a transformers checkpoint, to a folder for each
problem_type, to other/ with an unknown one, and to one/ and one_regression/
with the first class alone.

  python3 set_problem.py FOLDER
  python3 set_problem.py --check FUNCTION FILE   checks the scores of classify
"""

import json
import math
import os
import shutil
import sys

import files


def write(folder, name, problem, classes=None):
    target = folder + "/" + name
    shutil.copytree(folder + "/vit", target)
    with open(target + "/config.json") as file:
        config = json.load(file)
    config["problem_type"] = problem
    if classes:
        config["id2label"] = {str(i): "class%d" % i for i in range(classes)}
        del config["label2id"]
        tensors = files.read_safetensors(target + "/model.safetensors")
        for end in ("weight", "bias"):
            shape, values = tensors["classifier." + end]
            size = classes * len(values) // shape[0]
            tensors["classifier." + end] = [classes] + list(shape[1:]), values[:size]
        os.remove(target + "/model.safetensors")
        files.write_safetensors(target + "/model.safetensors", tensors)
    with open(target + "/config.json", "w") as file:
        json.dump(config, file)


def check(function, path):
    with open(path) as file:
        picture = json.load(file)[0]
    assert picture["function"] == function, picture["function"]
    predictions = picture["predictions"]
    logits = [p["logit"] for p in predictions]
    assert logits == sorted(logits, reverse=True)
    key = "value" if function == "none" else "probability"
    scores = {
        "softmax": lambda: [math.exp(x) / sum(map(math.exp, logits)) for x in logits],
        "sigmoid": lambda: [1 / (1 + math.exp(-x)) for x in logits],
        "none": lambda: logits}[function]()
    for prediction, score in zip(predictions, scores):
        assert abs(prediction[key] - score) < 1e-6, (prediction, score)


if sys.argv[1] == "--check":
    check(sys.argv[2], sys.argv[3])
    sys.exit()
for kind in ("single_label_classification", "multi_label_classification", "regression"):
    write(sys.argv[1], kind, kind)
write(sys.argv[1], "other", "multi_label")
write(sys.argv[1], "one", None, 1)
write(sys.argv[1], "one_regression", "regression", 1)
