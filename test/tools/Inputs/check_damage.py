# ===- check_damage.py - Checks errors for damaged files -------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_damage.py FILE OUTPUT COMMAND...

Runs COMMAND, which reads FILE and writes OUTPUT, with FILE truncated and with
single bits flipped, and restores FILE. A truncated file must fail; a flipped bit
may succeed (any weight is valid), but must not crash or hang. A failure is exit
status 1, one line "error: ..." after any notes, and no OUTPUT. With STRICT=N in the environment
flips in the first N bytes must fail, too.
"""

import os
import random
import subprocess
import sys

path, output, command = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(path, "rb") as file:
    original = file.read()
strict = int(os.environ.get("STRICT", "0"))
random.seed(2)
problems = []


def attempt(data, what, must_fail):
    with open(path, "wb") as file:
        file.write(data)
    if os.path.exists(output):
        os.remove(output)
    result = subprocess.run(command, capture_output=True, text=True, timeout=60,
                            errors="replace")
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    if result.returncode == 1:
        if len(lines) != 1 or not lines[0].startswith("error: "):
            problems.append("%s: not one error line: %r" % (what, result.stderr))
        if os.path.exists(output):
            problems.append(what + ": failed, but left " + output)
        if any(name.startswith(os.path.basename(output) + ".")
               for name in os.listdir(os.path.dirname(output) or ".")):
            problems.append(what + ": left a partial file")
    elif result.returncode != 0:
        problems.append("%s: exit status %d: %s" % (what, result.returncode, result.stderr))
    elif must_fail:
        problems.append(what + ": not noticed")


try:
    for length in sorted({0, 1, 7, 8, 16, 63, 64, 100, len(original) // 2,
                          len(original) - 1}):
        if length < len(original):
            attempt(original[:length], "cut to %d bytes" % length, True)
    head = min(len(original), 4096)
    places = [random.randrange(head) for _ in range(40)]
    places += [random.randrange(len(original)) for _ in range(20)]
    for place in places:
        data = bytearray(original)
        data[place] ^= 1 << random.randrange(8)
        attempt(bytes(data), "byte %d changed" % place, place < strict)
finally:
    with open(path, "wb") as file:
        file.write(original)
if problems:
    sys.exit("\n".join(problems))
print("every damage was handled")
