# ===- check_positions.py - Biased and rotated attention of many sizes -----===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_positions.py FOLDER TOLERANCE [--few] LEVEL... -- COMMAND...

Runs attentions whose query and key are rotated and whose scores have a bias from
one or two tables of relative positions, with many head sizes, and the adjoints
of all of it, also those of tables that are resampled, by the interpreter and by
COMMAND at each level (levels.py).
"""

import os

import levels

BATCH, WIDTH = 3, 20
# Heads, head size, grid, prefix (class token), pairs, tables.
CASES = [
    (1, 4, (2, 3), 0, "halves", 1),
    (3, 12, (3, 5), 1, "halves", 2),
    (2, 16, (4, 4), 1, "neighbours", 1),
    (2, 32, (5, 4), 1, "halves", 1),
    (5, 10, (1, 20), 0, "neighbours", 2),
    (1, 72, (4, 6), 1, "halves", 1),
    (2, 40, (3, 3), 1, "halves", 1),
    (2, 8, (7, 8), 1, "halves", 1),  # two units of the CPU's kernel for the gradient of the bias
]


# The tables' gradients are taken to a smaller or larger grid of this size.
FROM = [(1, 3), (7, 5), (3, 3)]
FILTERS = ["filter linear", "filter geometric", "", "antialias"]


def t(*sizes):
    return "tensor<%sxf32>" % "x".join(map(str, sizes))


def make_case(number, heads, size, grid, prefix, pairs, tables):
    """Parameters, code and named results of one case."""
    n, width = "c%d" % number, heads * size
    tokens = prefix + grid[0] * grid[1]
    rows = (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 * prefix
    y, bias, table = t("?", tokens, width), t(heads, tokens, tokens), t(rows, heads)
    head, body = "", ""

    def parameter(name, *sizes):
        nonlocal head, body
        head += "vit.parameter @%s.%s : %s init<normal, 5.0e-01>\n" % (n, name, t(*sizes))
        body += "  %%%s.%s = vit.read @%s.%s : %s\n" % (n, name, n, name, t(*sizes))
        return "%%%s.%s" % (n, name)

    def add(name, code):
        nonlocal body
        body += "  %%%s.%s = %s\n" % (n, name, code)
        return "%%%s.%s" % (n, name)

    def value(name):
        """A value of [batch, tokens, width] that differs from token to token."""
        weight = parameter(name + ".weight", width, WIDTH)
        one = add(name + ".one", "vit.linear %%image, %s : (%s, %s) -> %s" % (
            weight, t("?", WIDTH), t(width, WIDTH), t("?", width)))
        all_tokens = add(name + ".all", "vit.spread_tokens %s from 0 : (%s) -> %s" % (
            one, t("?", width), y))
        scaled = add(name + ".scaled", "vit.scale %s by %e : %s" % (all_tokens, tokens, y))
        positions = parameter(name + ".positions", tokens, width)
        return add(name, "vit.add %s, %s : (%s, %s) -> %s" % (
            scaled, positions, y, t(tokens, width), y))

    q, k, v, dy = value("q"), value("k"), value("v"), value("dy")
    grid_text = "[%d, %d]" % grid
    if size % 4 == 0:
        angles = add("angles", "vit.rotary_positions grid %s width %d temperature 1.0e+02 order yx "
                     "origin 0.5 extent 12.5 centered : %s" % (
                         grid_text, size // 2, t(tokens - prefix, size // 2)))

        def rotate(x, inverse=""):
            return "vit.rotate %s, %s heads %d prefix %d pairs %s%s : (%s, %s) -> %s" % (
                x, angles, heads, prefix, pairs, inverse, y, t(tokens - prefix, size // 2), y)

        q, k = add("rq", rotate(q)), add("rk", rotate(k))
        add("back", rotate(q, " inverse"))
    else:
        add("back", "vit.scale %s by 2.0 : %s" % (q, y))
    names = [parameter("table%d" % i, rows, heads) for i in range(tables)]
    b = add("bias", "vit.relative_positions %s grid %s prefix %d : (%s) -> %s" % (
        ", ".join(names), grid_text, prefix, ", ".join([table] * tables), bias))
    operands = "%s, %s, %s bias %s heads %d scale %g" % (q, k, v, b, heads, size**-0.5)
    body += "  %%%s.o, %%%s.p = vit.attention %s : (%s, %s, %s, %s) -> (%s, %s)\n" % (
        n, n, operands, y, y, y, bias, y, t("?", heads, tokens, tokens))
    add("o2", "vit.attention %s : (%s, %s, %s, %s) -> %s" % (operands, y, y, y, bias, y))
    body += ("  %%%s.dq, %%%s.dk, %%%s.dv, %%%s.db = vit.attention_backward %s, %s : "
             "(%s, %s, %s, %s, %s) -> (%s, %s, %s, %s)\n" % (
                 n, n, n, n, dy, operands, y, y, y, y, bias, y, y, y, bias))
    add("dt", "vit.relative_positions_backward %%%s.db grid %s prefix %d : (%s) -> %s" % (
        n, grid_text, prefix, bias, table))
    source = FROM[number % len(FROM)]
    how = FILTERS[number % len(FILTERS)]
    learned = t(source[0] * source[1] + 3 * prefix, heads)
    add("dr", "vit.resample_positions_backward %%%s.dt from [%d, %d] to [%d, %d] prefix %d %s : (%s) -> %s" % (
        n, *source, 2 * grid[0] - 1, 2 * grid[1] - 1, 2 * prefix,
        how + " suffix %d" % prefix if how == "antialias" else "suffix %d %s" % (prefix, how),
        table, learned))
    results = [(n + "." + name, type) for name, type in
               [("back", y), ("o", y), ("p", t("?", heads, tokens, tokens)), ("o2", y), ("dq", y),
                ("dk", y), ("dv", y), ("dt", table), ("dr", learned)]]
    return head, body, results


folder, tolerance, few, names, command = levels.arguments()
cases = [make_case(number, *case) for number, case in enumerate(CASES[1:2] if few else CASES)]
results = [result for case in cases for result in case[2]]
model = os.path.join(folder, "positions.mlir")
levels.write_entry(model, "%image: " + t("?", WIDTH), "".join(case[0] for case in cases),
                   "".join(case[1] for case in cases), results)
source = os.path.join(folder, "x.npy")
levels.write_normal(source, [BATCH, WIDTH])
levels.compare(model, source, [name for name, _ in results], folder, tolerance, names, command)
