# ===- run_pages.py - Runs the commands of the documentation ---------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 run_pages.py [--write] SOURCE BUILD WORK [PAGE...]

Runs the commands of every page (README.md and the other .md files of SOURCE):
those in blocks that begin with ```sh or ```bash, and lines after `$ ` in blocks
that begin with ```console, where the lines below a command are its output. What
comes out must be the same, but for what differs between machines (VARYING) and
in the last digits of decimals; a line `...` stands for any lines. --write puts
what came out in place of outputs that are not the same.
Each page is one shell, in order, in a folder that looks
like the root of the repository, where /tmp and the home are empty folders. A
block of another language whose first line is a comment with a file's name
("// tiny.mlir: ...") is written to that file. BUILD/bin is on the PATH.

A command runs as it is written unless RULES changes or skips it. The rules that
match nothing, and commands that fail, are errors. Prints how many commands of
each page ran, were changed and were skipped, and why.
"""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tools/Inputs"))
import on_vulkan

MAKE = "python3 %s/make_files.py " % HERE
NO_VULKAN = not (on_vulkan.has_driver("lavapipe") or on_vulkan.has_driver("swiftshader"))
NUMPY = "numpy is not needed for the tests"
DOWNLOAD = "a download: small files in its place"
NO_PACKAGE = "the Python package is not built"
SHORT = "fewer pictures or steps"  # Not on pages of the tutorial: their outputs are those of the commands.
SERVICE = "test/examples/service.test does, on a free port"
SKIP = None
HAS_MPI = shutil.which("mpirun.openmpi") is not None
PACKAGE_PYTHON = os.environ.get("VIT_PACKAGE_PYTHON")

# (page, part of the command, replacements or SKIP, reason). A page of "" is any.
# Replacements are pairs of a regular expression and its replacement.
RULES = [
    ("", "scripts/demo", SKIP, "installs packages and builds"),
    ("", "scripts/test", SKIP, "runs this test"),
    ("", "scripts/gpu-bundle", SKIP, "test/tools/gpu-bundle.test does, with a small model"),
    ("docs/precision.md", "--precision int8", [(r"vit-compile ", "vit-compile --level avx2 ")], "one level"),
    ("docs/precision.md", "--min-cosine", [(r"$", " --images 4")], SHORT),
    ("docs/targets.md", "--precision f32,bf16,f16", [(r"vit-compile ", "vit-compile --level direct,sm_80 ")], "two levels"),
    ("", "cmake --preset", SKIP, "builds all that the test uses"),
    ("docs/python.md", "scripts/wheels", SKIP, "builds all again"),
    ("docs/python.md", "-m venv", SKIP, "its packages are downloads"),
    ("docs/python.md", "/env/bin/vit-run", [(r"^\S*/env/bin/", "")], "the build's own"),
    ("examples/README.md", "examples/service.py", SKIP, SERVICE),
    ("examples/README.md", "localhost:8000", SKIP, SERVICE),
    ("examples/README.md", "kill %1", SKIP, SERVICE),
    ("", "/env/bin/python",
     [(r"^\S*/env/bin/python", "PYTHONPATH=build/release/python " + PACKAGE_PYTHON)] if PACKAGE_PYTHON else SKIP,
     "the build's own" if PACKAGE_PYTHON else NO_PACKAGE),
    ("", "bench/embed.py", SKIP, "needs another framework"),
    ("", "bench/python.py", [(r"build/python/bin/python", PACKAGE_PYTHON), (r"$", " --rounds 20")] if PACKAGE_PYTHON else SKIP,
     SHORT if PACKAGE_PYTHON else NO_PACKAGE),
    ("", "pip install", SKIP, "downloads gigabytes"),
    ("", "bench/compare", SKIP, "needs another framework and a harness"),
    ("docs/many-machines.md", "mpirun", [(r"mpirun", "mpirun --oversubscribe --allow-run-as-root")] if HAS_MPI else SKIP,
     "more ranks than cores, by root" if HAS_MPI else "no Open MPI"),
    ("docs/many-machines.md", "many.py", [(r"python many", "env PYTHONPATH=build/release/python " + PACKAGE_PYTHON + " many")]
     if PACKAGE_PYTHON else SKIP, "the build's own" if PACKAGE_PYTHON else NO_PACKAGE),
    ("docs/many-machines.md", "mpicc", [] if HAS_MPI else SKIP, "" if HAS_MPI else "no Open MPI"),
    ("", "bench/scale.py", [(r"scale.py", "scale.py --bin $(dirname $(which vit-run)) --batch 4 --steps 4 --ranks 1,2")] if HAS_MPI else SKIP,
     SHORT if HAS_MPI else "no Open MPI"),
    ("", "bench/contention.py", [(r"--rounds.*$", "--rounds 1 --seconds 0.1 --batch 2 --neighbours 0,1")], SHORT),
    ("", "train.py", SKIP, "needs PyTorch"),
    ("", "--device cuda", SKIP, "needs a GPU"),
    ("", "import numpy", [(r"^.*save\('([^']*)', numpy.*\(1, 3, (\d+), \d+\).*$", MAKE + r"npy \1 1 3 \2 \2")], NUMPY),
    ("", "cifar-10-binary.tar.gz", [(r"^.*$", MAKE + "cifar cifar-10-batches-bin")], DOWNLOAD),
    # Random weights, as without --weights.
    ("models/README.md", "huggingface.co", SKIP, "a download"),
    ("models/README.md", "--weights", [(r" --weights \S+", "")], DOWNLOAD),
    ("", "huggingface.co", [(r"^.*--output-dir (\S+) .*$", r"cp -r test/data/demo/shapes-vit \1")], DOWNLOAD),
    ("", "vit-run train", [(r"--epochs \d+", "--epochs 1"), (r"--batch \d+", "--batch 10"),
                           (r"cifar10(.*)$", r"cifar10\1 --limit 20")], SHORT),
    ("", "draw.py", [(r"--count \d+", "--count 2"), (r"$", " --size 32")], SHORT),
    ("", "vit-run bench", [(r"vit-ti16", "vit-cifar10"), (r"$", " --runs 1 --min-time 0")], SHORT),
]


# What differs between machines and runs: times, rates and sizes, code for a processor.
VARYING = [
    (r"[\d.,]+ (?=(images/s|GFLOP/s|GB/s|KiB|MiB|bytes|ms|us|s)\b)", "# "),
    (r"\b\d{6,}\b", "#"),
    (r"\b(amx|avx512_bf16|avx512_vnni|avx512|avx_vnni|avx2)\b", "LEVEL"),
]


class Command:
    def __init__(self, page, line, text, expected=None):
        self.where = "%s:%d" % (page, line)
        self.page, self.text, self.original = page, text, text
        self.line, self.expected = line, expected  # The first line, and those of the output.
        self.reason = None
        self.file = None
        self.skipped = False

    def move_tmp(self, folder):
        self.text = re.sub(r"(?<![\w.])/tmp/", folder + "/", self.text)
        self.original = self.text

    def apply(self, rules, used):
        code = re.sub(r"(^|\s)#.*", "", self.text)
        for index, (page, part, changes, reason) in enumerate(rules):
            if page not in ("", self.page) or part not in code:
                continue
            used.add(index)
            if reason == SHORT and self.expected is not None:
                continue
            self.reason = reason
            if changes is SKIP:
                self.skipped = True
                return
            # A comment or a line break at the end would hide what is appended.
            self.text = re.sub(r"\s#.*$", "", self.text).replace("\\\n", " ").strip()
            for old, new in changes:
                self.text = re.sub(old, new, self.text, count=1)
        if self.text == self.original:
            self.reason = None


def is_complete(text):
    """Whether the shell would not wait for another line."""
    result = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    return result.returncode == 0 and not result.stderr and not text.endswith("\\")


def split_commands(page, lines):
    """`lines`: (number, text). Comments alone are no command."""
    text, first = "", 0
    for number, line in lines:
        if not text and (not line.strip() or line.lstrip().startswith("#")):
            continue
        first = first if text else number
        text += ("\n" if text else "") + line
        if is_complete(text):
            yield Command(page, first, text)
            text = ""
    if text:
        sys.exit("%s:%d: the command does not end: %s" % (page, first, text))


def split_console(page, lines):
    """`lines`: (number, text). A command may go on over several lines."""
    text, first, output = None, 0, []
    for number, line in lines + [(0, "$ ")]:
        if text is not None and not is_complete(text):
            text += "\n" + line
        elif line.startswith("$ "):
            if text is not None:
                yield Command(page, first, text, output)
            text, first, output = line[2:], number, []
        else:
            output.append(line)


def is_same_word(expected, found):
    if expected == found:
        return True
    number = re.compile(r"([^\d]*?)(-?\d+\.(\d+))([^\d]*)$")
    one, other = number.match(expected), number.match(found)
    if not one or not other or (one[1], one[4]) != (other[1], other[4]):
        return False
    return abs(float(one[2]) - float(other[2])) <= max(2 * 10 ** -len(one[3]), 0.02 * abs(float(one[2])))


def is_same_line(expected, found):
    for pattern, name in VARYING:
        expected, found = re.sub(pattern, name, expected), re.sub(pattern, name, found)
    expected, found = expected.split(), found.split()
    return len(expected) == len(found) and all(map(is_same_word, expected, found))


def compare(expected, found):
    """The first line of `expected` that `found` does not have in its place, or None."""
    if not expected:
        return None if not found else "no more lines"
    if expected[0].strip() == "...":
        rest = [compare(expected[1:], found[skipped:]) for skipped in range(len(found) + 1)]
        return None if None in rest else rest[0]
    if not found or not is_same_line(expected[0], found[0]):
        return expected[0]
    return compare(expected[1:], found[1:])


def read_page(source, page):
    commands, language, block = [], None, []
    with open(os.path.join(source, page)) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.lstrip().startswith("```"):
                block.append((number, line))
                continue
            if language is None:
                language, block = line.strip()[3:], []
                continue
            name = block and re.match(r"(?://|#) ([\w.-]+\.\w+):", block[0][1])
            if language in ("sh", "bash"):
                commands += split_commands(page, block)
            elif language == "console":
                commands += split_console(page, block)
            elif name:
                command = Command(page, block[0][0], "\n".join(t for _, t in block))
                command.file = name.group(1)
                commands.append(command)
            language = None
    if language is not None:
        sys.exit("%s: a block does not end" % page)
    return commands


def make_root(source, build, root):
    """A folder like SOURCE whose `build` is new but for the built preset."""
    os.makedirs(root + "/build")
    for name in os.listdir(source):
        if name != "build" and not name.startswith("."):
            os.symlink(os.path.join(source, name), os.path.join(root, name))
    os.symlink(build, root + "/build/release")


def page_folder(work, page):
    return os.path.join(work, page.replace("/", "-"))


def run_page(page, commands, source, build, work):
    """Returns the first command that failed, and the end of its output, and the lines that each command wrote."""
    folder = page_folder(work, page)
    for name in ("home", "tmp"):
        os.makedirs(os.path.join(folder, name))
    root = folder + "/root"
    make_root(source, build, root)
    script = ""
    for index, command in enumerate(commands):
        if command.skipped:
            continue
        script += "printf '\\n@@ %d\\n'\n" % index
        if command.file:
            script += "cat >%s <<'@@'\n%s\n@@\n" % (command.file, command.text)
            continue
        script += "{ %s\n} || exit\n" % command.text
    environment = dict(os.environ, HOME=folder + "/home", TMPDIR=folder + "/tmp",
                       PATH=build + "/bin:" + os.environ["PATH"])
    if any(command.expected for command in commands):
        # What a page shows does not depend on what others have compiled.
        environment["XDG_CACHE_HOME"] = folder + "/cache"
    with open(folder + "/log", "w+") as log:
        status = subprocess.run(["bash", "-c", script], cwd=root, env=environment, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=subprocess.STDOUT).returncode
        log.seek(0)
        output = log.read()
    outputs = {}
    for part in output.split("\n@@ ")[1:]:
        index, text = part.split("\n", 1) if "\n" in part else (part, "")
        outputs[int(index)] = text.replace(folder + "/tmp/", "/tmp/").splitlines()
    if status == 0:
        return None, "", outputs
    last = max(outputs)
    return commands[last], "\n".join(outputs[last][-10:]), outputs


def check_outputs(commands, outputs):
    """The commands whose output is not that of the page."""
    for index, command in enumerate(commands):
        if command.expected is None or command.reason or index not in outputs:
            continue
        wrong = compare(command.expected, outputs[index])
        if wrong is not None:
            print("%s: `%s` does not print `%s`, but\n%s" % (
                command.where, command.text.splitlines()[0], wrong, "\n".join("  " + line for line in outputs[index])))
            yield command.where


def write_outputs(source, page, commands, outputs):
    path = os.path.join(source, page)
    with open(path) as file:
        lines = file.read().split("\n")
    for index, command in reversed(list(enumerate(commands))):
        if command.expected is None or command.reason or compare(command.expected, outputs.get(index, [])) is None:
            continue
        start = command.line - 1 + len(command.text.split("\n"))
        lines[start : start + len(command.expected)] = outputs.get(index, [])
    with open(path, "w") as file:
        file.write("\n".join(lines))


def find_pages(source):
    """Neither follows links nor looks into build/, which has links to SOURCE."""
    names = []
    for folder, inner, files in os.walk(source):
        inner[:] = [name for name in inner if not name.startswith(".") and os.path.join(folder, name) != source + "/build"]
        names += [os.path.relpath(os.path.join(folder, name), source) for name in files if name.endswith(".md")]
    return sorted(names)


def main():
    arguments = [one for one in sys.argv[1:] if one != "--write"]
    source, build, work = (os.path.realpath(path) for path in arguments[:3])
    pages = arguments[3:] or find_pages(source)
    rules = RULES + ([("", "--device vulkan", SKIP, "needs a Vulkan device")] if NO_VULKAN else [])
    shutil.rmtree(work, ignore_errors=True)
    used, failed = set(), []
    for page in pages:
        commands = read_page(source, page)
        for command in commands:
            if not command.file:
                command.move_tmp(os.path.join(page_folder(work, page), "tmp"))
                command.apply(rules, used)
        if not commands:
            continue
        command, output, outputs = run_page(page, commands, source, build, work)
        if command:
            failed.append(command.where)
            print("%s: failed: %s\n%s" % (command.where, command.text, output))
        if "--write" in sys.argv:
            write_outputs(source, page, commands, outputs)
        else:
            failed += check_outputs(commands, outputs)
        skipped = [c for c in commands if c.skipped]
        changed = [c for c in commands if c.reason and not c.skipped]
        print("%s: %d commands run, %d of them changed, %d skipped" %
              (page, len(commands) - len(skipped), len(changed), len(skipped)))
        for c in changed + skipped:
            print("  %s %s (%s): %s" % (c.where, "skipped" if c.skipped else "changed", c.reason,
                                        c.text.splitlines()[0]))
    if not arguments[3:]:
        failed += ["no command matches the rule %r" % (rule[:2],)
                   for index, rule in enumerate(RULES) if index not in used]
    if failed:
        sys.exit("FAILED: " + ", ".join(failed))


main()
