# ===- check_train.py - Checks that vit-run train is reproducible ----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Trains on the data of make_training.py and checks logs and checkpoints.

  python3 check_train.py MODEL DATA FOLDER
"""

import json
import math
import os
import signal
import subprocess
import sys
import time

import files

model, data, folder = sys.argv[1:]
BATCH, IMAGES, EPOCHS = 8, 50, 3
STEPS = math.ceil(IMAGES / BATCH)
COMMON = {"--batch": BATCH, "--epochs": EPOCHS, "--seed": 5, "--crop": 4,
          "--flip": None, "--erase": 0.3, "--lr": 3e-3, "--schedule": "cosine",
          "--warmup": "1e"}


def command(name, *more):
    """`more` precedes the common options."""
    parts = ["vit-run", "train", model, "--data", data, "--out",
             os.path.join(folder, name)] + list(more)
    for option, value in COMMON.items():
        if option not in more:
            parts += [option] if value is None else [option, str(value)]
    return parts


def train(name, *more, status=0):
    result = subprocess.run(command(name, *more), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    assert result.returncode == status, (name, result.returncode, result.stdout)
    return result.stdout


def log(name):
    with open(os.path.join(folder, name, "log.jsonl")) as file:
        return [json.loads(line) for line in file]


def steps(name):
    return [line for line in log(name) if line["kind"] == "step"]


def steps_so_far(path):
    with open(path) as file:
        return [line for line in file if '"kind":"step"' in line]


def weights(name, part="last", file="model.safetensors"):
    with open(os.path.join(folder, name, part, file), "rb") as stream:
        return stream.read()


def tensors(name):
    return files.read_safetensors(os.path.join(folder, name, "last", "model.safetensors"))


def expect_same(name):
    """Compares the weights and the loss of each step."""
    assert weights(name) == weights("plain"), name
    assert ([line["loss"] for line in steps(name)] ==
            [line["loss"] for line in steps("plain")]), name
    assert ([line["test_loss"] for line in log(name) if line["kind"] == "epoch"] ==
            [line["test_loss"] for line in log("plain") if line["kind"] == "epoch"]), name


# The run that others are compared with.
said = train("plain", "--threads", "1")
assert "of workspace" in said and "epoch 3/3" in said, said
lines = steps("plain")
assert [line["step"] for line in lines] == list(range(1, EPOCHS * STEPS + 1))
assert [line["images"] for line in lines[:STEPS]] == [8] * 6 + [2], "the last one is short"
assert [line["epoch"] for line in lines] == [1] * STEPS + [2] * STEPS + [3] * STEPS
epochs = [line for line in log("plain") if line["kind"] == "epoch"]
assert len(epochs) == EPOCHS and epochs[-1]["test_accuracy"] > 0.9, epochs
for number, epoch in enumerate(epochs):
    part = lines[number * STEPS : (number + 1) * STEPS]
    mean = sum(line["loss"] * line["images"] for line in part) / IMAGES
    assert abs(epoch["train_loss"] - mean) < 1e-6 * mean, (epoch, mean)

# Learning rates: torch's LinearLR in the first epoch, then CosineAnnealingLR.
total, warm = EPOCHS * STEPS, STEPS
for update, line in enumerate(lines):
    rate = (3e-3 * (update + 1) / warm if update < warm else
            3e-3 * (1 + math.cos(math.pi * (update - warm) / (total - warm))) / 2)
    assert abs(line["learning_rate"] - rate) < 1e-6 * 3e-3, (update, line, rate)

# A checkpoint is a model: evaluating it gives the logged numbers.
best = max(epochs, key=lambda epoch: epoch["test_accuracy"])
for part, epoch in [("best", best), ("last", epochs[-1])]:
    report = json.loads(subprocess.run(
        ["vit-run", "eval", os.path.join(folder, "plain", part), "--data", data, "--json"],
        check=True, stdout=subprocess.PIPE).stdout)
    assert report["loss"] == epoch["test_loss"], (part, report, epoch)
    assert report["top1"] == epoch["test_accuracy"], (part, report, epoch)

# Two threads; another run; a run with checkpoints.
train("threads", "--threads", "2")
expect_same("threads")
train("often", "--checkpoint-every", "2")
expect_same("often")

# Stopped and resumed: within an epoch, at its end, before the end of the first step.
for stop in [1, 4, STEPS, STEPS + 3]:
    name = "stop%d" % stop
    said = train(name, "--steps", str(stop))
    assert "stopped after step %d; --resume continues it" % stop in said, said
    assert len(steps(name)) == stop
    train(name, "--resume")
    expect_same(name)
assert "already holds a training run" in train("plain", status=1)
said = train("stop1", "--resume", "--lr", "1", status=1)
assert "--resume requires the options that the run began with" in said and "lr" in said, said
assert "starting from the beginning" in train("fresh", "--resume")
expect_same("fresh")

# A signal ends the run after the current step.
for number in [signal.SIGINT, signal.SIGTERM]:
    name = "signal%d" % number
    # Background processes of a shell, and their children, ignore SIGINT.
    process = subprocess.Popen(command(name, "--epochs", "100000", "--schedule", "constant"),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    path = os.path.join(folder, name, "log.jsonl")
    deadline = time.time() + 120
    while not os.path.exists(path) or len(steps_so_far(path)) < 20:
        assert process.poll() is None and time.time() < deadline, name
        time.sleep(0.02)
    process.send_signal(number)
    try:
        said = process.communicate(timeout=120)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 128 + number, (process.returncode, said)
    done = len(steps(name))
    assert "stopped after step %d; --resume continues it" % done in said, said
    assert log(name)[-1]["kind"] == "interrupted"
    more = ["--epochs", "100000", "--schedule", "constant", "--steps", str(done + 9)]
    train(name, "--resume", *more)
    train(name + "-plain", *more)
    assert weights(name) == weights(name + "-plain")

# Two accumulated batches equal one batch of twice the size, except for rounding.
COMMON = {"--batch": BATCH, "--seed": 5, "--lr": 3e-3}
small = ["--range", "0..31", "--epochs", "2"]
train("sum", *small, "--accumulate", "2")
train("twice", *small, "--batch", "16")
assert [line["update"] for line in steps("sum")] == [0, 1, 1, 2, 2, 3, 3, 4]
for name, (shape, values) in tensors("sum").items():
    other = tensors("twice")[name][1]
    # The gradient of key biases is a rounding error, which AdamW turns into steps.
    for a, b in zip(values, other):
        assert abs(a - b) < (1e-4 if "qkv.bias" not in name else 2 * 4 * 3e-3), (name, a, b)

# Only parameters that are not frozen change.
train("start", *small, "--steps", "1", "--lr", "0")
train("frozen", *small, "--trained", "head.*")
before, after = tensors("start"), tensors("frozen")
for name in before:
    same = before[name] == after[name]
    assert same == (not name.startswith("head.")), name

# A loss that is not finite: reports step and place, and keeps the last checkpoint.
said = train("nan", "--epochs", "2", "--lr", "1e30", "--checkpoint-every", "1", status=1)
assert "error: step" in said and "the loss is" in said and "in " in said, said
assert "the checkpoint" in said and "is from before" in said, said
assert all(math.isfinite(line["loss"]) for line in steps("nan"))
assert weights("nan")
print(said.splitlines()[-1])
