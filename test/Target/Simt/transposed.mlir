// Products with the transposed weight read it row-major as it is, [depth][columns], by vectors of neighbouring columns:
// hand-written kernels. That the numbers are right is tested by backward.test.
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: vit-opt %s -p 'builtin.module(vit-emit-simt{level=tiled},canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,TILED
// RUN: vit-opt %s -p 'builtin.module(vit-emit-simt{level=coop},canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,COOP --implicit-check-not=transpose}
// RUN: sed s/bf16/f16/ %s | vit-opt -p 'builtin.module(vit-emit-simt{level=coop_f16},canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,COOP --implicit-check-not=transpose}

#tile = #kernel.tile<rows = 32, cols = 64, chunk = 16, threads = 128, thread_rows = 2, thread_cols = 8>
!y = tensor<?x9x40xbf16, #kernel.channels<group = 20>>
!w = tensor<40x84xbf16, #kernel.panels<cols = 1, out_group = 20, in_group = 42>>
!x = tensor<?x9x84xf32, #kernel.channels<group = 42>>

// With padding the weight is 64 x 96. A step copies 16 rows of 16 vectors, which are 24 apart; the second column tile
// repeats the last vector.
// CHECK-LABEL: func.func @gradient
// TILED:     %[[SHARED:.+]] = memref.alloc() : memref<512xvector<4xf32>, #gpu.address_space<workgroup>>
// COOP:      %[[SHARED:.+]] = memref.alloc() : memref<288xvector<2xi32>, #gpu.address_space<workgroup>>
// CHECK:     %[[THREAD:.+]] = gpu.thread_id x
// CHECK-DAG: %[[VECTOR:.+]] = arith.remui %[[THREAD]], %c16 : index
// CHECK-DAG: %[[ROW:.+]] = arith.divui %[[THREAD]], %c16 : index
// CHECK:     %[[COLUMN:.+]] = arith.addi %{{.+}}, %[[VECTOR]] : index
// CHECK:     %{{.+}} = arith.minsi %[[COLUMN]], %c23 : index
// CHECK:     %{{.+}} = arith.muli %[[ROW]], %c24 : index
// CHECK:     scf.for
// CHECK:       gpu.barrier
// CHECK:       arith.muli %{{.+}}, %c384 : index
// COOP:        %[[RIGHT:.+]] = gpu.subgroup_mma_load_matrix %[[SHARED]][%{{.+}}] {leadDimension = 18 : index} : {{.+}} -> !gpu.mma_matrix<16x16xf16, "BOp">
// COOP:        gpu.subgroup_mma_compute %{{.+}}, %[[RIGHT]],
// TILED-COUNT-64: vector.fma
// CHECK:     gpu.return
func.func @gradient(%dy: !y, %w: !w) -> !x {
  %0 = kernel.gemm %dy, %w transposed tile #tile {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } : (!y, !w) -> !x
  return %0 : !x
}
