#!/usr/bin/env python3
#===- check_zero_shot.py - Scores of labels by their embeddings ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===------------------------------------------------------------------------===#
#
# usage: check_zero_shot.py CLASSIFIED.json EMBEDDED.jsonl LABELS.npy SCALE BIAS
#
# Computes the logits and probabilities of classify --label-embeddings from the
# picture's embedding: SCALE * cosine + BIAS; softmax without a bias, else
# sigmoid.
#
#===------------------------------------------------------------------------===#

import json
import math
import sys

from files import read_npy


def unit(row):
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row]


classified, embedded, labels, scale, bias = sys.argv[1:]
scale, bias = float(scale), float(bias)
with open(classified) as stream:
    answer = json.load(stream)[0]
with open(embedded) as stream:
    picture = unit(json.loads(stream.readline())["embedding"])
shape, values = read_npy(labels)[:2]
with open(labels[:-4] + ".txt") as stream:
    names = stream.read().split()
rows = [unit(values[i * shape[1]:(i + 1) * shape[1]]) for i in range(shape[0])]
logits = [scale * sum(a * b for a, b in zip(picture, row)) + bias
          for row in rows]
if bias:
    function = "sigmoid"
    scores = [1 / (1 + math.exp(-x)) for x in logits]
else:
    function = "softmax"
    total = sum(math.exp(x) for x in logits)
    scores = [math.exp(x) / total for x in logits]
assert answer["function"] == function, answer
order = sorted(range(len(names)), key=lambda i: -scores[i])
assert [one["label"] for one in answer["predictions"]] == [
    names[i] for i in order], answer
for one, i in zip(answer["predictions"], order):
    assert one["index"] == i, one
    assert abs(one["logit"] - logits[i]) < 1e-4, (one, logits[i])
    assert abs(one["probability"] - scores[i]) < 1e-5, (one, scores[i])
print("as expected")
