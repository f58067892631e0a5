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

/// Assembles `ptx` for the architecture `arch` ("sm_90a"). Returns an error
/// that names the kernel if ptxas rejects one or spills more than a few
/// registers, and an empty vector if this ptxas does not know the architecture.
llvm::Expected<SmallVector<char>> assemble(StringRef ptxas, StringRef ptx,
                                           StringRef arch);

/// The first kernel that spills more than `allowed` bytes per thread according
/// to the output of ptxas -v, and how many. Empty if no kernel does.
std::string findSpills(StringRef output, uint64_t allowed = 0);

} // namespace mlir::vit::cuda

#endif // VIT_TARGET_CUDA_PTXAS_H
