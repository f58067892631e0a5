// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{level=sse2}))' 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not vit-opt %s -p 'builtin.module(func.func(vit-tile{batch=0}))' 2>&1 | FileCheck %s --check-prefix=BATCH

// LEVEL: error: target cpu has no level 'sse2'; choose one of amx, avx512_bf16, avx512_vnni, avx512, avx_vnni, avx2
// BATCH: error: batch 0 to tile for; it must be at least 1
func.func @forward(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = kernel.map %x {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
