# ===- check_isolated.py - Checks the noise of products that are alone -----===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_isolated.py REPORT.json

In the report of compare --isolated: one product that is narrow alone does less
harm than all of them together, and the noises of all of them add up to about
that of the whole, as independent ones do.
"""

import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)
whole = report["outputs"][0]
noise = 0
for product in report["products"]:
    alone = product["alone"]
    assert alone["snr_db"] > whole["snr_db"], product
    assert alone["cosine_mean"] > whole["cosine_mean"], product
    assert 0 <= alone["top1_agreement"] <= 1, product
    noise += 10 ** (-alone["snr_db"] / 10)
ratio = noise / 10 ** (-whole["snr_db"] / 10)
assert 0.3 < ratio < 3, ratio
