//===- cpu.h - What this processor offers -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_CPU_H
#define VIT_RUNTIME_DEVICES_CPU_CPU_H

#include <cstddef>

namespace vit::runtime {

/// Instruction sets that code is compiled for; each contains the ones before.
enum class CpuLevel { None, Avx2, Avx512 };

/// "none", "avx2", "avx512".
const char *levelName(CpuLevel level);

/// False where `name` is no level.
bool parseLevel(const char *name, CpuLevel &level);

/// What processor and operating system allow: avx2 needs AVX2 and FMA; avx512
/// needs F, BW, DQ and VL. The operating system must save the registers.
CpuLevel detectLevel();

/// detectLevel lowered by the environment's VIT_CPU_LEVEL. False where that is
/// set to something that is no level.
bool allowedLevel(CpuLevel &level);

/// The processors that this process may run on, at least 1.
int availableCores();

/// Writes the processor's name as it gives it itself, blanks cut at both ends.
void processorName(char *out, size_t size);

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_CPU_H
