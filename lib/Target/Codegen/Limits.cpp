//===- Limits.cpp - What each GPU level lets a kernel use -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Target/CUDA.h"
#include "vit/Target/Vulkan.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

// direct and tiled are what every Vulkan 1.1 device has (Vulkan specification,
// "Required Limits": maxComputeWorkGroupInvocations 128,
// maxComputeSharedMemorySize 16384, maxPerStageDescriptorStorageBuffers 4,
// maxPushConstantsSize 128). Two push words are the batch and the first unit.
// sm_80: what one block may use without asking for more at launch; parameters
// of a kernel may take 4096 bytes.
std::optional<vit::SimtLimits> mlir::vit::getSimtLimits(StringRef level) {
  constexpr int64_t kib = 1024;
  return llvm::StringSwitch<std::optional<SimtLimits>>(level)
      .Cases({"direct", "tiled"}, SimtLimits{128, 16 * kib, 4, 128, 30, false})
      .Case("tiled_256", SimtLimits{256, 32 * kib, 4, 128, 30, true})
      .Case("sm_80", SimtLimits{1024, 48 * kib, 0, 4096, 508, true})
      .Default(std::nullopt);
}

bool mlir::vit::isCudaLevel(StringRef level) { return level == "sm_80"; }

bool mlir::vit::isVulkanLevel(StringRef level) {
  return getSimtLimits(level) && !isCudaLevel(level);
}
