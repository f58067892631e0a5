// Tiles of products and attention that use tensor cores: by waves of workgroups on 132 processors.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda}))' | FileCheck %s --check-prefixes=CHECK,ONE
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda batch=64}))' | FileCheck %s --check-prefixes=CHECK,MANY,TF32
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=64}))' | FileCheck %s --check-prefix=SM90
// Of Vulkan's levels, coop has them.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=coop batch=64}))' | FileCheck %s --check-prefix=COOP
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=tiled_256 batch=64}))' | FileCheck %s --check-prefix=VULKAN
// Of warpgroups, some in clusters.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=64}))' | FileCheck %s --check-prefix=FEWER
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=128}))' | FileCheck %s --check-prefix=PAIRS

!x = tensor<?x197x768xbf16>
// CHECK-LABEL: func.func @products
// FEWER-LABEL: func.func @products
// PAIRS-LABEL: func.func @products
func.func @products(%x: !x, %w: tensor<3072x768xbf16>, %r: tensor<?x768xbf16>, %h: tensor<1000x768xbf16>)
    -> (tensor<?x197x3072xf32>, tensor<?x1000xf32>, tensor<768x768xf32>) {
  // 96 units in one wave; 2,376 in 18.
  // ONE:    kernel.gemm {{.*}} tile<rows = 128, cols = 64, chunk = 32, threads = 128, thread_rows = 8, thread_cols = 8>
  // MANY:   kernel.gemm {{.*}} tile<rows = 128, cols = 128, chunk = 32, threads = 128, thread_rows = 8, thread_cols = 16>
  // VULKAN: kernel.gemm {{.*}} tile<rows = 128, cols = 128, chunk = 16, threads = 256, thread_rows = 8, thread_cols = 8>
  // COOP:   kernel.gemm {{.*}} tile<rows = 128, cols = 128, chunk = 32, threads = 256, thread_rows = 8, thread_cols = 8>
  // 99 x 12 units in 9 waves, 100 x 12 would take 10; 197 x 12 in 18, and so do 198 x 12.
  // FEWER:  kernel.gemm {{.*}} tile<rows = 128, cols = 256, chunk = 64, threads = 384, thread_rows = 2, thread_cols = 64>
  // PAIRS:  kernel.gemm {{.*}} tile<rows = 128, cols = 256, chunk = 64, threads = 384, thread_rows = 2, thread_cols = 64> attributes {kernel.cluster = 2 : i64}
  %0 = kernel.gemm %x, %w {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (!x, tensor<3072x768xbf16>) -> tensor<?x197x3072xf32>
  // ONE:    kernel.gemm {{.*}} tile<rows = 32, cols = 64, chunk = 32, threads = 128, thread_rows = 2, thread_cols = 8>
  // 32 units: less than one wave.
  // PAIRS:  kernel.gemm {{.*}} tile<rows = 64, cols = 64, chunk = 64, threads = 256, thread_rows = 2, thread_cols = 16>
  %1 = kernel.gemm %r, %h {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x768xbf16>, tensor<1000x768xbf16>) -> tensor<?x1000xf32>
  // PAIRS:  kernel.weight_gradient {{.*}} thread_cols = {{[0-9]+}}>
  // COOP:   kernel.weight_gradient {{.*}} tile<rows = 128, cols = 128, chunk = 32, threads = 256, thread_rows = 8, thread_cols = 8>
  // CHECK:  kernel.weight_gradient {{.*}} tile<rows = 128, cols = 64, chunk = 32, threads = 128, thread_rows = 8, thread_cols = 8>
  %2 = kernel.weight_gradient %x, %x : (!x, !x) -> tensor<768x768xf32>
  return %0, %1, %2 : tensor<?x197x3072xf32>, tensor<?x1000xf32>, tensor<768x768xf32>
}

!y = tensor<?x197x144xbf16>
!f = tensor<?x197x768xf32>
// CHECK-LABEL: func.func @attention
// SM90-LABEL: func.func @attention
// SM90: kernel.attention {{.*}} tile<rows = 128, cols = 64, chunk = 112, threads = 384, thread_rows = 2, thread_cols = 16>
// SM90: kernel.attention_backward {{.*}} tile<rows = 128, cols = 64, chunk = 80, threads = 384, thread_rows = 2, thread_cols = 16>
func.func @attention(%x: !x, %y: !y) -> (!f, !f, tensor<?x12x197x197xf32>, tensor<?x197x144xf32>, !f, !f, !f) {
  // COOP:  kernel.attention {{.*}} tile<rows = 32, cols = 64, chunk = 32, threads = 128, thread_rows = 1, thread_cols = 16>
  // CHECK: kernel.attention {{.*}} tile<rows = 64, cols = 64, chunk = 64, threads = 128, thread_rows = 2, thread_cols = 16>
  %0 = kernel.attention %x, %x, %x heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 : (!x, !x, !x) -> !f
  // COOP:  kernel.attention {{.*}} threads = 128,
  // COOP:  kernel.attention {{.*}} thread_cols = 36>
  // With its probabilities, and with larger heads, by other code.
  // CHECK: kernel.attention {{.*}} thread_rows = 1,
  %1:2 = kernel.attention %x, %x, %x heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 : (!x, !x, !x) -> (!f, tensor<?x12x197x197xf32>)
  // CHECK: kernel.attention {{.*}} thread_rows = 1,
  %2 = kernel.attention %y, %y, %y heads 1 head_dim 144 offsets [0, 0, 0] scale 0.125 : (!y, !y, !y) -> tensor<?x197x144xf32>
  // CHECK: kernel.attention_backward {{.*}} tile<rows = 64, cols = 64, chunk = 32, threads = 128, thread_rows = 2, thread_cols = 16>
  // COOP:  kernel.attention_backward {{.*}} tile<rows = 32, cols = 64, chunk = 16, threads = 128, thread_rows = 1, thread_cols = 16>
  %3:3 = kernel.attention_backward %x, %x, %x, %x heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 : (!x, !x, !x, !x) -> (!f, !f, !f)
  return %0, %1#0, %1#1, %2, %3#0, %3#1, %3#2 : !f, !f, tensor<?x12x197x197xf32>, tensor<?x197x144xf32>, !f, !f, !f
}

!narrow = tensor<?x197x32xbf16>
!nf = tensor<?x197x32xf32>
!wide = tensor<?x900x128xbf16>
!wf = tensor<?x900x128xf32>
!long = tensor<?x1000x128xbf16>
!lf = tensor<?x1000x128xf32>
// The operands and the statistics of the queries share 32 KiB of workgroup memory: narrow heads have larger blocks, and
// with more queries there is no room for wide ones.
// COOP-LABEL: func.func @memory
func.func @memory(%n: !narrow, %w: !wide, %l: !long) -> (!nf, !nf, !nf, !wf, !wf, !wf, !lf, !lf, !lf) {
  // COOP: kernel.attention_backward {{.*}} tile<rows = 32, cols = 32, chunk = 32, threads = 128,
  %0:3 = kernel.attention_backward %n, %n, %n, %n heads 1 head_dim 32 offsets [0, 0, 0] scale 0.125 : (!narrow, !narrow, !narrow, !narrow) -> (!nf, !nf, !nf)
  // COOP: kernel.attention_backward {{.*}} tile<rows = 16, cols = 128, chunk = 16, threads = 64,
  %1:3 = kernel.attention_backward %w, %w, %w, %w heads 1 head_dim 128 offsets [0, 0, 0] scale 0.125 : (!wide, !wide, !wide, !wide) -> (!wf, !wf, !wf)
  // COOP: kernel.attention_backward {{.*}} tile<rows = 256, cols = 128, chunk = 1, threads = 256,
  %2:3 = kernel.attention_backward %l, %l, %l, %l heads 1 head_dim 128 offsets [0, 0, 0] scale 0.125 : (!long, !long, !long, !long) -> (!lf, !lf, !lf)
  return %0#0, %0#1, %0#2, %1#0, %1#1, %1#2, %2#0, %2#1, %2#2 : !nf, !nf, !nf, !wf, !wf, !wf, !lf, !lf, !lf
}

// The most queries of a backward pass: 2,048 by instructions of warps, 8,192 by those of warpgroups.
!l = tensor<?x2049x64xbf16>
!o = tensor<?x2049x64xf32>
!m = tensor<?x8193x64xbf16>
!p = tensor<?x8193x64xf32>
// CHECK-LABEL: func.func @many
// SM90-LABEL: func.func @many
func.func @many(%l: !l, %m: !m) -> (!o, !o, !o, !p, !p, !p) {
  // CHECK: kernel.attention_backward {{.*}} tile<rows = 256, cols = 64, chunk = 1,
  // SM90:  kernel.attention_backward {{.*}} tile<rows = 128, cols = 64, chunk = 80,
  %0:3 = kernel.attention_backward %l, %l, %l, %l heads 1 head_dim 64 offsets [0, 0, 0] scale 0.125 : (!l, !l, !l, !l) -> (!o, !o, !o)
  // SM90:  kernel.attention_backward {{.*}} tile<rows = 256, cols = 64, chunk = 1,
  %1:3 = kernel.attention_backward %m, %m, %m, %m heads 1 head_dim 64 offsets [0, 0, 0] scale 0.125 : (!m, !m, !m, !m) -> (!p, !p, !p)
  return %0#0, %0#1, %0#2, %1#0, %1#1, %1#2 : !o, !o, !o, !p, !p, !p
}

// Operands of tf32 take twice the bytes: half the depth at a time, and smaller blocks for wide heads. Levels without tf32
// compute in f32.
// TF32-LABEL: func.func @tf32
// VULKAN-LABEL: func.func @tf32
// VULKAN-NOT: tf32
func.func @tf32(%f: !f, %w: tensor<3072x768xf32>) -> (tensor<?x197x3072xf32>, tensor<768x768xf32>, !f, !f, !f, !f, !f) {
  // TF32: kernel.gemm {{.*}} tf32 tile<rows = 128, cols = 128, chunk = 16, threads = 128, thread_rows = 8, thread_cols = 16>
  %0 = kernel.gemm %f, %w tf32 {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (!f, tensor<3072x768xf32>) -> tensor<?x197x3072xf32>
  // TF32: kernel.weight_gradient {{.*}} tf32 tile<rows = 128, cols = 64, chunk = 16, threads = 128, thread_rows = 8, thread_cols = 8>
  %1 = kernel.weight_gradient %f, %f tf32 : (!f, !f) -> tensor<768x768xf32>
  // TF32: kernel.attention {{.*}} tf32 tile<rows = 64, cols = 64, chunk = 64, threads = 128, thread_rows = 2, thread_cols = 16>
  %2 = kernel.attention %f, %f, %f heads 12 head_dim 64 offsets [0, 0, 0] scale 0.125 tf32 : (!f, !f, !f) -> !f
  // TF32: kernel.attention {{.*}} tf32 tile<rows = 64, cols = 128, chunk = 32, threads = 128, thread_rows = 2, thread_cols = 32>
  %3 = kernel.attention %f, %f, %f heads 6 head_dim 128 offsets [0, 0, 0] scale 0.125 tf32 : (!f, !f, !f) -> !f
  // TF32: kernel.attention_backward {{.*}} tf32 tile<rows = 32, cols = 128, chunk = 16, threads = 64, thread_rows = 2, thread_cols = 32>
  %4:3 = kernel.attention_backward %f, %f, %f, %f heads 6 head_dim 128 offsets [0, 0, 0] scale 0.125 tf32 : (!f, !f, !f, !f) -> (!f, !f, !f)
  return %0, %1, %2, %3, %4#0, %4#1, %4#2 : tensor<?x197x3072xf32>, tensor<768x768xf32>, !f, !f, !f, !f, !f
}
