# ===- parameters.py - Lists of parameters in docstrings -------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""The docstrings of the package list parameters as `name: what it is`, or `one, two: what they
are`. This extension of Griffe makes them what its Google style reads."""

import re

import griffe

ITEM = re.compile(r"(\w+(?:, \w+)*): ")


def list_parameters(text, parameters):
    """Items become a section "Args:"; one of several names becomes one of each."""
    lines, items = [], []

    def end_items():
        if items:
            lines.append("Args:")
            lines.extend("    %s: %s" % (name, "\n    ".join(item)) for names, item in items for name in names)
            lines.append("")
            items.clear()

    for line in text.split("\n"):
        match = ITEM.match(line)
        names = match[1].split(", ") if match else []
        if names and all(name in parameters for name in names):
            items.append((names, [line[match.end() :]]))
        elif items and line.startswith(" "):
            items[-1][1].append(line)
        else:
            end_items()
            lines.append(line)
    end_items()
    return "\n".join(lines)


class Parameters(griffe.Extension):
    def on_function_instance(self, *, func, **_):
        if func.docstring:
            func.docstring.value = list_parameters(func.docstring.value, [one.name for one in func.parameters])
