//===- FloatControl.h - How a thread computes with floats -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_FLOATCONTROL_H
#define VIT_FORMAT_FLOATCONTROL_H

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace vit::format {

/// While it exists, the thread and those that it starts compute as C programs
/// do by default: rounding to nearest, keeping subnormal numbers, without
/// traps. Hosts may have chosen otherwise (flush-to-zero of audio programs and
/// -ffast-math, fesetround, feenableexcept), which would change results. The
/// host's setting and flags are restored.
class StandardFloats {
public:
#if defined(__x86_64__)
  StandardFloats() : before(_mm_getcsr()) { _mm_setcsr(kDefault); }
  ~StandardFloats() { _mm_setcsr(before); }
#else
  StandardFloats() {}
#endif
  StandardFloats(const StandardFloats &) = delete;
  StandardFloats &operator=(const StandardFloats &) = delete;

private:
#if defined(__x86_64__)
  /// The value at the start of a process (System V ABI, 3.4.1): all exceptions
  /// masked.
  static constexpr unsigned kDefault = 0x1f80;
  unsigned before;
#endif
};

} // namespace vit::format

#endif // VIT_FORMAT_FLOATCONTROL_H
