// RUN: vit-opt %s --vit-emit-cpu --split-input-file | FileCheck %s

!qkv = tensor<?x17x96xf32, #kernel.blocked<rows = 6>>
!o = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>

// Two heads by two chunks of query blocks. Scratch: 32 keys by 16 channels,
// transposed, and 6 rows of 32 scores.
// CHECK-LABEL: func.func @attention
// CHECK: %{{.+}}:2 = kernel.dispatch @kernels::@attention_0(%[[X:.+]], %[[X]], %[[X]]) units<times = 4> slots [1, 2] scratch 2816 family "attention" flop<times = 36992>
// CHECK: func.func @attention_0
// CHECK:   memref.view
// CHECK:   scf.for {{.+}} iter_args
// CHECK:     scf.if
// CHECK:       vector.shuffle
// CHECK-NOT: math.exp
// CHECK:     vector.maskedstore
func.func @attention(%x: !qkv) -> (!o, tensor<?x2x17x17xf32>) {
  %y, %p = kernel.attention %x, %x, %x heads 2 head_dim 16 offsets [0, 32, 64] scale 2.5e-01
      tile<rows = 6, cols = 64, chunk = 2> slots [1, 2]
      : (!qkv, !qkv, !qkv) -> (!o, tensor<?x2x17x17xf32>)
  return %y, %p : !o, tensor<?x2x17x17xf32>
}

// -----

!x = tensor<?x36xf32, #kernel.blocked<rows = 4>>

// Rank 2: blocks of images; rows beyond the batch are padding. The last vector
// of a row has four channels.
// CHECK-LABEL: func.func @softmax
// CHECK: kernel.dispatch @kernels::@rows_0(%{{.+}}) units<times = 1, per = 4> slots [0] scratch 0 family "rows" flop<times = 0>
// CHECK: func.func @rows_0(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %[[BATCH:[^:]+]]: index
// CHECK:   arith.constant dense<[true, true, true, true, false{{.+}}]> : vector<16xi1>
// CHECK:   arith.cmpi slt, %{{.+}}, %[[BATCH]]
func.func @softmax(%x: !x) -> !x {
  %y = kernel.rows softmax %x epsilon 0.0 slots [0] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!p = tensor<?x4x27xf32, #kernel.blocked<rows = 4>>
!t = tensor<?x5x27xf32, #kernel.blocked<rows = 4>>
!v = tensor<?x27xf32, #kernel.blocked<rows = 4>>
!c = tensor<1x27xf32, #kernel.channels<group = 0>>

// The caller's row-major memory is read by element and written with a mask.
// CHECK-LABEL: func.func @tokens
// CHECK: kernel.dispatch @kernels::@patchify_0({{.+}} units<times = 1> slots [0]
// CHECK: kernel.dispatch @kernels::@prepend_0({{.+}} units<times = 2> slots [1]
// CHECK: kernel.dispatch @kernels::@take_0({{.+}} units<times = 1, per = 4> slots [2]
// CHECK: kernel.dispatch @kernels::@mean_0({{.+}} units<times = 2, per = 4> slots [3]
// CHECK: kernel.dispatch @kernels::@relayout_0({{.+}} units<times = 1, per = 4> slots [-1]
// CHECK: func.func @relayout_0
// CHECK:   vector.maskedstore
func.func @tokens(%x: tensor<?x3x6x6xf32>, %c: !c) -> (tensor<?x27xf32>, !v) {
  %0 = kernel.patchify %x patch [3, 3] order chw slots [0] : (tensor<?x3x6x6xf32>) -> !p
  %1 = kernel.prepend %0, %c slots [1] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!p, !c) -> !t
  %2 = kernel.take %1 from 0 slots [2] : (!t) -> !v
  %3 = kernel.mean %1 from 1 slots [3] : (!t) -> !v
  %4 = kernel.relayout %2 : (!v) -> tensor<?x27xf32>
  return %4, %3 : tensor<?x27xf32>, !v
}
