# ===- narrow.py - Models in a precision at all levels ---------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs texts with drawn weights, compiled in a precision for a level or interpreted."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/Inputs"))
import files

EXPANDED = "amx, expanded"  # tile ops are plain code


def expansion(level):
    """Returns the variables with which a level "NAME, expanded" compiles for NAME."""
    return {"VIT_EXPAND_TILES": "1"} if level.endswith(", expanded") else {}


def run(*command, **variables):
    result = subprocess.run(command, env=dict(os.environ, **variables), capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command), result.stderr))
    return result.stdout


def get_levels(precision):
    cpu = [device for device in json.loads(run("vit-run", "devices", "--json")) if device["device"] == "cpu"]
    return [level["name"] for level in cpu[0]["levels"] if precision in level["precisions"]]


def interpret(text, source, folder):
    run("vit-run", "infer", text, "--seed", "1", "--input", source, "--output", folder + "/y.npy", "--device", "reference")
    return files.read_npy(folder + "/y.npy")[1]


def infer(text, precision, level, source, folder):
    variables = expansion(level)
    name = level.split(",")[0]
    run("vit-compile", text, "--precision", precision, "--level", name, "-o", folder + "/m.vitm", **variables)
    run("vit-run", "infer", folder + "/m.vitm", "--seed", "1", "--input", source, "--output", folder + "/y.npy")
    return files.read_npy(folder + "/y.npy")[1]
