// C = A B in float with tiles of 64 x 64, steps of 16 in depth and two stages
// in shared memory. A: 128 x 64, B: 64 x 128, C: 128 x 128; 4 blocks. Tests
// change lines that end with a comment.
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @gemm(%A: memref<?xf32>, %B: memref<?xf32>, %C: memref<?xf32>, %batch: i32, %first: i32)
        kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
      %As = memref.alloc() : memref<2048xf32, #gpu.address_space<workgroup>>
      %Bs = memref.alloc() : memref<2048xf32, #gpu.address_space<workgroup>>
      %zero = arith.constant dense<0.0> : vector<4xf32>
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c3 = arith.constant 3 : index
      %c4 = arith.constant 4 : index
      %c16 = arith.constant 16 : index
      %c64 = arith.constant 64 : index
      %c128 = arith.constant 128 : index
      %c1024 = arith.constant 1024 : index
      %t = gpu.thread_id x
      %block = gpu.block_id x
      %begin = arith.index_cast %first : i32 to index
      %unit = arith.addi %block, %begin : index
      %tileRow = arith.divui %unit, %c2 : index
      %tileCol = arith.remui %unit, %c2 : index
      %row0 = arith.muli %tileRow, %c64 : index
      %col0 = arith.muli %tileCol, %c64 : index

      // Each thread loads 4 floats of A and 4 of B per step.
      %aRow = arith.divui %t, %c4 : index
      %aQuad = arith.remui %t, %c4 : index
      %aCol = arith.muli %aQuad, %c4 : index
      %bRow = arith.divui %t, %c16 : index
      %bQuad = arith.remui %t, %c16 : index
      %bCol = arith.muli %bQuad, %c4 : index
      %aTo0 = arith.muli %aRow, %c16 : index
      %aTo = arith.addi %aTo0, %aCol : index
      %bTo0 = arith.muli %bRow, %c64 : index
      %bTo = arith.addi %bTo0, %bCol : index
      %aFromRow = arith.addi %row0, %aRow : index
      %aFrom0 = arith.muli %aFromRow, %c64 : index
      %aFrom = arith.addi %aFrom0, %aCol : index
      %bFrom0 = arith.muli %bRow, %c128 : index
      %bFrom1 = arith.addi %bFrom0, %col0 : index
      %bFrom = arith.addi %bFrom1, %bCol : index
      %a0 = vector.load %A[%aFrom] {alignment = 16} : memref<?xf32>, vector<4xf32>
      %b0 = vector.load %B[%bFrom] {alignment = 16} : memref<?xf32>, vector<4xf32>
      vector.store %a0, %As[%aTo] {alignment = 16} : memref<2048xf32, #gpu.address_space<workgroup>>, vector<4xf32>
      vector.store %b0, %Bs[%bTo] {alignment = 16} : memref<2048xf32, #gpu.address_space<workgroup>>, vector<4xf32>

      // Each thread computes 4 x 4 elements of C.
      %cRow0 = arith.divui %t, %c16 : index
      %cRow = arith.muli %cRow0, %c4 : index
      %cCol0 = arith.remui %t, %c16 : index
      %cCol = arith.muli %cCol0, %c4 : index
      %sum:4 = scf.for %step = %c0 to %c4 step %c1
          iter_args(%s0 = %zero, %s1 = %zero, %s2 = %zero, %s3 = %zero)
          -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>) {
        %stage = arith.remui %step, %c2 : index
        %next = arith.addi %step, %c1 : index
        %nextStage = arith.remui %next, %c2 : index // next stage
        %more = arith.cmpi ult, %next, %c4 : index
        gpu.barrier // step barrier
        scf.if %more {
          %depth = arith.muli %next, %c16 : index
          %aNext = arith.addi %aFrom, %depth : index
          %bDepth = arith.muli %depth, %c128 : index
          %bNext = arith.addi %bFrom, %bDepth : index
          %a = vector.load %A[%aNext] {alignment = 16} : memref<?xf32>, vector<4xf32>
          %b = vector.load %B[%bNext] {alignment = 16} : memref<?xf32>, vector<4xf32>
          %offset = arith.muli %nextStage, %c1024 : index
          %aStage = arith.addi %aTo, %offset : index
          %bStage = arith.addi %bTo, %offset : index
          vector.store %a, %As[%aStage] {alignment = 16} : memref<2048xf32, #gpu.address_space<workgroup>>, vector<4xf32>
          vector.store %b, %Bs[%bStage] {alignment = 16} : memref<2048xf32, #gpu.address_space<workgroup>>, vector<4xf32>
        }
        %from = arith.muli %stage, %c1024 : index // read stage
        %r:4 = scf.for %k = %c0 to %c16 step %c1
            iter_args(%p0 = %s0, %p1 = %s1, %p2 = %s2, %p3 = %s3)
            -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>) {
          %bK = arith.muli %k, %c64 : index
          %bAt0 = arith.addi %bK, %from : index
          %bAt = arith.addi %bAt0, %cCol : index // read B
          %b = vector.load %Bs[%bAt] {alignment = 16} : memref<2048xf32, #gpu.address_space<workgroup>>, vector<4xf32>
          %aK = arith.addi %k, %from : index
          %x0 = arith.muli %cRow, %c16 : index
          %at0 = arith.addi %x0, %aK : index
          %at1 = arith.addi %at0, %c16 : index
          %at2 = arith.addi %at1, %c16 : index
          %at3 = arith.addi %at2, %c16 : index
          %e0 = memref.load %As[%at0] : memref<2048xf32, #gpu.address_space<workgroup>>
          %e1 = memref.load %As[%at1] : memref<2048xf32, #gpu.address_space<workgroup>>
          %e2 = memref.load %As[%at2] : memref<2048xf32, #gpu.address_space<workgroup>>
          %e3 = memref.load %As[%at3] : memref<2048xf32, #gpu.address_space<workgroup>>
          %w0 = vector.broadcast %e0 : f32 to vector<4xf32>
          %w1 = vector.broadcast %e1 : f32 to vector<4xf32>
          %w2 = vector.broadcast %e2 : f32 to vector<4xf32>
          %w3 = vector.broadcast %e3 : f32 to vector<4xf32>
          %q0 = vector.fma %w0, %b, %p0 : vector<4xf32>
          %q1 = vector.fma %w1, %b, %p1 : vector<4xf32>
          %q2 = vector.fma %w2, %b, %p2 : vector<4xf32>
          %q3 = vector.fma %w3, %b, %p3 : vector<4xf32>
          scf.yield %q0, %q1, %q2, %q3 : vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>
        }
        scf.yield %r#0, %r#1, %r#2, %r#3 : vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>
      }
      %row = arith.addi %row0, %cRow : index
      %col = arith.addi %col0, %cCol : index
      %to0 = arith.muli %row, %c128 : index
      %to = arith.addi %to0, %col : index // write C
      %to1 = arith.addi %to, %c128 : index
      %to2 = arith.addi %to1, %c128 : index
      %to3 = arith.addi %to2, %c128 : index
      vector.store %sum#0, %C[%to] {alignment = 16} : memref<?xf32>, vector<4xf32>
      vector.store %sum#1, %C[%to1] {alignment = 16} : memref<?xf32>, vector<4xf32>
      vector.store %sum#2, %C[%to2] {alignment = 16} : memref<?xf32>, vector<4xf32>
      vector.store %sum#3, %C[%to3] {alignment = 16} : memref<?xf32>, vector<4xf32>
      gpu.return
    }
  }
}
