// RUN: vit-opt %s --vit-emit-cpu --split-input-file | FileCheck %s
// RUN: vit-opt %s --vit-emit-cpu=level=avx2 --split-input-file | FileCheck %s --check-prefix=AVX2

!x = tensor<?x65x192xf32, #kernel.blocked<rows = 5>>
!w = tensor<192x192xf32, #kernel.panels<cols = 64>>
!b = tensor<192xf32, #kernel.channels<group = 0>>

// Two products of the same form share a function; the dispatches differ.
// CHECK-LABEL: func.func @same_form
// CHECK:   %[[A:.+]] = kernel.dispatch @kernels::@gemm_0(%{{.+}}, %{{.+}}, %{{.+}}) units<times = 39> slots [3] scratch 0 family "gemm" flop<times = 4792320>
// CHECK:   kernel.dispatch @kernels::@gemm_0(%[[A]], {{.+}} slots [4]
// CHECK: module @kernels
// CHECK:   func.func @gemm_0(%[[X:[^:]+]]: memref<?xf32>, %[[W:[^:]+]]: memref<?xf32>, %[[B:[^:]+]]: memref<?xf32>, %[[Y:[^:]+]]: memref<?xf32>,
// CHECK-SAME:  %[[BATCH:[^:]+]]: index, %[[BEGIN:[^:]+]]: index, %[[END:[^:]+]]: index, %{{[^:]+}}: memref<?xi8>)
// Units in order, grouped by panel.
// CHECK:     scf.while (%[[UNIT:.+]] = %[[BEGIN]])
// CHECK:       arith.cmpi slt, %[[UNIT]], %[[END]]
// CHECK:       scf.for
// Twenty accumulators; the next panel is prefetched.
// CHECK:         scf.for {{.+}} iter_args({{(.+=.+, ){19}.+=.+}}) -> ({{(vector<16xf32>, ){19}vector<16xf32>}})
// CHECK:           memref.prefetch %[[W]]
// CHECK:           vector.load %[[W]]
// CHECK:           memref.load %[[X]]
// CHECK:           vector.fma
// 65 tokens are 13 blocks of 5 without padding.
// CHECK-NOT:     arith.select
// CHECK:         arith.addf
// CHECK:         vector.store %{{.+}}, %[[Y]]
// CHECK-NOT: func.func

// The same panels in strips of one vector (two registers) by five rows.
// AVX2-LABEL: func.func @same_form
// AVX2: scf.for {{.+}} iter_args({{(.+=.+, ){4}.+=.+}}) -> ({{(vector<16xf32>, ){4}vector<16xf32>}})
func.func @same_form(%x: !x, %w: !w, %v: !w, %b: !b) -> !x {
  %y = kernel.gemm %x, %w extras(%b : !b) tile<rows = 5, cols = 64, chunk = 13> slots [3] {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %c : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !x
  %z = kernel.gemm %y, %v extras(%b : !b) tile<rows = 5, cols = 64, chunk = 13> slots [4] {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %c : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !x
  return %z : !x
}

// -----

!x = tensor<?x17x32xf32, #kernel.blocked<rows = 6>>
!y = tensor<?x17x100xf32, #kernel.blocked<rows = 6>>
!w = tensor<100x32xf32, #kernel.panels<cols = 64>>

// A last panel of 48 columns, a last block with a padding row, and a region
// that maps zero to another value: each has its own code.
// CHECK-LABEL: func.func @padded
// CHECK:   kernel.dispatch @kernels::@gemm_0(%{{.+}}, %{{.+}}) units<times = 6> slots [0] scratch 0 family "gemm" flop<times = 108800>
// CHECK:   %[[ZERO:.+]] = arith.constant dense<0.000000e+00> : vector<16xf32>
// CHECK:   %[[MASK:.+]] = arith.constant dense<[true, true, true, true, false{{.+}}]> : vector<16xi1>
// CHECK:   scf.if
// CHECK:     -> ({{(vector<16xf32>, ){23}vector<16xf32>}})
// CHECK:     arith.select %[[MASK]], %{{.+}}, %[[ZERO]]
// CHECK:     arith.select %{{.+}}, %[[ZERO]], %{{.+}} : vector<16xf32>
// CHECK:   } else {
// CHECK:     -> ({{(vector<16xf32>, ){17}vector<16xf32>}})
// AVX2-LABEL: func.func @padded
func.func @padded(%x: !x, %w: !w) -> !y {
  %y = kernel.gemm %x, %w tile<rows = 6, cols = 64, chunk = 3> slots [0] {
  ^bb0(%a: f32):
    %one = arith.constant 1.0 : f32
    %0 = arith.addf %a, %one : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !y
  return %y : !y
}

// -----

!x = tensor<?x12x3072xf32, #kernel.blocked<rows = 6>>
!y = tensor<?x12x64xf32, #kernel.blocked<rows = 6>>
!w = tensor<64x3072xf32, #kernel.panels<cols = 64>>

// A panel of 768 KiB in three pieces of 64 steps. The sums of the first two are
// stored as they are; those of the last one have the region applied.
// CHECK-LABEL: func.func @pieces
// CHECK: func.func @gemm_0(%[[X:[^:]+]]: memref<?xf32>, %[[W:[^:]+]]: memref<?xf32>, %[[Y:[^:]+]]: memref<?xf32>,
// CHECK: %[[LAST:.+]] = arith.constant 2 : index
// CHECK: scf.while
// CHECK:   scf.for %[[PIECE:.+]] = %{{.+}} to %[[LAST]]
// CHECK:     arith.cmpi eq, %[[PIECE]]
// CHECK:     scf.for
// CHECK:       vector.load %[[Y]]
// CHECK:       arith.select
// CHECK:       scf.for
// CHECK-NOT:   arith.negf
// CHECK:       vector.store %{{.+}}, %[[Y]]
// CHECK:   scf.for
// CHECK:     vector.load %[[Y]]
// CHECK-NOT: arith.select
// CHECK:     scf.for
// CHECK:     arith.negf
// CHECK:     vector.store %{{.+}}, %[[Y]]
// AVX2-LABEL: func.func @pieces
func.func @pieces(%x: !x, %w: !w) -> !y {
  %y = kernel.gemm %x, %w tile<rows = 6, cols = 64, chunk = 2> slots [0] {
  ^bb0(%a: f32):
    %0 = arith.negf %a : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !y
  return %y : !y
}
