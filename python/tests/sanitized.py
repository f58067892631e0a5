# ===- sanitized.py - Tests with the runtime under ASan and UBSan ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""sanitized.py RELEASE ASAN TEST...

Runs tests (test_errors, test_train.Steps.test_bad_input) of the package in the build folder
RELEASE with the libraries of the build folder ASAN (preset asan) in place of its own: memory that
Python hands over is checked as well, as ASan serves all allocations of the process. Leaks are not
looked for, since CPython leaves its own at exit."""

import os
import subprocess
import sys
import unittest

RUNTIME = "libclang_rt.asan-x86_64.so"


def start(release, asan, tests):
    clang = os.environ.get("CC", "clang-22")
    runtime = subprocess.run([clang, "-print-file-name=" + RUNTIME], check=True, capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(runtime):
        sys.exit(f"error: {clang} has no {RUNTIME} (libclang-rt-22-dev)")
    environment = dict(
        os.environ,
        LD_PRELOAD=runtime,
        LD_LIBRARY_PATH=os.path.join(asan, "lib"),
        # Beside the runtime there is none.
        VIT_COMPILER_LIBRARY=os.path.join(release, "lib/libvit-compiler.so.0"),
        PATH=os.path.join(release, "bin") + os.pathsep + os.environ["PATH"],
        PYTHONPATH=os.path.join(release, "python"),
        PYTHONDONTWRITEBYTECODE="1",
        # CPython's own allocator would hide where an array ends.
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
        UBSAN_OPTIONS="print_stacktrace=1",
    )
    os.execve(sys.executable, [sys.executable, __file__, "--started", asan, *tests], environment)


def run(asan, tests):
    # For the tools that tests start, which have their own libraries.
    for name in ("LD_PRELOAD", "LD_LIBRARY_PATH"):
        del os.environ[name]
    import vitrt._core  # noqa: F401

    with open("/proc/self/maps") as file:
        maps = file.read()
    for library in (RUNTIME, os.path.join(asan, "lib/libvit-runtime.so"), os.path.join(asan, "lib/libvit-data.so")):
        if library not in maps:
            sys.exit(f"error: {library} is not loaded")
    unittest.main(module=None, argv=[sys.argv[0], *tests])


if __name__ == "__main__":
    if sys.argv[1] == "--started":
        run(sys.argv[2], sys.argv[3:])
    else:
        start(os.path.abspath(sys.argv[1]), os.path.realpath(sys.argv[2]), sys.argv[3:])
