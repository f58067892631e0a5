//===- Ptxas.h - NVIDIA's assembler as a child process ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CUDA_PTXAS_H
#define VIT_TARGET_CUDA_PTXAS_H

#include "mlir/Support/LLVM.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mlir::vit::cuda {

/// Assembles `ptx` for the architecture `arch` ("sm_90a"). An error names the
/// kernel where one is refused or spills registers. Empty where this ptxas does
/// not know the architecture.
llvm::Expected<SmallVector<char>> assemble(StringRef ptxas, StringRef ptx,
                                           StringRef arch);

/// What ptxas -v says of spills: the first kernel that has any, and how much.
/// Empty where there is none.
std::string findSpills(StringRef output);

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_PTXAS_H
