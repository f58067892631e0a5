// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{level=sse2}))' 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{batch=0}))' 2>&1 | FileCheck %s --check-prefix=BATCH

// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda}))' 2>&1 | FileCheck %s --check-prefix=TF32

// LEVEL: error: target cpu has no level 'sse2'; choose one of amx, avx512_bf16, avx512_vnni, avx512, avx_vnni, avx2
// BATCH: error: batch 0 to tile for; it must be at least 1
func.func @forward(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = kernel.map %x {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// TF32: error: 'kernel.attention' op has no kernel in tf32 at level sm_80, where heads have at most 128 channels, probabilities are not returned and the backward pass has at most 2048 queries; state precision f32
func.func @wide_heads(%x: tensor<?x5x144xf32>) -> tensor<?x5x144xf32> {
  %y = kernel.attention %x, %x, %x heads 1 head_dim 144 offsets [0, 0, 0] scale 1.0 tf32
      : (tensor<?x5x144xf32>, tensor<?x5x144xf32>, tensor<?x5x144xf32>) -> tensor<?x5x144xf32>
  return %y : tensor<?x5x144xf32>
}
