// RUN: vit-opt %s --vit-tile --split-input-file | FileCheck %s --check-prefixes=CHECK,ONE
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{level=avx2}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{batch=8}))' --split-input-file | FileCheck %s --check-prefixes=CHECK,EIGHT

// 197 rows are 33 blocks of 6 with one row of padding. The wide input of 8
// images is processed in chunks.
// CHECK-LABEL: func.func @vit_b
func.func @vit_b(%x: tensor<?x197x768xf32>, %w: tensor<3072x768xf32>) -> tensor<?x197x3072xf32> {
  // ONE:   kernel.rows {{.*}} tile<rows = 6, cols = 16, chunk = 1>
  // ONE:   kernel.gemm {{.*}} tile<rows = 6, cols = 64, chunk = 33>
  // AVX2:  kernel.rows {{.*}} tile<rows = 6, cols = 16, chunk = 1>
  // AVX2:  kernel.gemm {{.*}} tile<rows = 6, cols = 64, chunk = 33>
  // EIGHT: kernel.gemm {{.*}} tile<rows = 6, cols = 64, chunk = 33>
  %0 = kernel.rows normalize %x epsilon 1.0e-6 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x197x768xf32> -> tensor<?x197x768xf32>
  %1 = kernel.gemm %0, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x197x768xf32>, tensor<3072x768xf32>) -> tensor<?x197x3072xf32>
  return %1 : tensor<?x197x3072xf32>
}

// -----

// 50 rows are ten blocks of 5 instead of nine of 6, unless 5 rows are too few
// to use the level's registers.
// CHECK-LABEL: func.func @fifty_tokens
func.func @fifty_tokens(%x: tensor<?x50x64xf32>, %w: tensor<64x64xf32>) -> tensor<?x50x64xf32> {
  // ONE:  kernel.gemm {{.*}} tile<rows = 5, cols = 64, chunk = 10>
  // AVX2: kernel.gemm {{.*}} tile<rows = 5, cols = 64, chunk = 10>
  // EIGHT: kernel.gemm {{.*}} tile<rows = 5, cols = 64, chunk = 80>
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x50x64xf32>, tensor<64x64xf32>) -> tensor<?x50x64xf32>
  return %0 : tensor<?x50x64xf32>
}

// -----

// 49 rows: seven blocks of 7 if the level has 7 rows, else ten of 5.
// CHECK-LABEL: func.func @forty_nine_tokens
func.func @forty_nine_tokens(%x: tensor<?x49x64xf32>, %w: tensor<64x64xf32>) -> tensor<?x49x64xf32> {
  // ONE:  kernel.gemm {{.*}} tile<rows = 7, cols = 64, chunk = 7>
  // AVX2: kernel.gemm {{.*}} tile<rows = 5, cols = 64, chunk = 10>
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x49x64xf32>, tensor<64x64xf32>) -> tensor<?x49x64xf32>
  return %0 : tensor<?x49x64xf32>
}

// -----

// Twelve heads are divided evenly; three are split.
// CHECK-LABEL: func.func @heads
func.func @heads(%x: tensor<?x197x768xf32>, %y: tensor<?x197x192xf32>) -> (tensor<?x197x768xf32>, tensor<?x197x192xf32>) {
  // CHECK: kernel.attention {{.*}} heads 12 {{.*}} tile<rows = 6, cols = 64, chunk = 33>
  // ONE:   kernel.attention {{.*}} heads 3 {{.*}} tile<rows = 6, cols = 64, chunk = 2>
  // EIGHT: kernel.attention {{.*}} heads 3 {{.*}} tile<rows = 6, cols = 64, chunk = 33>
  %0 = kernel.attention %x, %x, %x heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 : (tensor<?x197x768xf32>, tensor<?x197x768xf32>, tensor<?x197x768xf32>) -> tensor<?x197x768xf32>
  %1 = kernel.attention %y, %y, %y heads 3 head_dim 64 offsets [0, 0, 0] scale 0.125 : (tensor<?x197x192xf32>, tensor<?x197x192xf32>, tensor<?x197x192xf32>) -> tensor<?x197x192xf32>
  return %0, %1 : tensor<?x197x768xf32>, tensor<?x197x192xf32>
}

// -----

// Work beside products uses the row block height of the entry, too.
// CHECK-LABEL: func.func @no_product
func.func @no_product(%x: tensor<?x3x8x8xf32>) -> tensor<?x48xf32> {
  // CHECK: kernel.patchify {{.*}} tile<rows = 6, cols = 16, chunk = 1>
  // CHECK: kernel.mean {{.*}} tile<rows = 6, cols = 16, chunk = 1>
  %0 = kernel.patchify %x patch [4, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  %1 = kernel.mean %0 from 0 : (tensor<?x4x48xf32>) -> tensor<?x48xf32>
  return %1 : tensor<?x48xf32>
}
