# ===- check_estimate.py - Recomputes vit-run inspect --estimate -----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""check_estimate.py MODULE.json ESTIMATE.json GPU BATCH

Recomputes every number of `vit-run inspect --estimate GPU --batch BATCH --json`
from `vit-run inspect --json` and the figures below, for the model of
make_model.py, whose operations are counted from its sizes, too.
"""

import json
import math
import sys

# Multiprocessors, f32 flop/s, bytes/s, L2, threads, workgroups, shared bytes.
GPUS = {
    "h100": (132, 66.9e12, 3352e9, 50 << 20, 2048, 32, 228 << 10, "sm_90a"),
    "h200": (132, 66.9e12, 4800e9, 50 << 20, 2048, 32, 228 << 10, "sm_90a"),
    "a100": (108, 19.5e12, 2039e9, 40 << 20, 2048, 32, 164 << 10, "sm_80"),
    "rtx4090": (128, 82.6e12, 1008e9, 72 << 20, 1536, 24, 100 << 10, None),
}
GAP = 0.5e-6
PIECE = 4096


def extent(e, batch):
    return e["times"] * (-(-batch * e["of"] // e["per"]) if e["of"] else 1)


def ranges(command, batch):
    is_take = command["kernel"].startswith("take_")
    is_attention, seen = command["kernel"].startswith("attention"), set()
    for a in command["arguments"]:
        bytes = a["bytes"]["times"] if a["kind"] in ("Derived", "Constant", "Arena", "Rounded") else extent(a["bytes"], batch)
        if is_take and bytes == batch * 17 * 32 * 4:
            bytes //= 17  # the class token alone
        access = (a["kind"], a["index"], a.get("offset", 0), bytes)
        if is_attention and access in seen:  # query, key and value of one product
            continue
        seen.add(access)
        twice = a["kind"] == "Arena" and command.get("is_update", False)
        yield from [((a["kind"], a["index"]), a.get("offset", 0), bytes)] * (1 + twice)


def memory_bytes(commands, batch, l2):
    """By pieces of 4 KiB that remember when they were used last."""
    last, used = {}, 0
    for _ in range(2):
        result = []
        for command in commands:
            missed = 0
            for buffer, begin, bytes in ranges(command, batch):
                assert begin % PIECE == 0
                for at in range(begin, begin + bytes, PIECE):
                    size = min(PIECE, begin + bytes - at)
                    if (buffer, at) not in last or used - last[buffer, at] + size > l2:
                        missed += size
                    used += size
                    last[buffer, at] = used
            result.append(missed)
    return result


def resident(kernel, gpu):
    _, _, _, _, threads, workgroups, shared, arch = gpu
    warps = math.ceil(kernel["threads"] / 32)
    limits = [workgroups, threads // (32 * warps), shared // (math.ceil((kernel["shared"] + 1024) / 128) * 128)]
    registers = kernel["registers"].get(arch)
    if registers:
        warps_of_part = 16384 // (math.ceil(registers * 32 / 256) * 256)
        limits.append(4 * warps_of_part // (4 * math.ceil(warps / 4)))
    return min(limits), registers


def model_flop(batch):
    """Of the products of make_model.py's checkpoint."""
    width, hidden, layers, classes, patches, patch_width = 32, 64, 2, 7, 16, 3 * 4 * 4
    tokens = patches + 1
    layer = 4 * tokens * width * width + 2 * tokens * tokens * width + 2 * tokens * width * hidden
    # Of the last layer only the class token is used behind the keys and values.
    narrow = 2 * tokens * width * width + 2 * width * width + 2 * tokens * width + 2 * width * hidden
    return 2 * batch * (patches * patch_width * width + (layers - 1) * layer + narrow + width * classes)


def check(name, found, expected):
    assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-15), (name, found, expected)


def main():
    module, estimate = (json.load(open(path)) for path in sys.argv[1:3])
    gpu, batch = GPUS[sys.argv[3]], int(sys.argv[4])
    processors, peak, bandwidth, l2 = gpu[:4]
    schedule = next(s for s in module["entries"][0]["schedules"] if s["target"] != "Cpu")
    kernels = {k["name"]: k for k in schedule["kernels"]}
    commands = [c for c in schedule["commands"] if c["kind"] != "Barrier"]
    found = estimate["estimates"][0]
    assert estimate["batch"] == batch and len(found["commands"]) == len(commands) > 10
    missed = memory_bytes(commands, batch, l2)
    total, flop = 0, 0
    for one, command, memory in zip(found["commands"], commands, missed):
        kernel = kernels[command["kernel"]]
        units, work = extent(command["units"], batch), extent(command["flop"], batch)
        most, registers = resident(kernel, gpu)
        compute = work / peak
        busiest = math.ceil(units / processors) * work / units / (peak / processors)
        seconds = max(busiest, memory / bandwidth) + GAP
        assert one["name"] == command["name"] and one["kernel"] == command["kernel"]
        assert one["units"] == units and one["resident"] == most and one["registers"] == registers
        check("flop", one["flop"], work)
        check("bytes", one["bytes"], sum(bytes for _, _, bytes in ranges(command, batch)))
        check("memory", one["memory_bytes"], memory)
        check("occupancy", one["occupancy"], most * kernel["threads"] / gpu[4])
        check("waves", one["waves"], units / processors / most)
        check("compute", one["compute_us"], compute * 1e6)
        check("busiest", one["busiest_us"], busiest * 1e6)
        check("memory", one["memory_us"], memory / bandwidth * 1e6)
        check("launch", one["launch_us"], GAP * 1e6)
        check("time", one["us"], seconds * 1e6)
        total += seconds
        flop += work
    check("model", flop, model_flop(batch))
    check("ms", found["ms"], total * 1e3)
    check("images/s", found["images_per_s"], batch / total)
    print("%d commands, %d of them with traffic; bound by %s" % (
        len(commands), sum(m > 0 for m in missed), ", ".join(sorted({c["bound"] for c in found["commands"]}))))


main()
