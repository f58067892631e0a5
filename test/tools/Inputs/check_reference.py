# ===- check_reference.py - Checks all reference cases and checkpoints -----===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_reference.py SHARED_DATA WORK_FOLDER [all|logits SHARE COMMAND...]

Runs COMMAND (default: vit-run infer) with each case of SHARED_DATA/reference and
both checkpoints, and compares logits with logits_f64.npy, and hidden_i, final and
attention_i with hidden.safetensors and attn.safetensors (`logits`: only those):
within SHARE (default: 1e-5) x max(1, largest/10). Exits with 1 if one differs.
"""

import os
import subprocess
import sys

import files

shared, work = sys.argv[1:3]
which, share_allowed = (sys.argv[3:5] or ["all", "1e-5"])
allowed = float(share_allowed)
tool = sys.argv[5:] or ["vit-run", "infer"]
os.makedirs(work, exist_ok=True)
failures = 0
for kind in ["reference", "checkpoints"]:
    for name in sorted(os.listdir(shared + "/" + kind)):
        case = "%s/%s/%s" % (shared, kind, name)
        if not os.path.exists(case + "/config.json"):
            continue
        expected = {"logits": files.read_npy(case + "/logits_f64.npy")}
        for file in ["hidden.safetensors", "attn.safetensors"]:
            if os.path.exists(case + "/" + file):
                for tensor, value in files.read_safetensors(case + "/" + file).items():
                    expected[tensor.replace("attn_", "attention_")] = value
        files_of = {o: ["--output", "%s=%s/%s.npy" % (o, work, o)] for o in expected}
        # The default entry, and one with all outputs.
        for outputs in [["logits"], list(expected)][: 2 if which == "all" else 1]:
            attempt = tool + [case, "--input", case + "/input.npy"]
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
