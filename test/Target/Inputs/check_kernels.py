# ===- check_kernels.py - Checks the GPU code of whole models --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
#
# check_kernels.py LEVEL[,PRECISION] DIRECTORY MODEL[:OUTPUTS]... compiles each model
# for LEVEL with the tools on PATH, writes the code to DIRECTORY and checks each
# kernel. OUTPUTS "gradients": the model is an entry of these. Prints a summary; exits
# with 1 at the first error.

import glob
import os
import re
import shutil
import struct
import subprocess
import sys

import wgmma_order

# SPIR-V: Shader everywhere, subgroup arithmetic at the richer level only.
CAPABILITIES = {"direct": {1}, "direct_dot": {1}, "tiled": {1}, "tiled_256": {1, 61, 63}, "tiled_256_dot": {1, 61, 63},
                "coop": {1, 61, 63}, "coop_f16": {1, 61, 63}, "coop_8x16": {1, 61, 63}}
# Of kernels with matrices: VulkanMemoryModel and CooperativeMatrixKHR, and for their operands BFloat16TypeKHR and
# BFloat16CooperativeMatrixKHR, or Float16.
MATRIX_CAPABILITIES = {"bf16": {5345, 6022, 5116, 5118}, "f16": {5345, 6022, 9}}
# The encoding in OpTypeFloat of 16 bits: BFloat16KHR, or none.
FLOAT_ENCODINGS = {"bf16": (0,), "f16": ()}
# The precisions in which levels have matrices.
MATRIX_PRECISIONS = {"coop": {"bf16", "f16"}, "coop_f16": {"f16"}, "coop_8x16": {"f16"}}
MATRIX_MULTIPLY = 4459
# Of products of int8 at levels with dot products: DotProduct and DotProductInput4x8BitPacked.
DOT_CAPABILITIES = {6018, 6019}
DOT_LEVELS = {"coop", "coop_f16", "coop_8x16", "tiled_256_dot", "direct_dot"}
DOT = 4450  # OpSDot
# Families whose kernels in f16, bf16 and tf32 are made of matrix instructions.
TENSOR = {"gemm", "attention", "weight_gradient", "attention_backward"}
# Families of which kernels are made of cooperative matrices where the level has them in the precision.
MATRIX = {"gemm", "attention"}
MATRIX_GRADIENTS = {"gemm", "weight_gradient", "attention_backward"}
THREADS = {"direct": 128, "direct_dot": 128, "tiled": 128, "tiled_256": 256, "tiled_256_dot": 256, "coop": 256, "coop_f16": 256,
           "coop_8x16": 256}
# Families whose kernels in f16 and bf16 are made of instructions of warpgroups at sm_90a.
WARPGROUP = {"gemm", "weight_gradient", "attention", "attention_backward"}


def fail(message):
    print("error: " + message)
    sys.exit(1)


def run(command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True, **options)
    if result.returncode != 0:
        fail("%s: %s" % (" ".join(command), result.stderr or result.stdout))
    return result.stdout


def instructions(words):
    """Yields the opcodes and operands of a SPIR-V module."""
    at = 5
    while at < len(words):
        count, opcode = words[at] >> 16, words[at] & 0xFFFF
        if count == 0:
            fail("an instruction of no words")
        yield opcode, words[at + 1:at + count]
        at += count


def spirv_val():
    """The validator; VIT_SPIRV_VAL names another, or a newer one."""
    return os.environ.get("VIT_SPIRV_VAL", "spirv-val")


def has_matrices(level, precision):
    return precision in MATRIX_PRECISIONS.get(level, ())


def check_spirv(path, level, precision):
    """Returns the numbers of products of matrices and of dot products."""
    with open(path, "rb") as file:
        data = file.read()
    words = struct.unpack("<%dI" % (len(data) // 4), data)
    opcodes = [opcode for opcode, _ in instructions(words)]
    products, dots = opcodes.count(MATRIX_MULTIPLY), opcodes.count(DOT)
    if products and not has_matrices(level, precision):
        fail("%s has products of matrices" % path)
    if dots and level not in DOT_LEVELS:
        fail("%s has dot products of integers" % path)
    is_matrix = products > 0
    capabilities = CAPABILITIES[level] | (DOT_CAPABILITIES if dots else set())
    if is_matrix:
        capabilities |= MATRIX_CAPABILITIES[precision]
    version = 0x00010600 if is_matrix or dots else 0x00010300
    if words[:2] != (0x07230203, version):
        fail("%s is not SPIR-V of version 0x%x" % (path, version))
    threads = 0
    for opcode, operands in instructions(words):
        if opcode == 17 and operands[0] not in capabilities:
            fail("%s needs capability %d" % (path, operands[0]))
        if opcode == 10 and not is_matrix:
            fail("%s needs an extension" % path)
        if opcode in (21, 22) and operands[1] != 32 and not (
                is_matrix and operands[1] == 16 and operands[2:] == FLOAT_ENCODINGS[precision]):
            fail("%s has a number of %d bits" % (path, operands[1]))
        if opcode == 16 and operands[1] == 17:  # OpExecutionMode LocalSize
            threads = operands[2] * operands[3] * operands[4]
    if not 0 < threads <= THREADS[level]:
        fail("%s has %d threads" % (path, threads))
    run([spirv_val(), "--target-env", "vulkan1.3" if is_matrix or dots else "vulkan1.1", path])
    return products, dots


def check_warpgroups(path, text):
    """Products with their operands by TMA, whose registers are not used while they are under way."""
    products, errors = wgmma_order.check(text)
    if errors or not products:
        fail("%s: %s" % (path, errors[0] if errors else "no products of warpgroups"))
    for needed in (r"cp\.async\.bulk\.tensor\.[23]d\.shared::cluster\.global", r"mbarrier\.try_wait\.parity",
                   r"fence\.mbarrier_init"):
        if not re.search(needed, text):
            fail("%s has no %s" % (path, needed))


def check_ptx(path, precision, level):
    with open(path) as file:
        text = file.read()
    if "call" in text:
        fail("%s calls a function" % path)
    if re.search(r"\b(mul|add|sub|div)\.f32", text):
        fail("%s has arithmetic that ptxas may fuse or round otherwise" % path)
    if ".local" in text:
        fail("%s has arrays in local memory" % path)
    for size in re.findall(r"\.shared \.align (\d+)", text):
        if int(size) < 16:
            fail("%s has workgroup memory aligned to %s" % (path, size))
    family = os.path.basename(path).rsplit("_", 1)[0]
    if precision in ("f16", "bf16") and level == "sm_90a" and family in WARPGROUP:
        check_warpgroups(path, text)
    elif precision in ("f16", "bf16") and family in TENSOR:
        products = text.count("mma.sync.aligned.m16n8k16.row.col.f32.%s.%s.f32" % (precision, precision))
        loads = text.count("ldmatrix.sync.aligned.m8n8.x4.")
        if products < 8 or "cp.async.cg.shared.global" not in text:
            fail("%s does not use tensor cores" % path)
        if not products / 4 <= loads <= products:
            fail("%s has %d loads for %d products" % (path, loads, products))
    elif precision == "tf32" and family in TENSOR:
        products = text.count("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32")
        if products < 8 or "cp.async.cg.shared.global" not in text:
            fail("%s does not use tensor cores" % path)
        # An operand is rounded once for all products that read it.
        if not products / 4 <= text.count("cvt.rna.tf32.f32") <= 6 * products:
            fail("%s does not round its operands" % path)
    elif precision == "int8" and family == "gemm":
        if text.count("dp4a.s32.s32") < 64 and "mma." not in text:
            fail("%s has no dot products of four i8" % path)
    elif family == "gemm":
        if text.count("fma.rn.f32") < 64 or text.count("ld.shared.v4") < 8:
            fail("%s is no product of vectors in registers" % path)
        if "ld.global.v4" not in text:
            fail("%s loads single floats" % path)


def main():
    level, _, precision = sys.argv[1].partition(",")
    directory = sys.argv[2]
    target = "cuda" if level.startswith("sm_") else "vulkan"
    total = 0
    for argument in sys.argv[3:]:
        model, _, outputs = argument.partition(":")
        name = os.path.basename(model).replace(".mlir", "") + ("-" + outputs if outputs else "")
        folder = os.path.join(directory, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        is_model, matrix = outputs != "gradients", MATRIX
        if not is_model:
            outputs, matrix = "", MATRIX_GRADIENTS
        options = "level=" + level + " precision=" + (precision or "f32") + (" outputs=" + outputs if outputs else "")
        text = os.path.join(folder, "model.mlir")
        run(["vit-opt", model, "--vit-to-%s=%s" % (target, options), "-o", text])
        lines = run(["vit-compile-kernels", text, "--level", level, "-o", folder]).splitlines()
        kernels = [line.split(":")[0] for line in lines if " threads, " in line]
        with_matrices, with_dots = set(), set()
        for kernel in kernels:
            if target == "cuda":
                check_ptx(os.path.join(folder, kernel + ".ptx"), precision, level)
                continue
            products, dots = check_spirv(os.path.join(folder, kernel + ".spv"), level, precision)
            if products:
                with_matrices.add(kernel.rsplit("_", 1)[0])
            if dots:
                with_dots.add(kernel.rsplit("_", 1)[0])
            needed = {"gemm"} if is_model else MATRIX_GRADIENTS
            family = kernel.rsplit("_", 1)[0]
            if has_matrices(level, precision) and family in needed and not products and not dots:
                fail("%s of %s has no products of matrices" % (kernel, folder))
        if has_matrices(level, precision) and with_matrices != matrix:
            fail("%s has products of matrices in %s, not in %s" % (folder, with_matrices, matrix))
        if bool(with_dots) != (level in DOT_LEVELS and precision == "int8"):
            fail("%s has dot products of integers in %s" % (name, with_dots))
        found = {os.path.basename(path) for path in glob.glob(os.path.join(folder, "*.spv"))}
        if target == "vulkan" and found != {kernel + ".spv" for kernel in kernels}:
            fail("%s has other code than its kernels" % folder)
        families = {kernel.rsplit("_", 1)[0] for kernel in kernels}
        if is_model and not {"gemm", "attention", "rows"} <= families:
            fail("%s has %s only" % (name, ", ".join(sorted(families))))
        cubins = sum(line.startswith("cubin ") for line in lines)
        print("%s: %d kernels, %d cubins" % (name, len(kernels), cubins))
        total += len(kernels)
    print("%s: %d kernels are right" % (level, total))


main()
