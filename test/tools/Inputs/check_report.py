# ===- check_report.py - Checks the data of a page of vit-run report --------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 check_report.py page PAGE              the page itself
   python3 check_report.py bench PAGE BENCH.json  times are those of bench --ops --json
   python3 check_report.py same PAGE BENCH.json   what does not vary between two measurements
   python3 check_report.py inspect PAGE INSPECT.json  the code is that of inspect --json
   python3 check_report.py plan PAGE DUMP.mlir    the plan is that of the text before emission
   python3 check_report.py passes PAGE DUMP-FOLDER   each op has its text after each pass
   python3 check_report.py run PAGE NUMBER RUN    a run is that of RUN/log.jsonl
   python3 check_report.py eval PAGE NUMBER EVAL.json  pictures give what eval --json says
"""

import json
import os
import re
import sys


def read_data(page):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert len(found) == 1, "the page has %d blocks of data" % len(found)
    return json.loads(found[0])


def check_page(page):
    """Nothing is loaded, and nothing of the data is markup."""
    assert os.path.getsize(page) < 3 << 20, os.path.getsize(page)
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "Copyright 2010-2017, Mike Bostock" in text
    assert "{{" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    block = re.search(r'id="data">(.*?)</script>', text, re.S).group(1)
    assert "<" not in block
    # Besides D3, which names its site, no address is in an attribute or a style.
    for pattern in [r"<[^>]*\s(?:src|href)\s*=\s*[\"'](?!#|data:)", r"@import", r"url\("]:
        assert not re.search(pattern, re.sub(r"<script.*?</script>", "", text, flags=re.S)), pattern
    print("a page of", len(read_data(page)["model"]["bench"]["ops"]) if read_data(page)["model"] else 0, "ops")


def check_bench(page, path):
    with open(path) as file:
        bench = json.load(file)
    assert read_data(page)["model"]["bench"] == bench


STEADY = ["batch", "device", "device_name", "threads", "level", "precision", "gflop", "workspace_bytes"]


def check_same(page, path):
    with open(path) as file:
        other = json.load(file)
    bench = read_data(page)["model"]["bench"]
    assert list(bench) == list(other), set(bench) ^ set(other)
    for key in STEADY:
        assert bench[key] == other[key], (key, bench[key], other[key])
    for op, another in zip(bench["ops"], other["ops"], strict=True):
        for key in ["name", "kernel", "gflop", "bytes"]:
            assert op[key] == another[key], (key, op, another)
        assert op["median_ms"] > 0 and op["bytes"] > 0
    assert bench["memory_gb_per_s"] > 0 and bench["peak_gflop_per_s"] > 0


def check_inspect(page, path):
    with open(path) as file:
        module = json.load(file)
    model = read_data(page)["model"]
    entry = [one for one in module["entries"] if one["name"] == model["entry"]][0]
    assert model["schedule"] in entry["schedules"]
    for key in ["inputs", "outputs"]:
        assert model[key] == entry[key]
    for key in ["parameters", "derived"]:
        assert model[key] == module[key]
    commands = [one for one in model["schedule"]["commands"] if one["kind"] != "Barrier"]
    assert [one["name"] for one in commands] == [op["name"] for op in model["bench"]["ops"]]


def check_plan(page, dump):
    """Slots and lives follow from "slots [...]" and the values of the dispatches."""
    model = read_data(page)["model"]
    plan = model["plan"]
    with open(dump) as file:
        text = file.read()
    entry = text[text.index("func.func @%s(" % model["entry"]):]
    written, live, position = [], {}, 0
    for line in entry.split("\n"):
        if line.startswith("  }"):
            break
        names = re.match(r" *(%\w+)(?::\d+)?((?:, %\w+)*) = ", line)
        operands = set(re.findall(r"%[\w#]+", line[names.end() if names else 0:]))
        if "kernel.dispatch" not in line:
            # A concatenation is its parts, which lie in one slot.
            if " kernel.concat" in line:
                live[names.group(1)] = [one for name in operands for one in live.get(name, [])]
            continue
        for name in operands:
            for one in live.get(name.split("#")[0] if name not in live else name, []):
                written[one][2] = position
        slots = re.search(r" slots \[([^\]]*)\]", line)
        results = re.findall(r"%\w+", (names.group(1) + names.group(2))) if names else []
        numbers = [int(slot.split()[0]) for slot in slots.group(1).split(",")] if slots and slots.group(1) else []
        for index, slot in enumerate(numbers):
            name = results[index] if index < len(results) else "%s#%d" % (results[0], index)
            names_of = [name] if len(results) > 1 or len(numbers) == 1 else [results[0] + "#%d" % index]
            if slot >= 0:
                for one in names_of:
                    live[one] = [len(written)]
                written.append([slot, position, position])
        position += 1
    found = [[one["slot"], one["begin"], one["end"]] for one in plan["buffers"]]
    assert found == written, [pair for pair in zip(found, written) if pair[0] != pair[1]][:5]
    for number, one in enumerate(plan["buffers"]):
        assert one["offset"] % 64 == 0 and one["offset"] + one["bytes"] <= plan["slot_bytes"]
        for other in plan["buffers"][:number]:
            apart = one["offset"] + one["bytes"] <= other["offset"] or other["offset"] + other["bytes"] <= one["offset"]
            assert apart or one["begin"] > other["end"] or other["begin"] > one["end"], (one, other)
    assert plan["slot_bytes"] <= model["bench"]["workspace_bytes"]
    print("%d values in %d slots" % (len(found), len(set(one[0] for one in found))))


def check_passes(page, folder):
    model = read_data(page)["model"]
    passes = model["passes"]
    assert passes["passes"] == sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".mlir"))
    dumps = []
    for name in passes["passes"]:
        with open(os.path.join(folder, name + ".mlir")) as file:
            dumps.append(re.sub(r" loc\((?:#\w+|\"[^\"]*\"|fused\[[^]]*\]|unknown)\)", "", file.read()))
    commands = [one for one in model["schedule"]["commands"] if one["kind"] != "Barrier"]
    for command, one in zip(commands, passes["commands"], strict=True):
        names, name = one["names"], command["name"]
        assert names and (name == "+".join(names) or all(other.startswith(name) for other in names)), (name, names)
        for index, dump in zip(one["texts"], dumps, strict=True):
            # Before vit-generate-backward there are no ops of the update.
            assert index >= 0 or (index == -1 and model["entry"] == "train_step" and one["texts"][-1] >= 0), command["name"]
            for line in passes["texts"][index].split("\n") if index >= 0 else []:
                assert line.strip() in dump, line
        assert "@%s(" % command["kernel"] in passes["texts"][one["texts"][-1]]
        assert "func.func @" + command["kernel"] in passes["texts"][passes["kernels"][command["kernel"]]]
    assert passes["omitted"] == 0
    print("%d commands, %d passes" % (len(commands), len(dumps)))


def check_run(page, number, folder):
    run = read_data(page)["runs"][int(number)]
    with open(folder + "/log.jsonl", errors="replace") as file:
        lines = [json.loads(line) for line in file]
    steps = [line for line in lines if line["kind"] == "step"]
    assert run["start"] == lines[0] and run["folder"] == folder and run["damaged"] == 0
    assert run["epochs"] == [line for line in lines if line["kind"] == "epoch"]
    assert run["step_count"] == len(steps)
    rows = [dict(zip(run["steps"], values)) for values in zip(*run["steps"].values(), strict=True)]
    known = {line["step"]: line for line in steps}
    for row in rows:
        for key, value in row.items():
            assert known[row["step"]].get(key) == value, (row, key)
    if len(steps) == len(rows):
        assert [row["step"] for row in rows] == [line["step"] for line in steps]
    else:
        losses = [line["loss"] for line in steps if line["loss"] is not None]
        shown = [row["loss"] for row in rows if row["loss"] is not None]
        assert max(shown) == max(losses) and min(shown) == min(losses) and 2000 <= len(rows) <= 4000
    print("%d of %d steps" % (len(rows), len(steps)))


def check_eval(page, number, path):
    pictures = read_data(page)["pictures"][int(number)]
    with open(path) as file:
        report = json.load(file)
    assert pictures["images"] == report["images"] and pictures["unreadable"] == report["unreadable"]
    assert pictures["top1_correct"] == report["top1_correct"] and pictures["top5_correct"] == report["top5_correct"]
    assert pictures["loss"] == report["loss"]
    cells = pictures["confusion"]
    assert sum(cell[2] for cell in cells) == report["images"]
    assert sum(cell[2] for cell in cells if cell[0] == cell[1]) == report["top1_correct"]
    wrong = pictures["wrong"]
    assert len(wrong) == min(12, report["images"] - report["top1_correct"])
    assert [one["loss"] for one in wrong] == sorted((one["loss"] for one in wrong), reverse=True)
    for one in wrong:
        own = pictures["classes"][one["class"]]
        assert one["class"] != one["predicted"] and one["name"].split("/")[-2] == own, one["name"]
        assert 0 < one["probability"] <= one["predicted_probability"] <= 1
        if one["attention"]:
            weights = one["attention"]["weights"]
            assert len(weights) == one["attention"]["rows"] * one["attention"]["columns"] and 0 < sum(weights) < 1.001
    print("%d wrong, attention %s" % (len(wrong), pictures["attention_note"] or "of all"))


{"page": check_page, "bench": check_bench, "same": check_same, "inspect": check_inspect, "plan": check_plan,
 "passes": check_passes, "run": check_run, "eval": check_eval}[sys.argv[1]](*sys.argv[2:])
