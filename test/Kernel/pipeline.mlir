// RUN: vit-opt %s --vit-to-cpu | FileCheck %s --check-prefixes=CHECK,ALL
// RUN: vit-opt %s --vit-to-cpu='level=avx2 batch=4 outputs=hidden,logits skip=fuse' | FileCheck %s --check-prefixes=CHECK,SOME
// RUN: vit-opt %s --vit-to-vulkan='level=direct outputs=hidden,logits skip=fuse' | FileCheck %s --check-prefixes=CHECK,SOME
// RUN: vit-opt %s --vit-to-cuda | FileCheck %s --check-prefixes=CHECK,ALL
// RUN: not vit-opt %s --vit-to-cpu='skip=tile' 2>&1 | FileCheck %s --check-prefix=SKIP

// SKIP: error: cannot leave out 'tile'; optional are simplify, narrow-tokens, fuse

// The result consists of parameters, derived forms and dispatches of code.
vit.parameter @w : tensor<4x8xf32>
vit.parameter @b : tensor<4xf32>
// CHECK-LABEL: func.func @forward
// ALL-SAME:      -> (tensor<?x4xf32> {vit.name = "logits"})
// SOME-SAME:     -> (tensor<?x4xf32> {vit.name = "hidden"}, tensor<?x4xf32> {vit.name = "logits"})
func.func @forward(%x: tensor<?x8xf32>) -> (tensor<?x4xf32> {vit.name = "logits"}) {
  // CHECK-NOT: vit.linear
  // CHECK-NOT: kernel.gemm
  // ALL-COUNT-3: kernel.dispatch
  // SOME-COUNT-6: kernel.dispatch
  // CHECK-NOT: kernel.dispatch
  // CHECK: return
  %w = vit.read @w : tensor<4x8xf32>
  %b = vit.read @b : tensor<4xf32>
  %0 = vit.linear %x, %w, %b : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  vit.output "hidden" = %0 : tensor<?x4xf32>
  %1 = vit.relu %0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
// CHECK: module @kernels
