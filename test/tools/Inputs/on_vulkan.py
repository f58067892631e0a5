# ===- on_vulkan.py - Runs a command on a software Vulkan device -----------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""python3 on_vulkan.py [--plain] DEVICE COMMAND...

Runs COMMAND with DEVICE (lavapipe or swiftshader) as the only Vulkan device, or
with both (lavapipe+swiftshader), and
with the Khronos validation layer and synchronisation validation unless --plain
is given or the layer is missing. This includes all child processes. The status
is that of COMMAND, or 1 if it is 0 and the layer was not loaded or has printed
messages, which go to stderr. With DEVICE gpu, COMMAND runs as it is if the
machine has a GPU.

The driver of SwiftShader, the layer and a matching loader are those that
scripts/setup unpacks to build/chromium.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
CHROMIUM = os.path.join(ROOT, "build", "chromium")
DRIVERS = {
    "lavapipe": "/usr/share/vulkan/icd.d/lvp_icd.%s.json" % os.uname().machine,
    "swiftshader": CHROMIUM + "/vk_swiftshader_icd.json",
}
LAYER = CHROMIUM + "/VkLayer_khronos_validation.json"
LOADER = CHROMIUM + "/libvulkan.so.1"
SETTINGS = """\
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.log_filename = %s
khronos_validation.report_flags = error,warn,info
khronos_validation.validate_sync = true
khronos_validation.syncval_shader_accesses_heuristic = true
khronos_validation.syncval_full_validation = true
"""
# The layer's own messages (with report_flags info) if it is active.
AT_WORK = re.compile(r"CURRENT-VALIDATION-ENABLED.*?- Synchronization", re.S)
COMPLAINT = re.compile(r"^(?:Validation )?(?:Error|Warning|Performance Warning)\b.*?(?=^\s*$|\Z)", re.M | re.S)


def drivers(device):
    return [DRIVERS[name] for name in device.split("+")]


def has_gpu():
    """Whether the kernel has a device file of a GPU. Drivers are installed without one, too."""
    return any(map(glob.glob, ["/dev/dri/renderD*", "/dev/nvidiactl", "/dev/dxg"]))


def has_driver(device):
    return all(map(os.path.exists, drivers(device)))


def has_layer():
    return os.path.exists(LAYER) and os.path.exists(LOADER)


def environment(device):
    result = dict(os.environ)
    # Loaders before 1.3.207 use the first name, later ones the second.
    result["VK_ICD_FILENAMES"] = result["VK_DRIVER_FILES"] = ":".join(drivers(device))
    return result


def judge(log):
    """The messages of the layer, or one that it was not loaded."""
    complaints = [found.group(0).strip() for found in COMPLAINT.finditer(log)]
    if not AT_WORK.search(log):
        complaints.append("the validation layer was not loaded: no Vulkan instance was made under it")
    return complaints


def call_without(noise, command, env):
    """Runs `command`; forwards its standard output without the lines of the layer."""
    child = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    for line in child.stdout:
        if not line.startswith(noise):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return child.wait()


def validate(device, command):
    with tempfile.TemporaryDirectory() as folder:
        pipe = folder + "/log"
        os.mkfifo(pipe)
        with open(folder + "/vk_layer_settings.txt", "w") as file:
            file.write(SETTINGS % pipe)
        env = environment(device)
        env["VK_LAYER_PATH"] = CHROMIUM
        env["VK_INSTANCE_LAYERS"] = "VK_LAYER_KHRONOS_validation"
        env["VK_LAYER_SETTINGS_PATH"] = folder + "/vk_layer_settings.txt"
        env["VIT_VULKAN_LIBRARY"] = LOADER
        # The layer truncates the log file for each instance of each process; a
        # pipe keeps everything.
        pieces, hold = [], os.open(pipe, os.O_RDWR)
        log = open(pipe, "rb", buffering=0)

        def collect():
            while True:
                piece = log.read(1 << 16)
                # The last line is written by this script.
                if piece.endswith(b"\0"):
                    pieces.append(piece[:-1])
                    return
                pieces.append(piece)

        reader = threading.Thread(target=collect)
        reader.start()
        try:
            status = call_without(b"Validation Layer Info - Logging", command, env)
        finally:
            os.write(hold, b"\0")
            reader.join()
            os.close(hold)
            log.close()
    complaints = judge(b"".join(pieces).decode(errors="replace"))
    for complaint in complaints:
        print("Vulkan validation on %s: %s" % (device, complaint), file=sys.stderr)
    return status or (1 if complaints else 0)


def main():
    arguments = sys.argv[1:]
    plain = arguments[:1] == ["--plain"]
    arguments = arguments[plain:]
    if len(arguments) < 2 or not set(arguments[0].split("+")) <= DRIVERS.keys() | {"gpu"}:
        sys.exit(__doc__)
    device, command = arguments[0], arguments[1:]
    if device == "gpu":
        return subprocess.call(command) if has_gpu() else sys.exit("skipped: no gpu here")
    if not has_driver(device):
        sys.exit("no %s here: %s is missing (scripts/setup)" % (device, " or ".join(drivers(device))))
    if plain or not has_layer():
        return subprocess.call(command, env=environment(device))
    return validate(device, command)


if __name__ == "__main__":
    sys.exit(main())
