// RUN: not vit-opt %s --vit-verify-limits=level=avx2 2>&1 | FileCheck %s
// RUN: not vit-compile-kernels %s --level sm_70 2>&1 | FileCheck %s --check-prefix=VULKAN

// CHECK: error: no GPU level "avx2"; the levels are direct, tiled, tiled_256 and sm_80
// VULKAN: error: no Vulkan level "sm_70"; the levels are direct, tiled and tiled_256
gpu.module @kernels {
}
