# ===- check_f16.py - Roundings to f16 of all kinds of numbers -------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_f16.py FOLDER LEVEL... -- COMMAND...

Runs a text in f16 by COMMAND (such as vit-run infer; the text and options of
infer are added) at each level; "cpu": at those of this processor. Its outputs show how operands, results between
two products, and the exponentials of attention have been rounded, which is
compared with Python's own conversion: ties, subnormals, the largest number, and
NaNs for what is beyond it. Such a number in a query, key or value must give NaNs
wherever it counts.
"""

import math
import os
import random
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tools/Inputs"))
import files
from narrow import expansion, get_levels

# Products of at most 16 inputs stay f32. Of these, the first one is a number.
WIDTH, KEYS, BIAS = 32, 16, 1 / 3
FAR = 9  # the token, of 16, whose first channel is beyond the range
LARGEST, BEYOND = 65504.0, 65520.0

TEXT = """
vit.parameter @one : tensor<32x32xf32> init<constant, 1.0>
vit.parameter @bias : tensor<32xf32> init<constant, %(bias)r>
vit.parameter @mean : tensor<32x32xf32> init<constant, 0.03125>
!w = tensor<32x32xf32>
!x = tensor<?x%(tokens)dx32xf32>
!t = tensor<?x16x32xf32>
!p = tensor<?x1x16x16xf32>
func.func @forward(%%x: !x) -> (!x {vit.name = "operand"}, !x {vit.name = "result"}, !t {vit.name = "mixed"},
                                !t {vit.name = "slow"}, !p {vit.name = "table"},
                                !t {vit.name = "far_key"}, !t {vit.name = "far_query"}, !t {vit.name = "far_value"}) {
  %%q = vit.take_tokens %%x from %(q)d count 16 : (!x) -> !t
  %%k = vit.take_tokens %%x from %(k)d count 16 : (!x) -> !t
  %%v = vit.take_tokens %%x from %(v)d count 16 : (!x) -> !t
  %%far = vit.take_tokens %%x from %(far)d count 16 : (!x) -> !t
  %%one = vit.read @one : !w
  %%bias = vit.read @bias : tensor<32xf32>
  %%mean = vit.read @mean : !w
  %%a = vit.linear %%x, %%one : (!x, !w) -> !x
  %%b = vit.linear %%x, %%one, %%bias : (!x, !w, tensor<32xf32>) -> !x
  %%c = vit.linear %%b, %%mean : (!x, !w) -> !x
  %%d = kernel.map %%a {%(observe)s  } : !x -> !x
  %%e = kernel.map %%c {%(observe)s  } : !x -> !x
  %%mixed = vit.attention %%q, %%k, %%v heads 1 scale 1.0 : (!t, !t, !t) -> !t
  %%slow, %%table = vit.attention %%q, %%k, %%v heads 1 scale 1.0 : (!t, !t, !t) -> (!t, !p)
  %%f = vit.attention %%q, %%far, %%v heads 1 scale 1.0 : (!t, !t, !t) -> !t
  %%far_key = kernel.map %%f {%(observe)s  } : !t -> !t
  %%g = vit.attention %%far, %%k, %%v heads 1 scale 1.0 : (!t, !t, !t) -> !t
  %%far_query = kernel.map %%g {%(observe)s  } : !t -> !t
  %%h = vit.attention %%q, %%k, %%far heads 1 scale 1.0 : (!t, !t, !t) -> !t
  %%far_value = kernel.map %%h {%(observe)s  } : !t -> !t
  return %%d, %%e, %%mixed, %%slow, %%table, %%far_key, %%far_query, %%far_value
      : !x, !x, !t, !t, !p, !t, !t, !t
}
"""


# vit-run gives no NaN or infinity out: they become numbers that f16 does not have.
NAN, INFINITY = 3.0e+06, 2.0e+06
OBSERVE = """
  ^bb0(%%sum: f32):
    %%least = arith.constant 0.0 : f32
    %%most = arith.constant 1.0e+06 : f32
    %%infinity = arith.constant %r : f32
    %%nan = arith.constant %r : f32
    %%size = math.absf %%sum : f32
    %%is_finite = arith.cmpf olt, %%size, %%most : f32
    %%is_number = arith.cmpf oge, %%size, %%least : f32
    %%else = arith.select %%is_number, %%infinity, %%nan : f32
    %%y = arith.select %%is_finite, %%sum, %%else : f32
    kernel.yield %%y : f32
""" % (INFINITY, NAN)


# Which queries and channels are NaNs.
LOST = {"far_key": lambda query, channel: True, "far_query": lambda query, channel: query == FAR,
        "far_value": lambda query, channel: channel == 0}


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def half(x):
    """Rounds to f16, to nearest even; NAN beyond the range."""
    if not abs(x) < BEYOND:
        return NAN
    return struct.unpack("<e", struct.pack("<e", x))[0]


def truncated(x):
    """The f16 of the same sign that is nearest to x of those that are not larger."""
    y = half(x)
    return y if not abs(y) > abs(x) else struct.unpack("<e", struct.pack("<H", struct.unpack("<H", struct.pack("<e", y))[0] - 1))[0]


def make_numbers():
    numbers = [0.0, -0.0, 1e-40, math.inf, -math.inf, math.nan, 3e38, LARGEST, 65519.99609375, BEYOND, -BEYOND]
    for exponent in [-24, -20, -15, -14, -13, -1, 0, 11, 15]:
        step = 2.0 ** (max(exponent, -14) - 10)  # from one number of f16 to the next
        for steps in [0.5, 1, 1.5, 2.5, -0.5, -1.5]:
            tie = 2.0**exponent + steps * step
            numbers += [tie, -tie, tie * (1 + 2**-20), tie * (1 - 2**-20)]
    random.seed(3)
    numbers += [random.choice([-1, 1]) * random.uniform(1, 2) * 2.0 ** random.randint(-27, 15) for _ in range(99)]
    return [single(x) for x in numbers]


def to_tokens(numbers):
    return [x if channel == 0 else 0.0 for x in numbers for channel in range(WIDTH)]


def make_attention():
    """Returns the tokens of q, k, v and the one beyond the range, and the exponentials. The scores of all queries are the first
    channel of the keys, 0 for the first one, and each value has a channel of its own."""
    random.seed(5)
    scores = [0.0]
    while len(scores) < KEYS:
        score = half(random.uniform(-15, 0))
        power, rounded = math.exp(score), half(math.exp(score))
        # Rounding makes a difference, and the last bits of an approximation make none.
        if abs(power - rounded) > 1e-4 * power and half(power * (1 + 1e-5)) == half(power * (1 - 1e-5)):
            scores.append(score)
    values = [0.0] * (KEYS * WIDTH)
    values[::WIDTH + 1] = [1024.0] * KEYS
    far = [BEYOND if i == FAR else 0.0 for i in range(KEYS)]
    tokens = to_tokens([1.0] * KEYS) + to_tokens(scores) + values + to_tokens(far)
    return tokens, [half(math.exp(score)) for score in scores]


separator = sys.argv.index("--")
folder, levels, command = sys.argv[1], sys.argv[2:separator], sys.argv[separator + 1:]
if levels == ["cpu"]:
    levels = get_levels("f16")
os.makedirs(folder, exist_ok=True)
numbers = make_numbers()
operands, powers = make_attention()
count = len(numbers)
bias = single(BIAS)
expected = {"operand": [half(x) for x in numbers], "result": [half(single(half(x) + bias)) for x in numbers]}
for name, sources in [("operand", numbers), ("result", [single(half(x) + bias) for x in numbers])]:
    known = [x for x in sources if abs(x) < BEYOND]
    assert sum(truncated(x) != half(x) for x in known) > len(known) / 5, name
    assert expected[name].count(NAN) >= 6, name
assert sum(0 < power < 2**-14 for power in powers) > 2

model, source = folder + "/f16.mlir", folder + "/x.npy"
with open(model, "w") as file:
    file.write(TEXT % {"tokens": count + 4 * KEYS, "q": count, "k": count + KEYS, "v": count + 2 * KEYS,
                       "far": count + 3 * KEYS, "bias": bias, "observe": OBSERVE})
files.write_npy(source, [1, count + 4 * KEYS, WIDTH], to_tokens(numbers) + operands)
wrong = []
for level in levels:
    names = ["operand", "result", "mixed", "slow", "table", *LOST]
    outputs = [part for name in names for part in ["--output", "%s=%s/%s-%s.npy" % (name, folder, level, name)]]
    run = command + [model, "--precision", "f16", "--level", level.split(",")[0], "--input", source] + outputs
    if subprocess.run(run, env={**os.environ, **expansion(level)}).returncode != 0:
        sys.exit("the run failed")
    for name in names:
        values = files.read_npy("%s/%s-%s.npy" % (folder, level, name))[1]
        if name in LOST:
            lost = [i for i, value in enumerate(values) if value == NAN]
            if lost != [i for i in range(KEYS * WIDTH) if LOST[name](i // WIDTH, i % WIDTH)]:
                wrong.append("%s at %s: NaNs at %s" % (name, level, lost))
            continue
        for i, value in enumerate(values[:count * WIDTH] if name in expected else values):
            if name in expected:
                what, want, relative = numbers[i // WIDTH], expected[name][i // WIDTH], 0
            else:
                row = KEYS if name == "table" else WIDTH
                if i % row >= KEYS:
                    continue
                what, want, relative = "key %d" % (i % row), powers[i % row], 1e-5
                value /= values[i - i % row]
            if not abs(value - want) <= relative * abs(want):
                wrong.append("%s at %s: %r of %s, not %r" % (name, level, value, what, want))
if wrong:
    sys.exit("\n".join(wrong[:20] + ["%d numbers are wrong" % len(wrong)]))
