// RUN: vit-opt %s --vit-emit-cpu --split-input-file | FileCheck %s
// RUN: vit-opt %s --vit-emit-cpu=level=avx2 --split-input-file | FileCheck %s --check-prefix=AVX2

!dy = tensor<?x65x768xf32, #kernel.blocked<rows = 5>>
!x = tensor<?x65x192xf32, #kernel.blocked<rows = 5>>

// 4 panels of 3 vectors by 96 tiles of 8 outputs, for any batch.
// CHECK-LABEL: func.func @gradient
// CHECK:   kernel.dispatch @kernels::@weight_gradient_0(%{{.+}}, %{{.+}}) units<times = 384, per = 2147483648> slots [0, 1] scratch 0 family "weight_gradient" flop<times = 19169280>
// CHECK:   func.func @weight_gradient_0(%[[DY:[^:]+]]: memref<?xf32>, %[[X:[^:]+]]: memref<?xf32>, %[[DW:[^:]+]]: memref<?xf32>, %[[DB:[^:]+]]: memref<?xf32>,
// CHECK-SAME:  %{{[^:]+}}: index, %[[BEGIN:[^:]+]]: index, %[[END:[^:]+]]: index,
// Chunks of 19 row blocks around the units.
// CHECK:     %[[CHUNK:.+]] = arith.constant 19 : index
// CHECK:     scf.for %{{.+}} = %{{.+}} to %{{.+}} step %[[CHUNK]]
// CHECK:       scf.for %{{.+}} = %[[BEGIN]] to %[[END]]
// 24 sums start from zero; the next values are prefetched.
// CHECK:         scf.for {{.+}} iter_args({{(.+=.+, ){23}.+=.+}}) -> ({{(vector<16xf32>, ){23}vector<16xf32>}})
// CHECK:           memref.prefetch %[[X]]
// CHECK:           memref.prefetch %[[DW]]
// CHECK-COUNT-3:   vector.load %[[X]]
// CHECK:           memref.load %[[DY]]
// CHECK:           vector.fma
// Added to the tile, except for the first chunk.
// CHECK:         vector.load %[[DW]]
// CHECK:         arith.select
// CHECK:         arith.addf
// CHECK:         vector.store %{{.+}}, %[[DW]]
// CHECK:         vector.store %{{.+}}, %[[DB]]
// Whole vectors: no tail.
// CHECK-NOT:     memref.store
// CHECK-NOT: func.func

// Tiles of 4 outputs by 1 vector: 8 of 16 registers.
// AVX2-LABEL: func.func @gradient
// AVX2: units<times = 2304, per = 2147483648>
// AVX2: scf.for {{.+}} iter_args({{(.+=.+, ){3}.+=.+}}) -> ({{(vector<16xf32>, ){3}vector<16xf32>}})
func.func @gradient(%dy: !dy, %x: !x) -> tensor<148224xf32> {
  %w, %b = kernel.weight_gradient %dy, %x tile<rows = 5, cols = 48, chunk = 19> slots [0, 1]
      : (!dy, !x) -> (tensor<768x192xf32>, tensor<768xf32>)
  %c = kernel.concat %w, %b : (tensor<768x192xf32>, tensor<768xf32>) -> tensor<148224xf32>
  return %c : tensor<148224xf32>
}

// -----

!dy = tensor<?x10xf32, #kernel.blocked<rows = 6>>
!x = tensor<?x49xf32, #kernel.blocked<rows = 6>>

// Only part of the last vector is channels: the rest is neither read nor
// written, and the 6 elements after the 490 become zero. If the entry returns
// the gradient, these do not exist: another function.
// CHECK-LABEL: func.func @ragged
// CHECK:   kernel.dispatch @kernels::@weight_gradient_0
// CHECK:   kernel.dispatch @kernels::@weight_gradient_1
// CHECK:   func.func @weight_gradient_0(%{{[^:]+}}: memref<?xf32>, %{{[^:]+}}: memref<?xf32>, %[[DW:[^:]+]]: memref<?xf32>,
// CHECK:     vector.maskedload %[[DW]]
// CHECK:     vector.maskedstore %[[DW]]
// CHECK:     memref.store %{{.+}}, %[[DW]]
// CHECK:   func.func @weight_gradient_1
// CHECK:     vector.maskedstore
// CHECK-NOT: memref.store
func.func @ragged(%dy: !dy, %x: !x) -> (tensor<496xf32>, tensor<10x49xf32>) {
  %v = kernel.weight_gradient %dy, %x tile<rows = 6, cols = 48, chunk = 16> slots [0]
      : (!dy, !x) -> tensor<10x49xf32>
  %w = kernel.weight_gradient %dy, %x tile<rows = 6, cols = 48, chunk = 16> slots [1]
      : (!dy, !x) -> tensor<10x49xf32>
  %c = kernel.concat %v : (tensor<10x49xf32>) -> tensor<496xf32>
  return %c, %w : tensor<496xf32>, tensor<10x49xf32>
}

// -----

!dy = tensor<?x17x75xf32, #kernel.blocked<rows = 6, group = 25>>
!dx = tensor<?x17x48xf32, #kernel.blocked<rows = 6>>
!w = tensor<75x48xf32, #kernel.panels<cols = 64, out_group = 25, transposed = true>>

// dY W: the depth is the outputs, 96 with padding.
// CHECK-LABEL: func.func @input_gradient
// CHECK:   kernel.dispatch @kernels::@gemm_0(%{{.+}}, %{{.+}}) units<times = 3> slots [0] scratch 0 family "gemm" flop<times = 122400>
func.func @input_gradient(%dy: !dy, %w: !w) -> !dx {
  %dx = kernel.gemm %dy, %w transposed tile<rows = 6, cols = 64, chunk = 3> slots [0] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!dy, !w) -> !dx
  return %dx : !dx
}

// -----

!p = tensor<75x48xf32, #kernel.panels<cols = 64, out_group = 25>>
!t = tensor<75x48xf32, #kernel.panels<cols = 64, out_group = 25, transposed = true>>
!b = tensor<75xf32, #kernel.channels<group = 25>>

// 96 padded outputs are 6 units. Panels use in-register transposes, their
// transpose copies; the 7 outputs of padding are zeros.
// CHECK-LABEL: func.func @pack
// CHECK:   kernel.dispatch @kernels::@pack_0({{.+}} units<times = 6, per = 2147483648> slots [0]
// CHECK:   kernel.dispatch @kernels::@pack_1({{.+}} units<times = 6, per = 2147483648> slots [1]
// CHECK:   kernel.dispatch @kernels::@pack_2({{.+}} units<times = 6, per = 2147483648> slots [2]
// CHECK:   func.func @pack_0
// CHECK-COUNT-64: vector.shuffle
// CHECK:   func.func @pack_1
// CHECK-NOT: vector.shuffle
// CHECK:   func.func @pack_2
// CHECK:     vector.maskedload
func.func @pack(%q: tensor<25x48xf32>, %k: tensor<25x48xf32>, %v: tensor<25x48xf32>,
                %b: tensor<25xf32>) -> (!p, !t, !b) {
  %p = kernel.pack %q, %k, %v slots [0] : (tensor<25x48xf32>, tensor<25x48xf32>, tensor<25x48xf32>) -> !p
  %t = kernel.pack %q, %k, %v slots [1] : (tensor<25x48xf32>, tensor<25x48xf32>, tensor<25x48xf32>) -> !t
  %c = kernel.pack %b, %b, %b slots [2] : (tensor<25xf32>, tensor<25xf32>, tensor<25xf32>) -> !b
  return %p, %t, %c : !p, !t, !b
}

// -----

!x = tensor<?x17x30xf32, #kernel.blocked<rows = 6>>
!y = tensor<?x30xf32, #kernel.blocked<rows = 6>>

// Two channel vectors; of 3 row blocks per image, of 6 images together, of a
// vector of groups.
// CHECK-LABEL: func.func @sums
// CHECK:   kernel.dispatch @kernels::@sum_0({{.+}} units<times = 2, per = 6> slots [0]
// CHECK:   kernel.dispatch @kernels::@sum_1({{.+}} units<times = 6, per = 2147483648> slots [1]
// CHECK:   kernel.dispatch @kernels::@sum_2({{.+}} units<times = 2, per = 2147483648> slots [2]
// CHECK:   kernel.dispatch @kernels::@sum_3({{.+}} units<times = 1, per = 2147483648> slots [3]
// CHECK:   kernel.dispatch @kernels::@sum_4({{.+}} units<times = 1, per = 2147483648> slots [4]
func.func @sums(%x: !x) -> (tensor<17x30xf32>, tensor<10xf32>, tensor<f32>) {
  %t = kernel.sum tokens %x slots [0] : (!x) -> !y
  %b = kernel.sum batch %x slots [1] : (!x) -> tensor<17x30xf32>
  %w = kernel.sum batch %t slots [2] : (!y) -> tensor<30xf32>
  %g = kernel.sum groups %w slots [3] : (tensor<30xf32>) -> tensor<10xf32>
  %a = kernel.sum all %x slots [4] : (!x) -> tensor<f32>
  return %b, %g, %a : tensor<17x30xf32>, tensor<10xf32>, tensor<f32>
}
