# ===- lit.cfg.py - Configuration of the lit tests -------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# A test is a file with RUN lines. vit-opt, vit-interpret, vit-compile, vit-run, FileCheck, not and
# split-file are on its PATH. Substitutions: %shared (reference data beside the repository, with
# feature `shared`), %source (the repository), %build, %python; %on_lavapipe and %on_swiftshader,
# before a command: run it with this as the only Vulkan device, under the validation layer if
# available (tools/Inputs/on_vulkan.py), with features vulkan-lavapipe, vulkan-swiftshader,
# vulkan-validation; %on_any, with feature vulkan: on SwiftShader, or on lavapipe where there is none
# (lavapipe takes three to six times as long to compile a kernel). %package_python: a Python that imports
# the package, with feature python-package, and python-fastapi where it has a web server too. Other features: docs-python (what scripts/docs needs), spirv-val,
# ptxas, nvdisasm (%nvdisasm), chromium, and the tools.

import glob
import os
import shutil
import subprocess
import sys

import lit.formats

config.name = "vit"
config.test_format = lit.formats.ShTest(False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["CMakeLists.txt", "Inputs", "data", "fuzz", "unit"]

config.environment["PATH"] = os.pathsep.join(
    [config.vit_bin, config.llvm_bin, os.environ["PATH"]])
# Tests must not use the user's cache of compiled models.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
for name in ["VIT_CPU_LEVEL", "VIT_PTXAS", "VIT_CHROMIUM", "VIT_SCREENSHOTS", "ASAN_OPTIONS", "UBSAN_OPTIONS"]:
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

inputs = os.path.join(config.source, "test", "tools", "Inputs")
sys.path.insert(0, inputs)
import on_vulkan

for device in on_vulkan.DRIVERS:
    command = "%s %s %s" % (config.python, os.path.join(inputs, "on_vulkan.py"), device)
    config.substitutions.append(("%on_" + device, command))
    if on_vulkan.has_driver(device):
        config.available_features.add("vulkan-" + device)
    else:
        lit_config.note("tests on %s are skipped: no %s" % (device, on_vulkan.DRIVERS[device]))
for device in ["swiftshader", "lavapipe"]:
    if on_vulkan.has_driver(device):
        command = "%s %s %s" % (config.python, os.path.join(inputs, "on_vulkan.py"), device)
        config.substitutions.append(("%on_any", command))
        config.available_features.add("vulkan")
        break
if on_vulkan.has_layer():
    config.available_features.add("vulkan-validation")
else:
    lit_config.note("tests on Vulkan run without validation: no " + on_vulkan.LAYER)
import browser

if browser.find():
    config.available_features.add("chromium")
else:
    lit_config.note("tests of pages in a browser are skipped: no chromium (apt-get install chromium; "
                    "VIT_CHROMIUM names another)")
# scripts/test --fast skips slow tests: `UNSUPPORTED: fast`.
if lit_config.params.get("fast"):
    config.available_features.add("fast")
# What takes an hour more: `--param thorough=1`.
if lit_config.params.get("thorough"):
    config.available_features.add("thorough")
# A python with the libraries that checkpoints come from, to load exports with.
libraries_python = os.environ.get("VIT_LIBRARIES_PYTHON", config.python)
config.substitutions.append(("%libraries_python", libraries_python))
for library in ["transformers", "timm", "torchvision"]:
    code = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ['torch', '%s'])))"
    if subprocess.call([libraries_python, "-c", code % library]) == 0:
        config.available_features.add(library)
    else:
        lit_config.note("strict loading of exports is skipped for %s: %s has no torch and %s "
                        "(VIT_LIBRARIES_PYTHON names another)" % (library, libraries_python, library))
# The Python package, imported from the build tree.
if config.package_python:
    config.available_features.add("python-package")
    package = os.path.join(os.path.dirname(config.vit_bin), "python")
    config.substitutions.append(("%package_python", "env PYTHONPATH=%s:%s PYTHONDONTWRITEBYTECODE=1 %s" % (
        package, os.path.join(config.source, "python/tests"), config.package_python)))
    config.environment["VIT_PACKAGE_PYTHON"] = config.package_python
    web = "import fastapi, httpx, uvicorn, PIL"
    if subprocess.call([config.package_python, "-c", web], stderr=subprocess.DEVNULL) == 0:
        config.available_features.add("python-fastapi")
    else:
        lit_config.note("the test of examples/service.py is skipped: build/python lacks fastapi, httpx, uvicorn or "
                        "pillow (scripts/setup puts them there if PyPI can be reached)")
else:
    lit_config.note("tests of the Python package are skipped: it is not built, as build/python has no "
                    "nanobind (scripts/setup puts it there if PyPI can be reached)")
if shutil.which("doxygen") and os.path.exists(os.path.join(config.source, "build/docs-python/complete")):
    config.available_features.add("docs-python")
else:
    lit_config.note("the documentation's site is not tested: no doxygen, or no build/docs-python "
                    "(scripts/setup puts them there if Debian's archive and PyPI can be reached)")
# Folders of pretrained models, which shared/scripts/real-checkpoints downloads.
real = os.environ.get("VIT_REAL_CHECKPOINTS")
if real and os.path.isdir(real):
    config.available_features.add("real-checkpoints")
    config.substitutions.append(("%real", os.path.realpath(real)))
else:
    lit_config.note("tests of pretrained models are skipped: VIT_REAL_CHECKPOINTS names no folder "
                    "of shared/scripts/real-checkpoints")
if shutil.which("spirv-val"):
    config.available_features.add("spirv-val")
else:
    lit_config.note("tests with spirv-val are skipped: it is not installed")
# Of 2025 or later, which know matrices of bf16. scripts/setup puts one into build/spirv-tools; its
# bin/spirv-val is a Python script that takes a hundred times as long to start.
wheel = glob.glob(os.path.join(config.source, "build/spirv-tools/lib/python3*/site-packages/cmeel.prefix/bin/spirv-val"))
newest = os.environ.get("VIT_SPIRV_VAL") or (wheel[0] if wheel else "")
if shutil.which(newest):
    config.available_features.add("spirv-val-matrices")
    config.environment["VIT_SPIRV_VAL"] = newest
else:
    lit_config.note("tests that validate cooperative matrices are skipped: no %s (scripts/setup)"
                    % (newest or "spirv-val in build/spirv-tools"))
if shutil.which(os.environ.get("VIT_PTXAS", "ptxas")):
    config.available_features.add("ptxas")
else:
    lit_config.note("tests with ptxas are skipped: no CUDA toolkit here (none is needed to build)")

# Of the CUDA toolkit, or in build/python (scripts/setup).
wheel = glob.glob(os.path.join(config.source, "build/python/lib/python3*/site-packages/nvidia/*/bin/nvdisasm"))
nvdisasm = os.environ.get("VIT_NVDISASM") or shutil.which("nvdisasm") or (wheel[0] if wheel else None)
if nvdisasm:
    config.available_features.add("nvdisasm")
    config.substitutions.append(("%nvdisasm", nvdisasm))
else:
    lit_config.note("tests of the machine code for GPUs are skipped: no nvdisasm (CUDA toolkit, or "
                    "nvidia-cuda-nvdisasm of PyPI in build/python)")

# Launchers of MPI, with the plug-ins that are built.
for mpi in ["openmpi", "mpich"]:
    if shutil.which("mpirun." + mpi) and os.path.exists(os.path.join(config.vit_lib, "libvit-mpi-%s.so" % mpi)):
        config.available_features.add(mpi)
    else:
        lit_config.note("tests of several ranks are skipped with %s: no mpirun.%s or no plug-in for it "
                        "(scripts/setup installs it)" % (mpi, mpi))

for tool in ["vit-opt", "vit-interpret", "vit-compile", "vit-run"]:
    if os.path.exists(os.path.join(config.vit_bin, tool)):
        config.available_features.add(tool)
