# ===- check_sass.py - The machine code of main loops ----------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_sass.py NVDISASM CUBIN [--moves=N] [--before-wait=NAME:N] KERNEL:OP:PERCENT[:OP...]...

For each KERNEL of the cubin: no access of local memory, the OPs after PERCENT
somewhere (a name, or one with all its modifiers), and in each main loop at least PERCENT of the instructions are OP
(HMMA, HGMMA). Main loops are the innermost ones with at least half as many OPs
as the one with most. With --moves, they have at most N moves of a
register between OPs; with --before-wait, at least N instructions NAME are between two
waits for OPs (WARPGROUP.DEPBAR). Prints the counts of each loop; exits with 1 if one is missed.
"""

import re
import subprocess
import sys


def read_kernels(nvdisasm, cubin):
    """Lists of instructions (name with modifiers, target of a branch or None) by kernel, and the
    positions of labels."""
    text = subprocess.run([nvdisasm, "-c", cubin], stdout=subprocess.PIPE, check=True, text=True).stdout
    kernels, code, labels = {}, None, None
    for line in text.splitlines():
        section = re.match(r"\.text\.(\w+):", line)
        label = re.match(r"(\.L_x_\w+):", line)
        instruction = re.match(r"\s+/\*[0-9a-f]+\*/\s+\{?\s*(?:@!?\w+\s+)?([A-Z]\S*)(.*?);", line)
        if section:
            code, labels = [], {}
            kernels[section.group(1)] = (code, labels)
        elif label and code is not None:
            labels[label.group(1)] = len(code)
        elif instruction and code is not None:
            target = re.search(r"`\((\.L_x_\w+)\)", instruction.group(2))
            code.append((instruction.group(1), target and target.group(1)))
    return kernels


def innermost_loops(code, labels):
    """Ranges of instructions from the target of a branch back to the branch that contain no other."""
    loops = {(labels[target], at + 1) for at, (name, target) in enumerate(code)
             if name.startswith("BRA") and target in labels and labels[target] <= at}
    contains = lambda a, b: a != b and a[0] <= b[0] and b[1] <= a[1]
    return [loop for loop in sorted(loops) if not any(contains(loop, other) for other in loops)]


def is_move(name):
    return name.split(".")[0] == "MOV" or name.startswith("IMAD.MOV")


def count_before_wait(names, other):
    """The most instructions `other` between two waits."""
    waits = [i for i, name in enumerate(names) if name.startswith("WARPGROUP.DEPBAR")]
    counts = [sum(n.split(".")[0] == other for n in names[a:b]) for a, b in zip(waits, waits[1:])]
    return max(counts, default=0)


def check(kernel, code, labels, op, percent, required, most_moves, before_wait):
    """Returns what is wrong."""
    wrong = []
    names = [name for name, _ in code]
    local = [name for name in names if re.match(r"(LDL|STL)\b", name)]
    if local:
        wrong.append("%s has %d accesses of local memory" % (kernel, len(local)))
    for other in required:
        if not any(other in (name, name.split(".")[0]) for name in names):
            wrong.append("%s has no %s" % (kernel, other))
    loops = []
    for begin, end in innermost_loops(code, labels):
        at = [i for i in range(begin, end) if names[i].split(".")[0] == op]
        if at:
            moves = sum(is_move(name) for name in names[at[0]:at[-1]])
            early = count_before_wait(names[begin:end], before_wait[0])
            loops.append((len(at), end - begin, moves, early))
    most = max((count for count, *_ in loops), default=0)
    if not most:
        wrong.append("%s has no loop with %s" % (kernel, op))
    for count, total, moves, early in loops:
        if 2 * count < most:
            continue
        share = 100 * count / total
        print("%s: %d of %d instructions of a loop are %s (%.0f %%), %d moves between them" %
              (kernel, count, total, op, share, moves))
        if share < percent:
            wrong.append("%s: a loop has %.1f %% %s, not %g %%" % (kernel, share, op, percent))
        if moves > most_moves:
            wrong.append("%s: a loop has %d moves of registers between its %s" % (kernel, moves, op))
        if early < before_wait[1]:
            wrong.append("%s: a loop has %d %s before it waits for its %s, not %d" %
                         (kernel, early, before_wait[0], op, before_wait[1]))
    return wrong


def main():
    nvdisasm, cubin = sys.argv[1:3]
    arguments, most_moves, before_wait = sys.argv[3:], float("inf"), ("", 0)
    if arguments[0].startswith("--moves="):
        most_moves = int(arguments.pop(0).split("=")[1])
    if arguments[0].startswith("--before-wait="):
        name, least = arguments.pop(0).split("=")[1].split(":")
        before_wait = name, int(least)
    kernels = read_kernels(nvdisasm, cubin)
    wrong = []
    for argument in arguments:
        kernel, op, percent, *required = argument.split(":")
        if kernel not in kernels:
            sys.exit("%s has no kernel %s, but %s" % (cubin, kernel, ", ".join(sorted(kernels))))
        wrong += check(kernel, *kernels[kernel], op, float(percent), required, most_moves,
                       before_wait)
    print("\n".join(wrong) if wrong else "all loops are right")
    sys.exit(bool(wrong))


main()
