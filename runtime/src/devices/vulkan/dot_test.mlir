// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What SelfTest.cpp runs, with the op of lib/Target/Simt/DotGemm.cpp. Each of 64
// threads adds to a word the dot product of two others as vectors of four i8.
// The buffer has the 64 first operands, the second ones, then the sums.
// dot_test.inc has the words; test/Target/Vulkan/dot-test.test compares them and
// says how to make them.
!buffer = memref<?xi32, #spirv.storage_class<StorageBuffer>>
!push = memref<32xi32, #spirv.storage_class<PushConstant>>

gpu.module @kernels {
  gpu.func @dot_test(%data: !buffer, %unused: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %thread = gpu.thread_id x
    %second = arith.addi %thread, %c64 : index
    %third = arith.addi %thread, %c128 : index
    %a = memref.load %data[%thread] : !buffer
    %b = memref.load %data[%second] : !buffer
    %c = memref.load %data[%third] : !buffer
    %dot = spirv.SDot %a, %b, <PackedVectorFormat4x8Bit> : i32 -> i32
    %sum = arith.addi %c, %dot : i32
    memref.store %sum, %data[%third] : !buffer
    gpu.return
  }
}
