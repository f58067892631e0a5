// RUN: not vit-opt %s --vit-verify-limits=level=avx2 2>&1 | FileCheck %s
// RUN: not vit-compile-kernels %s --level sm_70 2>&1 | FileCheck %s --check-prefix=VULKAN

// CHECK: error: there is no GPU level 'avx2'; choose one of coop, coop_f16, coop_8x16, tiled_256_dot, tiled_256, tiled, direct_dot, direct, sm_90a, sm_80
// VULKAN: error: target vulkan has no level 'sm_70'; choose one of coop, coop_f16, coop_8x16, tiled_256_dot, tiled_256, tiled, direct_dot, direct
gpu.module @kernels {
}
