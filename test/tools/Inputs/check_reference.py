# ===- check_reference.py - Checks all reference cases and checkpoints -----===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Runs COMMAND (default: vit-run infer) with each case of DATA/reference and both
checkpoints, and compares logits with logits_f64.npy, and hidden_i, final and
attention_i with hidden.safetensors and attn.safetensors: within TOLERANCE x
max(1, largest/10). Exits with 1 if one differs.
"""

import argparse
import os
import re
import subprocess
import sys

import files

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("data", metavar="DATA")
parser.add_argument("work", metavar="FOLDER")
parser.add_argument("--logits", action="store_true", help="compare logits only")
parser.add_argument("--tolerance", type=float, default=1e-5)
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


failures = 0
for kind in ["reference", "checkpoints"]:
    for name in sorted(os.listdir(options.data + "/" + kind)):
        case = "%s/%s/%s" % (options.data, kind, name)
        if not os.path.exists(case + "/config.json") or not re.search(options.cases, name):
            continue
        expected = {"logits": files.read_npy(case + "/logits_f64.npy")}
        for file in ["hidden.safetensors", "attn.safetensors"]:
            if os.path.exists(case + "/" + file):
                for tensor, value in files.read_safetensors(case + "/" + file).items():
                    expected[tensor.replace("attn_", "attention_")] = value
        expected = {name: read_pictures(*value) for name, value in expected.items()}
        source = work + "/input.npy"
        files.write_npy(source, *read_pictures(*files.read_npy(case + "/input.npy")))
        files_of = {o: ["--output", "%s=%s/%s.npy" % (o, work, o)] for o in expected}
        # The default entry, and one with all outputs.
        for outputs in [["logits"], list(expected)][: 1 if options.logits else 2]:
            attempt = tool + [case, "--input", source]
            attempt += sum([files_of[output] for output in outputs], [])
            result = subprocess.run(attempt, capture_output=True, text=True)
            if result.returncode != 0:
                print("%s: %s" % (name, result.stderr.strip()))
                failures += 1
                continue
            for output in outputs:
                shape, values = files.read_npy("%s/%s.npy" % (work, output))
                wanted_shape, wanted = expected[output]
                largest = max(map(abs, wanted))
                worst = max(abs(a - b) for a, b in zip(values, wanted))
                share = worst / (allowed * max(1, largest / 10))
                if list(shape) != list(wanted_shape) or not share <= 1:
                    print("%s: %s differs by %g (%s, expected %s)" %
                          (name, output, worst, shape, wanted_shape))
                    failures += 1
                elif output == "logits":
                    print("%s: logits at %.2f of the tolerance" % (name, share))
print("%d failures" % failures)
sys.exit(failures != 0)
