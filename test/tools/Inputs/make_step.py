# ===- make_step.py - Writes tiny ViTs for training steps ------------------===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 make_step.py WIDTH HEADS HIDDEN DROPPED FILE.mlir

Writes the text of a ViT with one block for pictures of 3 x 8 x 8: patches of 4,
a class token, five classes. DROPPED is the probability of dropout and drop path;
0: none.
"""

import sys

width, heads, hidden = map(int, sys.argv[1:4])
dropped, path = float(sys.argv[4]), sys.argv[5]
assert width % heads == 0
head, body, count = [], [], 0


def t(*sizes):
    return "tensor<%sf32>" % "".join("%sx" % size for size in sizes)


TOKENS = t("?", 5, width)


def emit(op, types, result):
    """Adds an op; returns the name of its result of type `result`."""
    global count
    count += 1
    body.append("  %%v%d = %s : %s" % (count, op, "(%s) -> %s" % (", ".join(types), result) if types else result))
    return "%%v%d" % count


def parameter(name, init, *sizes):
    head.append("vit.parameter @%s : %s init<%s>" % (name, t(*sizes), init))
    return emit("vit.read @%s" % name, [], t(*sizes))


def linear(name, x, leading, inputs, outputs):
    weight = parameter(name + ".weight", "normal, 0.3", outputs, inputs)
    bias = parameter(name + ".bias", "normal, 0.1", outputs)
    return emit("vit.linear %s, %s, %s" % (x, weight, bias),
                [t("?", *leading, inputs), t(outputs, inputs), t(outputs)], t("?", *leading, outputs))


def norm(name, x):
    scale = parameter(name + ".weight", "uniform, 1.0", width)
    shift = parameter(name + ".bias", "normal, 0.1", width)
    return emit("vit.layer_norm %s scale %s bias %s epsilon 1.0e-05" % (x, scale, shift),
                [TOKENS, t(width), t(width)], TOKENS)


def add(a, b, other=TOKENS):
    return emit("vit.add %s, %s" % (a, b), [TOKENS, other], TOKENS)


def drop(op, x):
    return emit("vit.%s %s probability %g" % (op, x, dropped), [], TOKENS) if dropped else x


patches = emit("vit.patchify %x patch [4, 4] order chw", [t("?", 3, 8, 8)], t("?", 4, 48))
embedded = linear("patch", patches, [4], 48, width)
token = parameter("token", "normal, 0.3", 1, width)
x = emit("vit.prepend_tokens %s, %s" % (embedded, token), [t("?", 4, width), t(1, width)], TOKENS)
x = drop("dropout", add(x, parameter("positions", "normal, 0.3", 5, width), t(5, width)))
n = norm("norm1", x)
q, k, v = (linear(name, n, [5], width, width) for name in ["query", "key", "value"])
count += 2
body.append("  %%v%d, %%v%d = vit.attention %s, %s, %s heads %d scale %g : (%s) -> (%s, %s)" % (
    count - 1, count, q, k, v, heads, (width // heads)**-0.5, ", ".join([TOKENS] * 3), TOKENS,
    t("?", heads, 5, 5)))
x = add(drop("drop_path", linear("out", "%%v%d" % (count - 1), [5], width, width)), x)
h = linear("fc1", norm("norm2", x), [5], width, hidden)
h = emit("vit.gelu erf %s" % h, [], t("?", 5, hidden))
x = add(drop("dropout", linear("fc2", h, [5], hidden, width)), x)
x = emit("vit.take_tokens %s from 0" % norm("norm", x), [TOKENS], t("?", width))
logits = linear("head", x, [], width, 5)
with open(path, "w") as file:
    file.write("\n".join(head))
    file.write('\nfunc.func @forward(%%x: %s) -> (%s {vit.name = "logits"}) {\n' % (t("?", 3, 8, 8), t("?", 5)))
    file.write("\n".join(body))
    file.write("\n  return %s : %s\n}\n" % (logits, t("?", 5)))
