// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan}))' | FileCheck %s --check-prefixes=CHECK,TILED
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=tiled_256 batch=8}))' | FileCheck %s --check-prefixes=CHECK,RICH
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=direct}))' | FileCheck %s --check-prefixes=CHECK,DIRECT
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda}))' | FileCheck %s --check-prefixes=CHECK,CUDA
// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=avx2}))' 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{target=metal}))' 2>&1 | FileCheck %s --check-prefix=TARGET

// LEVEL: error: target vulkan has no level 'avx2'; choose one of coop, coop_f16, coop_8x16, tiled_256_dot, tiled_256, tiled, direct_dot, direct
// TARGET: error: unknown target 'metal'; use cpu, vulkan or cuda

// CHECK-LABEL: func.func @wide
func.func @wide(%x: tensor<?x197x768xf32>, %w: tensor<3072x768xf32>) -> tensor<?x197x3072xf32> {
  // TILED:  kernel.rows {{.*}} tile<rows = 1, cols = 768, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 8>
  // DIRECT: kernel.rows {{.*}} tile<rows = 64, cols = 768, chunk = 1, threads = 64, thread_rows = 1, thread_cols = 768>
  %0 = kernel.rows normalize %x epsilon 1.0e-6 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x197x768xf32> -> tensor<?x197x768xf32>
  // TILED:  kernel.gemm {{.*}} tile<rows = 64, cols = 64, chunk = 16, threads = 128, thread_rows = 8, thread_cols = 4>
  // RICH:   kernel.gemm {{.*}} tile<rows = 128, cols = 128, chunk = 16, threads = 256, thread_rows = 8, thread_cols = 8>
  // DIRECT: kernel.gemm {{.*}} tile<rows = 16, cols = 64, chunk = 1, threads = 8, thread_rows = 16, thread_cols = 8>
  // CUDA:   kernel.gemm {{.*}} tile<rows = 32, cols = 64, chunk = 16, threads = 128, thread_rows = 4, thread_cols = 4>
  %1 = kernel.gemm %0, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x197x768xf32>, tensor<3072x768xf32>) -> tensor<?x197x3072xf32>
  return %1 : tensor<?x197x3072xf32>
}

// One row per image: small tiles, so that more workgroups share the work.
// CHECK-LABEL: func.func @head
func.func @head(%x: tensor<?x768xf32>, %w: tensor<1000x768xf32>) -> tensor<?x1000xf32> {
  // TILED:  kernel.gemm {{.*}} tile<rows = 16, cols = 64, chunk = 16, threads = 128, thread_rows = 2, thread_cols = 4>
  // DIRECT: kernel.gemm {{.*}} tile<rows = 1, cols = 64, chunk = 1, threads = 8, thread_rows = 1, thread_cols = 8>
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x768xf32>, tensor<1000x768xf32>) -> tensor<?x1000xf32>
  return %0 : tensor<?x1000xf32>
}

// The numbers of queries and keys fit the workgroup memory. Heads of 512 exceed
// it: they are split, and each thread works on its own.
// CHECK-LABEL: func.func @heads
func.func @heads(%x: tensor<?x197x768xf32>, %y: tensor<?x197x512xf32>) -> (tensor<?x197x768xf32>, tensor<?x197x512xf32>) {
  // TILED:  kernel.attention {{.*}} head_dim 64 {{.*}} tile<rows = 16, cols = 64, chunk = 16, threads = 64, thread_rows = 1, thread_cols = 16>
  // RICH:   kernel.attention {{.*}} head_dim 64 {{.*}} tile<rows = 32, cols = 64, chunk = 32, threads = 128, thread_rows = 1, thread_cols = 16>
  // CUDA:   kernel.attention {{.*}} head_dim 64 {{.*}} tile<rows = 32, cols = 64, chunk = 32, threads = 128, thread_rows = 1, thread_cols = 16>
  // DIRECT: kernel.attention {{.*}} head_dim 64 {{.*}} tile<rows = 40, cols = 32, chunk = 1, threads = 8, thread_rows = 5, thread_cols = 32>
  // TILED:  kernel.attention {{.*}} head_dim 512 {{.*}} tile<rows = 8, cols = 64, chunk = 1, threads = 8, thread_rows = 1, thread_cols = 64>
  // DIRECT: kernel.attention {{.*}} head_dim 512 {{.*}} tile<rows = 40, cols = 64, chunk = 1, threads = 8, thread_rows = 5, thread_cols = 64>
  %0 = kernel.attention %x, %x, %x heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>) -> tensor<?x197x768xf32>
  %1 = kernel.attention %y, %y, %y heads 1 head_dim 512 offsets [0, 0, 0] scale 0.125 : (tensor<?x197x512xf32>, tensor<?x197x512xf32>, tensor<?x197x512xf32>) -> tensor<?x197x512xf32>
  return %0, %1 : tensor<?x197x768xf32>, tensor<?x197x512xf32>
}
