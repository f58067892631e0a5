// RUN: vit-opt %s -p 'builtin.module(gpu.module(vit-expand-matrices))' --split-input-file --verify-diagnostics | FileCheck %s --implicit-check-not=mma --implicit-check-not=kernel.matrices --implicit-check-not=gpu.lane_id --implicit-check-not=gpu.subgroup_id
// That the sums are right is tested by Simt/products.test and the runtime's tests.

!words = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!sums = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<16x16xf16, "AOp">
!B = !gpu.mma_matrix<16x16xf16, "BOp">
!C = !gpu.mma_matrix<16x16xf32, "COp">

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @product
  // CHECK: %[[THREAD:.+]] = gpu.thread_id x
  // CHECK: arith.divui %[[THREAD]], %{{.+}} : index
  // Sums of two rows are carried by the loop.
  // CHECK: scf.for {{.+}} iter_args(%{{.+}} = %{{.+}}, %{{.+}} = %{{.+}}) -> (vector<4xf32>, vector<4xf32>)
  // Two rows of 16 elements, then 4 columns of them.
  // CHECK-COUNT-8: memref.load {{.+}} memref<160xvector<2xi32>
  // An f32 is the high half of a word.
  // CHECK: %[[HIGH:.+]] = arith.andi %{{.+}}, %{{.+}} : vector<2xi32>
  // CHECK: arith.bitcast %[[HIGH]] : vector<2xi32> to vector<2xf32>
  // CHECK-COUNT-16: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-COUNT-32: vector.fma
  // CHECK: scf.yield %{{.+}}, %{{.+}} : vector<4xf32>, vector<4xf32>
  // CHECK-COUNT-2: memref.store {{.+}} memref<64xvector<4xf32>
  gpu.func @product(%left: !words, %right: !words, %out: !sums) kernel attributes {known_block_size = array<i32: 32, 1, 1>, kernel.matrices = "cooperative_matrix"} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %zero = arith.constant 0.0 : f32
    %subgroup = gpu.subgroup_id : index
    %lane = gpu.lane_id
    %none = gpu.subgroup_mma_constant_matrix %zero : !C
    %product = scf.for %step = %c0 to %c2 step %c1 iter_args(%sum = %none) -> (!C) {
      %a = gpu.subgroup_mma_load_matrix %left[%subgroup] {leadDimension = 10 : index} : !words -> !A
      %b = gpu.subgroup_mma_load_matrix %right[%lane] {leadDimension = 10 : index, transpose} : !words -> !B
      %next = gpu.subgroup_mma_compute %a, %b, %sum : !A, !B -> !C
      scf.yield %next : !C
    }
    gpu.subgroup_mma_store_matrix %product, %out[%c0] {leadDimension = 4 : index} : !C, !sums
    gpu.return
  }
}

// -----

!words = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!sums = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<16x16xf16, "AOp">
!B = !gpu.mma_matrix<16x16xf16, "BOp">
!C = !gpu.mma_matrix<16x16xf32, "COp">

gpu.module @kernels {
  // The rows of the right operand are rows in memory: 4 columns of each. They are of f16.
  // CHECK-LABEL: gpu.func @values
  // CHECK: spirv.GL.UnpackHalf2x16 %{{.+}} : i32 -> vector<2xf32>
  // CHECK-COUNT-7: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK: %[[C10:.+]] = arith.constant 10 : index
  // CHECK-NEXT: %[[SECOND:.+]] = arith.addi %{{.+}}, %[[C10]] : index
  // CHECK-NEXT: memref.load %{{.+}}[%[[SECOND]]] : memref<160xvector<2xi32>
  // CHECK-COUNT-14: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-NOT: memref.load
  gpu.func @values(%left: !words, %right: !words, %out: !sums) kernel attributes {known_block_size = array<i32: 32, 1, 1>, kernel.matrices = "cooperative_matrix_f16"} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %none = gpu.subgroup_mma_constant_matrix %zero : !C
    %a = gpu.subgroup_mma_load_matrix %left[%c0] {leadDimension = 10 : index} : !words -> !A
    %b = gpu.subgroup_mma_load_matrix %right[%c0] {leadDimension = 10 : index} : !words -> !B
    %sum = gpu.subgroup_mma_compute %a, %b, %none : !A, !B -> !C
    gpu.subgroup_mma_store_matrix %sum, %out[%c0] {leadDimension = 4 : index} : !C, !sums
    gpu.return
  }
}

// -----

!words = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!sums = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<16x16xf16, "AOp">
!B = !gpu.mma_matrix<16x16xf16, "BOp">
!C = !gpu.mma_matrix<16x16xf32, "COp">

gpu.module @kernels {
  // The columns of the left operand are rows in memory: a vector of each, of which the lane has two elements.
  // CHECK-LABEL: gpu.func @gradient
  // CHECK-COUNT-16: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-COUNT-32: vector.extract %{{.+}}[%{{.+}}] : f32 from vector<4xf32>
  // CHECK-COUNT-16: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-NOT: memref.load
  gpu.func @gradient(%left: !words, %right: !words, %out: !sums) kernel attributes {known_block_size = array<i32: 32, 1, 1>, kernel.matrices = "cooperative_matrix"} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %none = gpu.subgroup_mma_constant_matrix %zero : !C
    %a = gpu.subgroup_mma_load_matrix %left[%c0] {leadDimension = 10 : index, transpose} : !words -> !A
    %b = gpu.subgroup_mma_load_matrix %right[%c0] {leadDimension = 10 : index} : !words -> !B
    %sum = gpu.subgroup_mma_compute %a, %b, %none : !A, !B -> !C
    gpu.subgroup_mma_store_matrix %sum, %out[%c0] {leadDimension = 4 : index} : !C, !sums
    gpu.return
  }
}

// -----

!words = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!sums = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<8x16xf16, "AOp">
!B = !gpu.mma_matrix<16x16xf16, "BOp">
!C = !gpu.mma_matrix<8x16xf32, "COp">

gpu.module @kernels {
  // A lane of 16 has two of 8 rows.
  // CHECK-LABEL: gpu.func @half
  // CHECK: %[[THREAD:.+]] = gpu.thread_id x
  // CHECK: %[[C16:.+]] = arith.constant 16 : index
  // CHECK: %[[SUBGROUP:.+]] = arith.divui %[[THREAD]], %[[C16]] : index
  // CHECK: arith.remui %{{.+}}, %c16{{.*}} : index
  // CHECK-COUNT-8: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-COUNT-16: memref.load {{.+}} memref<160xvector<2xi32>
  // CHECK-COUNT-32: vector.fma
  // CHECK-COUNT-2: memref.store {{.+}} memref<64xvector<4xf32>
  // CHECK-NOT: memref.store
  gpu.func @half(%left: !words, %right: !words, %out: !sums) kernel attributes {known_block_size = array<i32: 32, 1, 1>, kernel.matrices = "cooperative_matrix_8x16_f16"} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %subgroup = gpu.subgroup_id : index
    %none = gpu.subgroup_mma_constant_matrix %zero : !C
    %a = gpu.subgroup_mma_load_matrix %left[%subgroup] {leadDimension = 10 : index} : !words -> !A
    %b = gpu.subgroup_mma_load_matrix %right[%c0] {leadDimension = 10 : index} : !words -> !B
    %sum = gpu.subgroup_mma_compute %a, %b, %none : !A, !B -> !C
    gpu.subgroup_mma_store_matrix %sum, %out[%c0] {leadDimension = 4 : index} : !C, !sums
    gpu.return
  }
}

// -----

!sums = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!C = !gpu.mma_matrix<16x16xf32, "COp">

gpu.module @kernels {
  gpu.func @sums(%sums: !sums) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{failed to legalize operation 'gpu.subgroup_mma_load_matrix'}}
    %c = gpu.subgroup_mma_load_matrix %sums[%c0] {leadDimension = 4 : index} : !sums -> !C
    gpu.return
  }
}

// -----

!words = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<16x16xf16, "AOp">

gpu.module @kernels {
  // It is not said of which type they are.
  gpu.func @unknown(%left: !words) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{failed to legalize operation 'gpu.subgroup_mma_load_matrix'}}
    %a = gpu.subgroup_mma_load_matrix %left[%c0] {leadDimension = 10 : index} : !words -> !A
    gpu.return
  }
}
