# ===- check_reference.py - Checks all reference cases and checkpoints -----===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs COMMAND (default: vit-run infer) with each case of DATA/reference and both
checkpoints, and compares each result NAME with NAME_f64.npy, and hidden_i, final
and attention_i with hidden.safetensors and attn.safetensors: within TOLERANCE x
max(1, largest/10). With --cosine, each output of a picture must instead have at
least that cosine with the expected one, and each result the same largest element.
Exits with 1 if one differs.

--outputs says what is asked for in one run: the results; all but probabilities of
attention (where these are asked for, GPUs compute attention by other kernels); or all.
"""

import argparse
import math
import os
import re
import subprocess
import sys

import files

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", metavar="DATA")
parser.add_argument("work", metavar="FOLDER")
parser.add_argument("--kinds", default="reference,checkpoints", help="the folders in DATA")
parser.add_argument("--outputs", default="results,all", help="a list of results, states, all: in so many runs")
parser.add_argument("--tolerance", type=float, default=1e-5)
parser.add_argument("--cosine", type=float, help="for narrow precisions; in place of the tolerance")
parser.add_argument("--pictures", type=int, help="only so many of each case")
parser.add_argument("--cases", default="", help="regular expression: only cases it finds")
parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER)
options = parser.parse_args()
work, allowed = options.work, options.tolerance
tool = options.command or ["vit-run", "infer"]
os.makedirs(work, exist_ok=True)


def read_pictures(shape, values):
    """The part of a tensor [pictures, ...] that belongs to the first pictures."""
    count = min(shape[0], options.pictures or shape[0])
    return [count] + list(shape[1:]), values[: len(values) // shape[0] * count]



def read_expected(case):
    """Names of the results, and all expected outputs by name."""
    expected = {}
    for file in sorted(os.listdir(case)):
        if file.endswith("_f64.npy"):
            expected[file[: -len("_f64.npy")]] = files.read_npy(case + "/" + file)
    results = list(expected)
    for file in ["hidden", "attn", "attention"]:
        path = "%s/%s.safetensors" % (case, file)
        if os.path.exists(path):
            for tensor, value in files.read_safetensors(path).items():
                expected[tensor.replace("attn_", "attention_")] = value
    return results, {name: read_pictures(*value) for name, value in expected.items()}


def get_cosine(a, b):
    dot = lambda x, y: sum(p * q for p, q in zip(x, y))
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def check_direction(what, shape, values, wanted, has_class):
    """Prints and returns whether the results of all pictures point the same way and, if they have
    a class, have the same largest element."""
    size = len(values) // shape[0]
    pairs = [(values[i : i + size], wanted[i : i + size]) for i in range(0, len(values), size)]
    least = min(get_cosine(a, b) for a, b in pairs)
    differing = sum(max(range(size), key=a.__getitem__) != max(range(size), key=b.__getitem__) for a, b in pairs)
    print("%s: cosine at least %.7f, another largest element in %d of %d" % (what, least, differing, len(pairs)))
    return least >= options.cosine and (differing == 0 or not has_class)


failures = 0
for kind in options.kinds.split(","):
    for name in sorted(os.listdir(options.data + "/" + kind)):
        case = "%s/%s/%s" % (options.data, kind, name)
        if not os.path.exists(case + "/input.npy") or not re.search(options.cases, name):
            continue
        results, expected = read_expected(case)
        source = work + "/input.npy"
        files.write_npy(source, *read_pictures(*files.read_npy(case + "/input.npy")))
        states = [output for output in expected if not output.startswith("attention_")]
        asked = {"results": results, "states": states, "all": list(expected)}
        for outputs in [asked[what] for what in options.outputs.split(",")]:
            attempt = tool + [case, "--input", source]
            for output in outputs:
                attempt += ["--output", "%s=%s/%s.npy" % (output, work, output)]
            result = subprocess.run(attempt, capture_output=True, text=True)
            if result.returncode != 0:
                print("%s: %s" % (name, result.stderr.strip()))
                failures += 1
                continue
            for output in outputs:
                shape, values = files.read_npy("%s/%s.npy" % (work, output))
                wanted_shape, wanted = expected[output]
                if options.cosine and list(shape) == list(wanted_shape):
                    failures += not check_direction(name + ": " + output, shape, values, wanted, output in results)
                    continue
                largest = max(map(abs, wanted))
                worst = max(abs(a - b) for a, b in zip(values, wanted))
                share = worst / (allowed * max(1, largest / 10))
                if list(shape) != list(wanted_shape) or not share <= 1:
                    print("%s: %s differs by %g (%s, expected %s)" %
                          (name, output, worst, shape, wanted_shape))
                    failures += 1
                elif output in results:
                    print("%s: %s at %.2f of the tolerance" % (name, output, share))
print("%d failures" % failures)
sys.exit(failures != 0)
