#!/usr/bin/env python3
# ===- summary.py - Summarises test results --------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Counts passed, failed and skipped tests in JUnit files, and lists failed tests,
reasons for skipped ones, and the slowest tests of all files. The status is 1 if
a test failed or a file has no tests."""
import collections
import os
import re
import sys
import xml.etree.ElementTree as ET


# Why lit lacks a feature.
FEATURES = {
    "shared": "no reference data in ../shared",
    "real-checkpoints": "no pretrained models (VIT_REAL_CHECKPOINTS)",
    "vulkan": "no software Vulkan device (mesa-vulkan-drivers)",
    "vulkan-lavapipe": "no lavapipe driver (mesa-vulkan-drivers)",
    "vulkan-swiftshader": "no SwiftShader in build/chromium (scripts/setup)",
    "vulkan-validation": "no validation layer in build/chromium (scripts/setup)",
    "spirv-val": "no spirv-val (spirv-tools)",
    "ptxas": "no ptxas (CUDA toolkit)",
    "nvdisasm": "no nvdisasm (CUDA toolkit, or scripts/setup)",
}


SLOWEST = 10


def reason(case, skipped):
    """The reason: GTEST_SKIP() prints it after a line `Skipped`; lit has it in the tag."""
    out = case.findtext("system-out") or ""
    told = re.search(r"Skipped\n+(.+)", out) or re.search(r"skipped[:,]? *(.+)", out)
    if told:
        return told.group(1).strip()
    message = (skipped.get("message") or "no reason given").strip()
    if message == "Unsupported configuration":
        return "slow, left out by --fast"
    missing = re.match(r"Missing required feature\(s\): (.*)", message)
    if missing:
        return "; ".join(FEATURES.get(f, "no " + f) for f in missing.group(1).split(", "))
    return message


def main():
    bad = False
    seconds = []
    for path in sys.argv[1:]:
        counts, failed, skipped = collections.Counter(), [], collections.Counter()
        try:
            cases = list(ET.parse(path).iter("testcase"))
        except ET.ParseError as e:
            print(f"{path}: not readable as JUnit: {e}")
            bad = True
            continue
        for case in cases:
            name = case.get("name")
            if case.get("classname") not in (None, name):
                name = f"{case.get('classname')}/{name}"
            seconds.append((float(case.get("time") or 0), name))
            skip = case.find("skipped")
            if case.find("failure") is not None or case.get("status") == "fail":
                counts["failed"] += 1
                failed.append(name)
            elif skip is not None or case.get("status") in ("notrun", "disabled"):
                counts["skipped"] += 1
                skipped[reason(case, skip if skip is not None else case)] += 1
            else:
                counts["passed"] += 1
        suite = os.path.splitext(os.path.basename(path))[0]
        print(f"{suite}: " + ", ".join(f"{counts[k]} {k}" for k in ("passed", "failed", "skipped")))
        for name in failed:
            print(f"  failed: {name}")
        for why, n in skipped.items():
            print(f"  skipped {n}: {why}")
        bad |= bool(failed) or not cases
    slowest = sorted(seconds, reverse=True)[:SLOWEST]
    print("slowest: " + ", ".join(f"{name} {time:.0f} s" for time, name in slowest if time >= 1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
