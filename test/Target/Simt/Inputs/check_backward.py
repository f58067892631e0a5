# ===- check_backward.py - Backward kernels against the interpreter --------===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_backward.py FOLDER TOLERANCE BATCH [--few] LEVEL... -- COMMAND...

Runs kernels of a backward pass with many widths, head sizes and token counts in
an entry by the interpreter and by COMMAND at each level (levels.py). Other
linear layers of the input are used as gradients.
"""

import os
import sys

import levels

TOKENS, WIDTH = 19, 50
# Widths, and groups of the norm.
WIDTHS = [(3, 1), (32, 2), (100, 5), (208, 1)]
# Number and size of heads, queries (0: all tokens).
ATTENTIONS = [(2, 25, 0), (3, 32, 5), (2, 10, 1), (1, 80, 0)]
# At level coop, of which the other kernels are those of other levels: blocks of 16 tokens, and an odd
# number of matrices.
MATRIX_ATTENTIONS = [(1, 128, 0), (2, 40, 5)]
CLASSES = [10, 101]


def t(*sizes):
    return "tensor<%sxf32>" % "x".join(map(str, sizes)) if sizes else "tensor<f32>"


class Text:
    def __init__(self):
        self.head, self.body, self.results, self.values = "", "", [], 0

    def parameter(self, *sizes, init="normal, 2.0e-01"):
        name, self.values = "p%d" % self.values, self.values + 1
        self.head += "vit.parameter @%s : %s init<%s>\n" % (name, t(*sizes), init)
        self.body += "  %%%s = vit.read @%s : %s\n" % (name, name, t(*sizes))
        return "%" + name

    def linear(self, source, leading, inputs, outputs, about=None):
        """Adds a value of [batch, leading, outputs], with elements near `about` if it is given."""
        if about is None:
            weight, bias = self.parameter(outputs, inputs), self.parameter(outputs)
        else:
            weight = self.parameter(outputs, inputs, init="normal, 2.0e-03")
            bias = self.parameter(outputs, init="constant, %e" % about)
        name, self.values = "%%v%d" % self.values, self.values + 1
        self.body += "  %s = vit.linear %s, %s, %s : (%s, %s, %s) -> %s\n" % (
            name, source, weight, bias, t("?", *leading, inputs), t(outputs, inputs), t(outputs),
            t("?", *leading, outputs))
        return name

    def add(self, names, op, types, *results):
        """Adds `op` with results `names` of types `results`, all of them outputs."""
        self.body += "  %s = %s : (%s) -> (%s)\n" % (
            ", ".join("%" + name for name in names), op, ", ".join(types), ", ".join(results))
        self.results += list(zip(names, results))


def add_input_gradient(text, n, dy, leading, outputs):
    """Adds the gradient of the input of a layer, WIDTH wide, from that of its result, `dy`."""
    text.add([n + ".dx"], "vit.linear_input_gradient %s, %s" % (dy, text.parameter(outputs, WIDTH)),
             [t("?", *leading, outputs), t(outputs, WIDTH)], t("?", *leading, WIDTH))


def add_products(text, n, width, leading, source, dy, x):
    type, narrow = t("?", *leading, width), t("?", *leading, WIDTH)
    add_input_gradient(text, n, dy, leading, width)
    text.add([n + ".dw"], "vit.linear_weight_gradient %s, %s" % (dy, source), [type, narrow],
             t(width, WIDTH))
    text.add([n + ".dw2"], "vit.linear_weight_gradient %s, %s" % (source, x), [narrow, type],
             t(WIDTH, width))
    text.add([n + ".db"], "vit.sum_to %s" % dy, [type], t(width))


def add_rows(text, width, groups, leading, source):
    """Adds all kernels except attention on [batch, leading, width]."""
    n = "w%d%s" % (width, "t" if leading else "i")
    x = text.linear(source, leading, WIDTH, width)
    dy = text.linear(source, leading, WIDTH, width)
    type = t("?", *leading, width)
    add_products(text, n, width, leading, source, dy, x)
    text.add([n + ".dp"], "vit.sum_to %s" % x, [type], t(*leading, width)) if leading else None
    group = width // groups
    scale = text.parameter(group)
    text.add([n + ".norm", n + ".ds", n + ".dn"],
             "vit.layer_norm_backward %s, %s scale %s epsilon 1.0e-05 groups %d" %
             (dy, x, scale, groups), [type, type, t(group)], type, t(group), t(group))
    text.add([n + ".rms", n + ".rs", n + ".rn"],
             "vit.layer_norm_backward %s, %s scale %s epsilon 1.0e-05 groups %d kind rms" %
             (dy, x, scale, groups), [type, type, t(group)], type, t(group), t(group))
    # Some of the rows have a norm below the second epsilon.
    for kind, epsilon in [("l2", 1e-12), ("least", float(width)**0.5)]:
        text.add([n + "." + kind, n + ".no1" + kind, n + ".no2" + kind],
                 "vit.layer_norm_backward %s, %s epsilon %e kind l2" % (dy, x, epsilon),
                 [type, type], type, t(width), t(width))
        del text.results[-2:]
    text.body += "  %%%s.unused:3 = vit.layer_norm_backward %s, %s epsilon 1.0e-05 : (%s, %s) -> (%s, %s, %s)\n" % (
        n, x, dy, type, type, type, t(width), t(width))
    text.body += "  %%%s.plain = vit.add %%%s.unused#0, %s : (%s, %s) -> %s\n" % (
        n, n, x, type, type, type)
    text.body += "  %%%s.scaled:3 = vit.layer_norm_backward %s, %s scale %s epsilon 1.0e-05 groups %d : (%s, %s, %s) -> (%s, %s, %s)\n" % (
        n, x, dy, scale, groups, type, type, t(group), type, t(group), t(group))
    text.body += "  %%%s.around = vit.add %s, %%%s.scaled#0 : (%s, %s) -> %s\n" % (
        n, dy, n, type, type, type)
    text.results += [(n + ".plain", type), (n + ".around", type)]
    text.body += "  %%%s.y = vit.softmax %s : %s\n" % (n, x, type)
    text.body += "  %%%s.dsoft = vit.softmax_backward %s, %%%s.y : %s\n" % (n, dy, n, type)
    text.body += "  %%%s.slope = vit.derivative gelu_erf %s : %s\n" % (n, x, type)
    text.results += [(n + ".dsoft", type), (n + ".slope", type)]
    if not leading:
        all_tokens = t("?", TOKENS, width)
        text.add([n + ".placed"], "vit.place_tokens %s at 1" % dy, [type], all_tokens)
        text.add([n + ".spread"], "vit.spread_tokens %s from 2" % dy, [type], all_tokens)


def add_losses(text, classes):
    n = "c%d" % classes
    x, wanted = text.linear("%one", [], WIDTH, classes), text.linear("%one", [], WIDTH, classes)
    type = t("?", classes)
    text.body += "  %%%s.t = vit.softmax %s : %s\n" % (n, wanted, type)
    text.body += "  %%%s.g = arith.constant dense<0.75> : tensor<f32>\n" % n
    operands = "%s, %%%s.t" % (x, n)
    text.add([n + ".ce"], "vit.cross_entropy %s smoothing 0.1" % operands, [type, type], t())
    text.add([n + ".mse"], "vit.mse %s" % operands, [type, type], t())
    text.add([n + ".dce"], "vit.cross_entropy_backward %%%s.g, %s smoothing 0.1" % (n, operands),
             [t(), type, type], type)
    text.add([n + ".dmse"], "vit.mse_backward %%%s.g, %s" % (n, operands), [t(), type, type], type)


def add_attention(text, heads, size, count):
    n, width = "a%d" % size, heads * size
    queries, source = TOKENS, "%x"
    if count:
        queries, source = count, "%%%s.some" % n
        text.body += "  %s = vit.take_tokens %%x from 2 count %d : (%s) -> %s\n" % (
            source, count, t("?", TOKENS, WIDTH), t("?", count, WIDTH))
    q, dy = (text.linear(source, [queries], WIDTH, width) for _ in range(2))
    k, v = (text.linear("%x", [TOKENS], WIDTH, width) for _ in range(2))
    asked, known = t("?", queries, width), t("?", TOKENS, width)
    text.add([n + ".dq", n + ".dk", n + ".dv"],
             "vit.attention_backward %s, %s, %s, %s heads %d scale %g" % (
                 dy, q, k, v, heads, size**-0.5), [asked, asked, known, known],
             asked, known, known)
    add_input_gradient(text, n, "%%%s.dq" % n, [queries], width)
    # In f32 positions.test has biases.
    if not count and size < 128 and levels.precision() != "f32":
        add_bias(text, n, heads, [dy, q, k, v], known, width)


def add_low(text):
    """Adds gradients of an attention whose scores are all about -400: to an exponential of such a
    row, a score of 0 of a token that does not exist is infinite."""
    q, k = (text.linear("%x", [TOKENS], WIDTH, 25, about=4) for _ in range(2))
    v, dy = text.linear("%x", [TOKENS], WIDTH, 25, about=1), text.linear("%x", [TOKENS], WIDTH, 25)
    type = t("?", TOKENS, 25)
    text.add(["low.dq", "low.dk", "low.dv"], "vit.attention_backward %s, %s, %s, %s heads 1 scale -1.0" % (
        dy, q, k, v), [type] * 4, *[type] * 3)
    text.add(["low.y"], "vit.attention %s, %s, %s heads 1 scale -1.0" % (q, k, v), [type] * 3, type)


def add_bias(text, name, heads, operands, type, width):
    """Adds gradients of an attention with a bias, without and with that of the bias, and products
    that read one of them."""
    table, scores = text.parameter(heads, TOKENS, TOKENS), t(heads, TOKENS, TOKENS)
    for suffix, more in [("b", []), ("t", [scores])]:
        n = name + suffix
        results = [n + ".d" + which for which in ["q", "k", "v", "bias"][:3 + len(more)]]
        text.add(results, "vit.attention_backward %s bias %s heads %d scale %g" % (
            ", ".join(operands), table, heads, (width // heads)**-0.5), [type] * 4 + [scores], *[type] * 3, *more)
        # The result that only the product reads.
        text.results.remove((n + ".dk", type))
        text.add([n + ".dw"], "vit.linear_weight_gradient %%%s.dk, %%x" % n, [type, t("?", TOKENS, WIDTH)],
                 t(width, WIDTH))


def add_long(text, tokens, width):
    """Adds cases with many tokens, whose loops exceed the limits of some drivers."""
    source, result = t("?", width), t("?", tokens, width)
    for name in ["x", "dy"]:
        one = text.linear("%one", [], WIDTH, width)
        text.body += "  %%long.%s = vit.spread_tokens %s from 0 : (%s) -> %s\n" % (
            name, one, source, result)
    text.add(["long.dq", "long.dk", "long.dv"], "vit.attention_backward %%long.dy, %%long.x, "
             "%%long.dy, %%long.x heads 1 scale %g" % width**-0.5, [result] * 4, *[result] * 3)
    text.add(["long.dx", "long.ds", "long.db"], "vit.layer_norm_backward %long.dy, %long.x "
             "epsilon 1.0e-05", [result, result], result, t(width), t(width))


sys.argv, batch = sys.argv[:3] + sys.argv[4:], int(sys.argv[3])
folder, tolerance, few, names, command = levels.arguments()
text = Text()
text.body += "  %%one = vit.take_tokens %%x from 3 : (%s) -> %s\n" % (
    t("?", TOKENS, WIDTH), t("?", WIDTH))
batch_of_code = None
if all(name.startswith("coop") for name in names):
    batch_of_code = 64  # so that weight gradients are in two parts of the rows
    dy, x = (text.linear("%x", [TOKENS], WIDTH, 100) for _ in range(2))
    add_products(text, "w100", 100, [TOKENS], "%x", dy, x)
    for attention in ATTENTIONS[:1] + MATRIX_ATTENTIONS:
        add_attention(text, *attention)
else:
    for width, groups in WIDTHS[2:3] if few else WIDTHS:
        add_rows(text, width, groups, [TOKENS], "%x")
        add_rows(text, width, groups, [], "%one")
    for classes in CLASSES[1:] if few else CLASSES:
        add_losses(text, classes)
    add_long(text, 600, 16)
    for attention in ATTENTIONS[:1] if few else ATTENTIONS:
        add_attention(text, *attention)
add_low(text)
model = os.path.join(folder, "backward.mlir")
levels.write_entry(model, "%x: " + t("?", TOKENS, WIDTH), text.head, text.body, text.results)
source = os.path.join(folder, "x.npy")
levels.write_normal(source, [batch, TOKENS, WIDTH])
levels.compare(model, source, [name for name, _ in text.results], folder, tolerance, names, command, batch_of_code)
