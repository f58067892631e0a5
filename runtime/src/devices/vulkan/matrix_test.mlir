// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What SelfTest.cpp runs, with the ops of lib/Target/Vulkan/Matrix*.cpp. Two
// subgroups of 32, each a matrix of 16 rows, compute Y [32, 16] = A B^T + A' B' + A''^T B', A [32, 32],
// B [16, 32], of which A' [32, 16] and B' [16, 16] are the first 16 columns and
// A'' [16, 32] the first 16 rows. The buffer has, in vectors of two words: A (256 vectors) and B (128)
// in bf16, then the place for Y in f32 (256).
// matrix_test.inc has the words, matrix_test_f16.inc those of the same kernel
// for f16, whose kernel.matrices is another one, matrix_test_8x16_f16.inc those
// for four subgroups of 16 with 8 rows each; test/Target/Vulkan/matrix-test.test
// compares them and says how to make them.
!buffer = memref<?xvector<2xi32>, #spirv.storage_class<StorageBuffer>>
!push = memref<32xi32, #spirv.storage_class<PushConstant>>
!left = memref<320xvector<2xi32>, #gpu.address_space<workgroup>>
!right = memref<160xvector<2xi32>, #gpu.address_space<workgroup>>
!sums = memref<128xvector<4xf32>, #gpu.address_space<workgroup>>
!A = !gpu.mma_matrix<16x16xf16, "AOp">
!B = !gpu.mma_matrix<16x16xf16, "BOp">
!C = !gpu.mma_matrix<16x16xf32, "COp">

gpu.module @kernels {
  gpu.func @matrix_test(%data: !buffer, %unused: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>, kernel.matrices = "cooperative_matrix"} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c10 = arith.constant 10 : index
    %c64 = arith.constant 64 : index
    %c256 = arith.constant 256 : index
    %c384 = arith.constant 384 : index
    %rows = arith.constant 16 : index // of a subgroup
    %lanes = arith.constant 32 : index
    %left = memref.alloc() : !left
    %right = memref.alloc() : !right
    %sums = memref.alloc() : !sums
    %thread = gpu.thread_id x
    %subgroup = gpu.subgroup_id : index
    %lane = gpu.lane_id
    // Rows of 8 vectors, 10 apart.
    scf.for %i = %c0 to %c4 step %c1 {
      %part = arith.muli %i, %c64 : index
      %item = arith.addi %part, %thread : index
      %value = memref.load %data[%item] : !buffer
      %row = arith.divui %item, %c8 : index
      %vector = arith.remui %item, %c8 : index
      %begin = arith.muli %row, %c10 : index
      %at = arith.addi %begin, %vector : index
      memref.store %value, %left[%at] : !left
    }
    scf.for %i = %c0 to %c2 step %c1 {
      %part = arith.muli %i, %c64 : index
      %item = arith.addi %part, %thread : index
      %from = arith.addi %item, %c256 : index
      %value = memref.load %data[%from] : !buffer
      %row = arith.divui %item, %c8 : index
      %vector = arith.remui %item, %c8 : index
      %begin = arith.muli %row, %c10 : index
      %at = arith.addi %begin, %vector : index
      memref.store %value, %right[%at] : !right
    }
    gpu.barrier
    %zero = arith.constant 0.0 : f32
    %none = gpu.subgroup_mma_constant_matrix %zero : !C
    %own = arith.muli %subgroup, %rows : index
    %mine = arith.muli %own, %c10 : index
    %product = scf.for %step = %c0 to %c2 step %c1 iter_args(%sum = %none) -> (!C) {
      %depth = arith.muli %step, %c4 : index
      %from = arith.addi %mine, %depth : index
      %a = gpu.subgroup_mma_load_matrix %left[%from] {leadDimension = 10 : index} : !left -> !A
      %b = gpu.subgroup_mma_load_matrix %right[%depth] {leadDimension = 10 : index, transpose} : !right -> !B
      %next = gpu.subgroup_mma_compute %a, %b, %sum : !A, !B -> !C
      scf.yield %next : !C
    }
    %a = gpu.subgroup_mma_load_matrix %left[%mine] {leadDimension = 10 : index} : !left -> !A
    %b = gpu.subgroup_mma_load_matrix %right[%c0] {leadDimension = 10 : index} : !right -> !B
    %two = gpu.subgroup_mma_compute %a, %b, %product : !A, !B -> !C
    %columns = arith.divui %own, %c4 : index
    %t = gpu.subgroup_mma_load_matrix %left[%columns] {leadDimension = 10 : index, transpose} : !left -> !A
    %all = gpu.subgroup_mma_compute %t, %b, %two : !A, !B -> !C
    %place = arith.muli %own, %c4 : index
    gpu.subgroup_mma_store_matrix %all, %sums[%place] {leadDimension = 4 : index} : !C, !sums
    gpu.barrier
    scf.for %i = %c0 to %c2 step %c1 {
      %part = arith.muli %i, %lanes : index
      %item = arith.addi %part, %lane : index
      %at = arith.addi %place, %item : index
      %value = memref.load %sums[%at] : !sums
      %x = vector.extract %value[0] : f32 from vector<4xf32>
      %y = vector.extract %value[1] : f32 from vector<4xf32>
      %z = vector.extract %value[2] : f32 from vector<4xf32>
      %w = vector.extract %value[3] : f32 from vector<4xf32>
      %xy = vector.from_elements %x, %y : vector<2xf32>
      %zw = vector.from_elements %z, %w : vector<2xf32>
      %low = arith.bitcast %xy : vector<2xf32> to vector<2xi32>
      %high = arith.bitcast %zw : vector<2xf32> to vector<2xi32>
      %twice = arith.muli %at, %c2 : index
      %to = arith.addi %twice, %c384 : index
      %next = arith.addi %to, %c1 : index
      memref.store %low, %data[%to] : !buffer
      memref.store %high, %data[%next] : !buffer
    }
    gpu.return
  }
}
