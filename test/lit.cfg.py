# ===- lit.cfg.py - How lit runs the tests --------------------------------=== #
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------=== #
#
# A test is a file with RUN lines. It finds vit-opt, vit-interpret,
# vit-compile, vit-run, FileCheck, not and split-file on its PATH.
# Substitutions: %shared (reference data beside the repository, with feature
# `shared`), %source (the repository), %build, %python.

import os

import lit.formats

config.name = "vit"
config.test_format = lit.formats.ShTest(False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["CMakeLists.txt", "Inputs", "data", "fuzz", "unit"]

config.environment["PATH"] = os.pathsep.join(
    [config.vit_bin, config.llvm_bin, os.environ["PATH"]])
# Tests leave the user's cache of compiled models alone.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for name in ["VIT_CPU_LEVEL", "ASAN_OPTIONS", "UBSAN_OPTIONS"]:
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%python", config.python))
config.substitutions.append(("%source", config.source))
config.substitutions.append(("%build", os.path.dirname(config.vit_bin)))

shared = os.environ.get("VIT_SHARED", os.path.join(config.source, "..", "shared"))
shared_data = os.path.realpath(os.path.join(shared, "data"))
if os.path.isdir(shared_data):
    config.available_features.add("shared")
    config.substitutions.append(("%shared", shared_data))
else:
    lit_config.note("tests of the reference cases are skipped: no " + shared_data)

for tool in ["vit-opt", "vit-interpret", "vit-compile", "vit-run"]:
    if os.path.exists(os.path.join(config.vit_bin, tool)):
        config.available_features.add(tool)
