# ===- kill_resume.py - Training that is killed repeatedly -----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Trains the tiny model of make_tiny.py with a checkpoint after each step, kills the
process (SIGKILL) at KILLS random moments, and resumes it each time. After each
kill DIR/last must be complete; at the end weights, optimizer states and losses
of all steps must have the bits of an uninterrupted run.

  python3 kill_resume.py VIT_RUN FOLDER KILLS [SEED [OPTION...]]
"""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

import check_log

FILES = ["model.safetensors", "state.safetensors"]


def read_file(path):
    """Checks that a safetensors file is complete; returns header and name -> bytes."""
    with open(path, "rb") as file:
        data = file.read()
    length, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    end = 8 + length
    tensors = {}
    for name, info in header.items():
        first, last = (8 + length + offset for offset in info["data_offsets"])
        assert first == end, "%s: a gap before %s" % (path, name)
        tensors[name] = (info["dtype"], info["shape"], data[first:last])
        end = last
    assert end == len(data), "%s has %d bytes and should have %d" % (path, len(data), end)
    return metadata, tensors


def read_state(folder):
    metadata, _ = read_file(folder + "/state.safetensors")
    return json.loads(metadata["vit.training"])


def check_whole(out):
    """The steps of DIR/last; 0 if it does not exist yet."""
    found = {}
    for name in ["last", "best"]:
        folder = out + "/" + name
        if not os.path.isdir(folder) and os.path.isdir(folder + ".previous"):
            folder += ".new"  # Killed between two renames.
        if not os.path.isdir(folder):
            continue
        model, _ = read_file(folder + "/model.safetensors")
        read_file(folder + "/state.safetensors")
        found[name] = read_state(folder)["steps"]
        assert model["vit.steps"] == str(found[name]), (name, model, found)
    return found.get("last", 0)


class Training:
    def __init__(self, vit_run, folder, options):
        self.start = [vit_run, "train", folder + "/model.mlir", "--data", folder + "/data",
                      "--batch", "16", "--epochs", "100000", "--seed", "3", "--lr", "0.01",
                      "--checkpoint-every", "1", "--threads", "1"] + options

    def command(self, out, *more):
        return self.start + ["--out", out] + list(more)

    def run(self, out, *more):
        done = subprocess.run(self.command(out, *more), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, " ".join(self.command(out, *more)) + "\n" + done.stdout

    def kill_after(self, out, seconds):
        process = subprocess.Popen(self.command(out, "--resume"), stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return
        raise AssertionError("ended by itself with %d: %s" % (process.returncode, output))

    def measure(self, out):
        """Seconds until the first checkpoint exists."""
        begin = time.monotonic()
        process = subprocess.Popen(self.command(out), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        while not os.path.isdir(out + "/last"):
            assert process.poll() is None, "the first run ended before its first checkpoint"
            time.sleep(0.002)
        seconds = time.monotonic() - begin
        process.kill()
        process.wait()
        shutil.rmtree(out)
        return seconds


def compare(whole, killed, steps):
    for file in FILES:
        _, expected = read_file(whole + "/last/" + file)
        _, got = read_file(killed + "/last/" + file)
        assert list(expected) == list(got), file + " holds other tensors"
        for name in expected:
            assert expected[name] == got[name], "%s: %s differs" % (file, name)
    losses = []
    for out in [whole, killed]:
        log = check_log.check(out, steps)
        losses.append([line["loss"] for line in log if line["kind"] == "step"])
    assert losses[0] == losses[1], "the losses differ"


def main():
    vit_run, folder, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
    print("seed %d" % seed)
    generator = random.Random(seed)
    training = Training(vit_run, folder, sys.argv[5:])
    whole, killed = folder + "/whole", folder + "/killed"
    for out in [whole, killed]:
        shutil.rmtree(out, ignore_errors=True)
    training.measure(whole)  # Compiles the model into the cache.
    first = training.measure(whole)
    reached = []
    for _ in range(kills):
        training.kill_after(killed, generator.uniform(0, 2.5 * first))
        reached.append(check_whole(killed))
        assert reached == sorted(reached), "steps were lost: %s" % reached
    steps = reached[-1] + 5
    training.run(killed, "--resume", "--steps", str(steps))
    training.run(whole, "--steps", str(steps))
    assert check_whole(killed) == check_whole(whole) == steps
    compare(whole, killed, steps)
    print("%d kills in %d steps: the same bits" % (kills, steps))


if __name__ == "__main__":
    main()
