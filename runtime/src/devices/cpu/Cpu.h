//===- Cpu.h - What this processor offers -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CPU_CPU_H
#define VIT_RUNTIME_DEVICES_CPU_CPU_H

#include "format/Level.h"

namespace vit::runtime {

/// What CPUID and XGETBV say about the features that levels need.
struct CpuReport {
  uint32_t leaf1Ecx = 0;     ///< CPUID leaf 1
  uint32_t leaf7Ebx = 0;     ///< leaf 7, subleaf 0
  uint32_t leaf7Ecx = 0;     ///< the same
  uint32_t leaf7Edx = 0;     ///< the same
  uint32_t leaf7Sub1Eax = 0; ///< leaf 7, subleaf 1
  uint32_t extended1Ecx = 0; ///< leaf 0x80000001
  /// XCR0, without the state of tiles if the system does not let this process
  /// use it; 0 if the system does not use XSAVE.
  uint64_t savedState = 0;
};

/// The features of a processor that reports this, without those whose registers
/// the operating system does not save.
format::FeatureSet featuresOf(const CpuReport &report);

/// The features of this machine.
format::FeatureSet detectFeatures();

/// Which CPU code may run.
struct CpuChoice {
  format::FeatureSet features;
  int maxRank = INT_MAX; ///< 0: none

  bool allows(const format::Level &level) const {
    return level.rank <= maxRank && features.contains(level.features);
  }
  /// The best level; NULL if there is none.
  const format::Level *best() const {
    return format::bestLevel(format::Target::Cpu, features, maxRank);
  }
};

/// Lowers `maxRank` to the rank of the level called `name` ("none": to 0).
/// False if there is no such level.
bool lowerRank(const char *name, int &maxRank);

/// What this machine and VIT_CPU_LEVEL allow; false if that is set to no level.
bool readCpuChoice(CpuChoice &choice);

/// Writes "none" and why, for a choice without a level: "none (avx2 needs bmi2,
/// which it lacks)".
void explainNoLevel(const CpuChoice &choice, char *out, size_t size);

/// Writes the processor's name as CPUID reports it, without blanks at both
/// ends.
void processorName(char *out, size_t size);

} // namespace vit::runtime

#endif // VIT_RUNTIME_DEVICES_CPU_CPU_H
