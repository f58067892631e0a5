// Attention with one head, 32 tokens, 32 channels. A block computes 4 queries,
// one per warp: lane j has key j, then channel j of the result. The weights are
// (1 + s/1024)^1024 of the scores s minus their maximum, divided by their sum.
// Tests change lines that end with a comment.
module {
  gpu.module @kernels {
    gpu.func @attention(%Q: memref<?xf32>, %K: memref<?xf32>, %V: memref<?xf32>, %O: memref<?xf32>, %batch: i32, %first: i32)
        kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
      %query = memref.alloc() : memref<128xf32, #gpu.address_space<workgroup>>
      %weights = memref.alloc() : memref<128xf32, #gpu.address_space<workgroup>>
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %tenth = arith.constant 0.0009765625 : f32
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c10 = arith.constant 10 : index
      %c32 = arith.constant 32 : index
      %c128 = arith.constant 128 : index
      %width = arith.constant 32 : i32
      %o16 = arith.constant 16 : i32
      %o8 = arith.constant 8 : i32
      %o4 = arith.constant 4 : i32
      %o2 = arith.constant 2 : i32
      %o1 = arith.constant 1 : i32
      %t = gpu.thread_id x
      %warp = arith.divui %t, %c32 : index
      %lane = arith.remui %t, %c32 : index
      %block = gpu.block_id x
      %begin = arith.index_cast %first : i32 to index
      %unit = arith.addi %block, %begin : index
      %offset = arith.muli %unit, %c128 : index
      %at = arith.addi %offset, %t : index
      %row = arith.muli %warp, %c32 : index
      %q = memref.load %Q[%at] : memref<?xf32>
      memref.store %q, %query[%t] : memref<128xf32, #gpu.address_space<workgroup>>
      gpu.barrier // query barrier

      %key = arith.muli %lane, %c32 : index
      %score = scf.for %i = %c0 to %c32 step %c1 iter_args(%sum = %zero) -> (f32) {
        %queryAt = arith.addi %row, %i : index
        %keyAt = arith.addi %key, %i : index // read key
        %x = memref.load %query[%queryAt] : memref<128xf32, #gpu.address_space<workgroup>>
        %y = memref.load %K[%keyAt] : memref<?xf32>
        %next = math.fma %x, %y, %sum : f32
        scf.yield %next : f32
      }
      %m16, %v16 = gpu.shuffle xor %score, %o16, %width : f32
      %g16 = arith.cmpf ogt, %score, %m16 : f32
      %max16 = arith.select %g16, %score, %m16 : f32
      %m8, %v8 = gpu.shuffle xor %max16, %o8, %width : f32
      %g8 = arith.cmpf ogt, %max16, %m8 : f32
      %max8 = arith.select %g8, %max16, %m8 : f32
      %m4, %v4 = gpu.shuffle xor %max8, %o4, %width : f32
      %g4 = arith.cmpf ogt, %max8, %m4 : f32
      %max4 = arith.select %g4, %max8, %m4 : f32
      %m2, %v2 = gpu.shuffle xor %max4, %o2, %width : f32
      %g2 = arith.cmpf ogt, %max4, %m2 : f32
      %max2 = arith.select %g2, %max4, %m2 : f32
      %m1, %v1 = gpu.shuffle xor %max2, %o1, %width : f32
      %g1 = arith.cmpf ogt, %max2, %m1 : f32
      %max = arith.select %g1, %max2, %m1 : f32
      %less = arith.subf %score, %max : f32
      %base = math.fma %less, %tenth, %one : f32
      %weight = scf.for %i = %c0 to %c10 step %c1 iter_args(%p = %base) -> (f32) {
        %square = arith.mulf %p, %p : f32
        scf.yield %square : f32
      }
      %total = gpu.subgroup_reduce add %weight : (f32) -> f32
      %share = arith.divf %weight, %total : f32
      memref.store %share, %weights[%t] : memref<128xf32, #gpu.address_space<workgroup>> // store weight
      gpu.barrier // weights barrier

      %result = scf.for %j = %c0 to %c32 step %c1 iter_args(%sum = %zero) -> (f32) {
        %weightAt = arith.addi %row, %j : index // read weight
        %valueRow = arith.muli %j, %c32 : index
        %valueAt = arith.addi %valueRow, %lane : index
        %w = memref.load %weights[%weightAt] : memref<128xf32, #gpu.address_space<workgroup>>
        %v = memref.load %V[%valueAt] : memref<?xf32>
        %next = math.fma %w, %v, %sum : f32
        scf.yield %next : f32
      }
      memref.store %result, %O[%at] : memref<?xf32> // store result
      gpu.return
    }
  }
}
