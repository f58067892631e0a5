// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What DeviceReduction.cpp runs: result = sums + piece 0 + piece 1 ... in this
// order, as addPieces of Reduction.cpp. `pieces` has `count` of them behind one
// another, of `elements` each, a multiple of 4. The result may be where the
// sums or the only piece are. Each thread has four elements.
// add_pieces.inc has the PTX; test/Target/CUDA/add-pieces.test compares it and
// says how to make it.
gpu.module @kernels {
  gpu.func @add_pieces(%result: memref<?xf32>, %sums: memref<?xf32>, %pieces: memref<?xf32>, %elements: i32, %count: i32) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c256 = arith.constant 256 : index
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %stride = arith.index_cast %elements : i32 to index
    %end = arith.index_cast %count : i32 to index
    %begin = arith.muli %block, %c256 : index
    %number = arith.addi %begin, %thread : index
    %at = arith.muli %number, %c4 : index
    %isInside = arith.cmpi ult, %at, %stride : index
    scf.if %isInside {
      %sum = vector.load %sums[%at] : memref<?xf32>, vector<4xf32>
      %all, %last = scf.for %i = %c0 to %end step %c1 iter_args(%before = %sum, %from = %at) -> (vector<4xf32>, index) {
        %piece = vector.load %pieces[%from] : memref<?xf32>, vector<4xf32>
        %after = arith.addf %before, %piece : vector<4xf32>
        %next = arith.addi %from, %stride : index
        scf.yield %after, %next : vector<4xf32>, index
      }
      vector.store %all, %result[%at] : memref<?xf32>, vector<4xf32>
    }
    gpu.return
  }
}
