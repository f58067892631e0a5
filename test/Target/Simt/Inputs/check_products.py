# ===- check_products.py - Products and attention against the interpreter --===#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_products.py FOLDER TOLERANCE [--few] LEVEL... -- COMMAND...

Linear layers of many widths with fused ops, on all tokens and on one per image,
and attention with many head sizes and token counts, with its probabilities, by
the interpreter and by COMMAND at each level (levels.py).
"""

import os

import levels

BATCH, TOKENS, WIDTH = 2, 37, 50
# Number and size of heads, number of queries (0: all tokens), and whether
# probabilities are used.
ATTENTIONS = [(2, 25, 0, True), (3, 32, 5, False), (1, 64, 0, False), (2, 80, 1, True),
              (1, 144, 9, True)]
# At level coop also: heads of an odd number of matrices, and the largest that matrices are for.
MATRIX_ATTENTIONS = [(2, 40, 0, False), (1, 128, 0, False)]
WIDTHS = [3, 72, 100, 200]


def t(*sizes):
    return "tensor<%sxf32>" % "x".join(map(str, sizes))


class Text:
    def __init__(self):
        self.head, self.body, self.results, self.reads = "", "", [], 0

    def parameter(self, *sizes):
        """Adds a parameter; returns the name of its value."""
        name, self.reads = "p%d" % self.reads, self.reads + 1
        self.head += "vit.parameter @%s : %s init<normal, 2.0e-01>\n" % (name, t(*sizes))
        self.body += "  %%%s = vit.read @%s : %s\n" % (name, name, t(*sizes))
        return "%" + name

    def linear(self, result, value, leading, inputs, outputs):
        weight, bias = self.parameter(outputs, inputs), self.parameter(outputs)
        self.body += "  %%%s = vit.linear %s, %s, %s : (%s, %s, %s) -> %s\n" % (
            result, value, weight, bias, t("?", *leading, inputs), t(outputs, inputs),
            t(outputs), t("?", *leading, outputs))


def add_products(text, widths):
    image = t("?", TOKENS, WIDTH)
    text.body += "  %%one = vit.take_tokens %%x from 3 : (%s) -> %s\n" % (image, t("?", WIDTH))
    for width in widths:
        n, type = "l%d" % width, t("?", TOKENS, width)
        text.linear(n + ".a", "%x", [TOKENS], WIDTH, width)
        text.body += "  %%%s.g = vit.gelu erf %%%s.a : %s\n" % (n, n, type)
        text.linear(n + ".b", "%%%s.g" % n, [TOKENS], width, width)
        table = text.parameter(TOKENS, width)
        text.body += "  %%%s.p = vit.add %%%s.b, %s : (%s, %s) -> %s\n" % (
            n, n, table, type, t(TOKENS, width), type)
        text.body += "  %%%s.sum = vit.add %%%s.p, %%%s.g : (%s, %s) -> %s\n" % (
            n, n, n, type, type, type)
        text.linear(n + ".one", "%one", [], WIDTH, width)
        text.results += [(n + ".sum", type), (n + ".one", t("?", width))]


def add_attention(text, heads, size, count, with_table):
    n, width = "a%d" % size, heads * size
    queries, source = TOKENS, "%x"
    if count:
        queries, source = count, "%%%s.some" % n
        text.body += "  %s = vit.take_tokens %%x from 2 count %d : (%s) -> %s\n" % (
            source, count, t("?", TOKENS, WIDTH), t("?", count, WIDTH))
    text.linear(n + ".q", source, [queries], WIDTH, width)
    text.linear(n + ".k", "%x", [TOKENS], WIDTH, width)
    text.linear(n + ".v", "%x", [TOKENS], WIDTH, width)
    asked, known = t("?", queries, width), t("?", TOKENS, width)
    table = t("?", heads, queries, TOKENS)
    operands = "%%%s.q, %%%s.k, %%%s.v heads %d scale %g : (%s, %s, %s)" % (
        n, n, n, heads, size**-0.5, asked, known, known)
    if with_table:
        text.body += "  %%%s.mixed, %%%s.table = vit.attention %s -> (%s, %s)\n" % (
            n, n, operands, asked, table)
        text.results.append((n + ".table", table))
    else:
        text.body += "  %%%s.mixed = vit.attention %s -> %s\n" % (n, operands, asked)
    text.linear(n + ".out", "%%%s.mixed" % n, [queries], width, WIDTH)
    text.results.append((n + ".out", t("?", queries, WIDTH)))


folder, tolerance, few, names, command = levels.arguments()
text = Text()
add_products(text, WIDTHS[2:3] if few else WIDTHS)
if any(name.startswith("coop") for name in names):
    ATTENTIONS += MATRIX_ATTENTIONS
for attention in ATTENTIONS[:2] if few else ATTENTIONS:
    add_attention(text, *attention)
model = os.path.join(folder, "products.mlir")
levels.write_entry(model, "%x: " + t("?", TOKENS, WIDTH), text.head, text.body, text.results)
source = os.path.join(folder, "x.npy")
levels.write_normal(source, [BATCH, TOKENS, WIDTH])
levels.compare(model, source, [name for name, _ in text.results], folder, tolerance, names, command)
