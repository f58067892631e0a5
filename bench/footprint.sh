#!/usr/bin/env bash
# ===- footprint.sh - Start-up time, memory, compile time and size ---------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
# usage: bench/footprint.sh MODEL [BIN]
# MODEL: the folder of a checkpoint, ViT-B/16 for the numbers in the README; compare.py writes one
# to CACHE/timm-b. BIN: the folder of the tools, build/release/bin by default. Prints the best of
# five: time from process start to the first result and peak memory of `vit-run infer` on a .vitm
# (in the page cache), time of vit-compile, and size of the stripped runtime library.
set -euo pipefail
[ $# -ge 1 ] || {
  sed -n '8,12p' "$0" | cut -c3- >&2
  exit 1
}
root=$(cd "$(dirname "$0")/.." && pwd)
model=$1 bin=${2:-$root/build/release/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# best N COMMAND...: minimum wall and CPU time in seconds and peak memory in MiB of N runs.
best() {
  python3 - "$@" <<'PY'
import os, subprocess, sys, time
count, command = int(sys.argv[1]), sys.argv[2:]
times, used, peaks = [], [], []
for _ in range(count):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    times.append(time.perf_counter() - start)
    if status:
        sys.exit(f"error: {' '.join(command)} failed")
    used.append(usage.ru_utime + usage.ru_stime)
    peaks.append(usage.ru_maxrss / 1024)
print(f"{min(times):.3f} s (median {sorted(times)[count // 2]:.3f}), processor {min(used):.3f} s, peak {min(peaks):.0f} MiB")
PY
}

echo "load average: $(cut -d' ' -f1 /proc/loadavg)"
level=avx2
grep -qw avx512f /proc/cpuinfo && level=avx512
echo "compile, $level, --parameters reference:  $(best 5 "$bin/vit-compile" "$model" -o "$work/reference.vitm" --level $level --parameters reference)"
echo "compile, $level, --parameters inline:     $(best 3 "$bin/vit-compile" "$model" -o "$work/inline.vitm" --level $level)"

# A random picture in the shape of the model; SHAPE, unless it is 224 pixels.
python3 - "$work/input.npy" "${SHAPE:-1,3,224,224}" <<'PY'
import random, struct, sys
shape = tuple(int(n) for n in sys.argv[2].split(","))
count = 1
for n in shape:
    count *= n
header = "{'descr': '<f4', 'fortran_order': False, 'shape': %r, }" % (shape,)
header += " " * (-(len(header) + 11) % 64) + "\n"
rng = random.Random(0)
with open(sys.argv[1], "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    f.write(struct.pack(f"<{count}f", *(rng.uniform(-1, 1) for _ in range(count))))
PY
for form in inline reference; do
  echo "start to first result, $form:  $(best 5 "$bin/vit-run" infer "$work/$form.vitm" --input "$work/input.npy" --output "$work/y.npy" --threads 2)"
done

library=$(readlink -f "$bin/../lib/libvit-runtime.so")
strip -o "$work/runtime.so" "$library" 2>/dev/null || llvm-strip-22 -o "$work/runtime.so" "$library"
echo "libvit-runtime.so, stripped:  $(($(stat -c %s "$work/runtime.so") / 1024)) KiB"
echo "it needs:  $(objdump -p "$library" | sed -n 's/.*NEEDED *//p' | xargs)"
