# ===- check_log.py - Checks the log of a training run ---------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Checks log.jsonl, the TensorBoard events and curves.svg of a folder: each step
from 1 to LAST occurs once, and all have the same numbers.

  python3 check_log.py FOLDER LAST
"""

import glob
import json
import math
import struct
import sys
import xml.etree.ElementTree


def crc32c(data):
    """RFC 3720, B.4, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The contents of a TFRecord file; checks both checksums of each record."""
    at = 0
    while at < len(data):
        head, (length, crc) = data[at : at + 8], struct.unpack("<QI", data[at : at + 12])
        assert masked(head) == crc, "the checksum of a length at %d" % at
        body = data[at + 12 : at + 12 + length]
        crc, = struct.unpack("<I", data[at + 12 + length : at + 16 + length])
        assert len(body) == length and masked(body) == crc, "a record at %d" % at
        yield body
        at += 16 + length


def fields(data):
    """The fields of a protocol buffer: number, value (int, float or bytes)."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind in (1, 5):
            size, code = (8, "<d") if kind == 1 else (4, "<f")
            value, = struct.unpack(code, data[at : at + size])
            at += size
        else:
            assert kind == 2, kind
            size = varint()
            value = data[at : at + size]
            assert len(value) == size
            at += size
        yield key >> 3, value


def read_events(folder):
    """Reads all event files of a folder: (tag, step) -> value."""
    values = {}
    paths = glob.glob(folder + "/events.out.tfevents.*")
    assert paths, "no event file in " + folder
    for path in paths:
        with open(path, "rb") as file:
            events = list(records(file.read()))
        assert dict(fields(events[0]))[3] == b"brain.Event:2", path
        for event in events[1:]:
            parts = dict(fields(event))
            assert parts[1] > 1e9, "the time of an event"
            for number, value in fields(parts[5]):
                assert number == 1
                scalar = dict(fields(value))
                key = (scalar[1].decode(), parts[2])
                assert key not in values, "twice: %s at step %d" % key
                values[key] = scalar[2]
    return values


def read_log(folder):
    with open(folder + "/log.jsonl", encoding="utf-8") as file:
        return [json.loads(line, parse_constant=float) for line in file]


def check(folder, last):
    log = read_log(folder)
    assert log[0]["kind"] == "start" and log[0]["time"] > 1e9
    steps = [line for line in log if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, last + 1)), \
        "not each step once: " + str([line["step"] for line in steps])
    epochs = [line["step"] for line in log if line["kind"] == "epoch"]
    assert epochs == sorted(set(epochs))
    events = read_events(folder)
    expected = {}
    for line in log:
        if line["kind"] == "step":
            for name in ["loss", "accuracy", "learning_rate"]:
                if line.get(name) is not None:
                    expected["train/" + name, line["step"]] = line[name]
        elif line["kind"] == "epoch":
            for name in ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]:
                if line.get(name) is not None:
                    expected["epoch/" + name, line["step"]] = line[name]
    for key, value in expected.items():
        assert math.isclose(events[key], value, rel_tol=1e-6), (key, events[key], value)
    extra = {key for key in events if key not in expected and
             key[0] not in ("train/images_per_second", "epoch/test_top5")}
    assert not extra, extra
    return log


if __name__ == "__main__":
    folder, last = sys.argv[1], int(sys.argv[2])
    log = check(folder, last)
    root = xml.etree.ElementTree.parse(folder + "/curves.svg").getroot()
    assert root.tag.endswith("}svg")
    tags = [element.tag.rsplit("}")[-1] for element in root.iter()]
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "loss" in texts and "accuracy" in texts and "step" in texts, texts
    assert tags.count("polyline") >= 2, tags
    print("%d steps, %d lines" % (last, len(log)))
