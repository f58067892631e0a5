// One spirv.module per kernel, for Vulkan 1.1.
// RUN: vit-opt %s --vit-lower-to-spirv | FileCheck %s --implicit-check-not=gpu.
// RUN: vit-compile-kernels %s --level tiled_256 --jobs 1 -o %t/one | FileCheck %s --check-prefix=FACTS
// RUN: vit-compile-kernels %s --level tiled_256 --jobs 3 -o %t/three
// The bytes do not depend on the number of jobs.
// RUN: cmp %t/one/stage.spv %t/three/stage.spv
// RUN: cmp %t/one/sum.spv %t/three/sum.spv
// RUN: FileCheck %s --input-file %t/one/stage.spirv.mlir --check-prefix=STAGE

// FACTS: stage: 64 threads, 1280 bytes shared, {{[0-9]+}} bytes
// FACTS-NEXT: sum: 128 threads, 0 bytes shared, subgroup_arithmetic, {{[0-9]+}} bytes
// STAGE: spirv.module @stage

!buffer = memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
!scalars = memref<?xf32, #spirv.storage_class<StorageBuffer>>
!push = memref<32xi32, #spirv.storage_class<PushConstant>>
!vectors = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!floats = memref<64xf32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  // The second buffer is read-only; push constants have no binding.
  // CHECK-LABEL: spirv.module @stage Logical GLSL450 requires #spirv.vce<v1.3, [Shader], []>
  // CHECK-DAG: spirv.GlobalVariable @[[SHARED4:.+]] : !spirv.ptr<!spirv.struct<(!spirv.array<64 x vector<4xf32>>)>, Workgroup>
  // CHECK-DAG: spirv.GlobalVariable @[[SHARED:.+]] : !spirv.ptr<!spirv.struct<(!spirv.array<64 x f32>)>, Workgroup>
  // CHECK-DAG: spirv.GlobalVariable @stage_arg_0 bind(0, 0) : !spirv.ptr<!spirv.struct<(!spirv.rtarray<vector<4xf32>, stride=16> [0])>, StorageBuffer>
  // CHECK-DAG: spirv.GlobalVariable @stage_arg_1 bind(0, 1) {non_writable} : !spirv.ptr<!spirv.struct<(!spirv.rtarray<vector<4xf32>, stride=16> [0])>, StorageBuffer>
  // CHECK-DAG: spirv.GlobalVariable @stage_arg_2 : !spirv.ptr<!spirv.struct<(!spirv.array<32 x i32, stride=4> [0])>, PushConstant>
  // CHECK: spirv.func @stage() "None" {
  // CHECK: spirv.ControlBarrier <Workgroup>, <Workgroup>, <AcquireRelease|WorkgroupMemory>
  // CHECK: spirv.mlir.loop
  // CHECK: spirv.GL.Fma
  // CHECK: spirv.GL.Sqrt
  // CHECK: spirv.EntryPoint "GLCompute" @stage
  // CHECK: spirv.ExecutionMode @stage "LocalSize", 64, 1, 1
  gpu.func @stage(%work: !buffer, %parameters: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c16 = arith.constant 16 : index
    %c64 = arith.constant 64 : index
    %staged = memref.alloc() : !vectors
    %sums = memref.alloc() : !floats
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %word1 = memref.load %push[%c1] : !push
    %first = arith.index_cast %word1 : i32 to index
    %word2 = memref.load %push[%c2] : !push
    %begin = arith.index_cast %word2 : i32 to index
    %unit = arith.addi %block, %first : index
    %offset = arith.muli %unit, %c64 : index
    %row = arith.addi %offset, %thread : index
    %at = arith.addi %begin, %row : index
    %a = memref.load %work[%at] : !buffer
    memref.store %a, %staged[%thread] : !vectors
    gpu.barrier
    %w = memref.load %parameters[%thread] : !buffer
    %product = scf.for %i = %c0 to %c16 step %c1 iter_args(%sum = %a) -> (vector<4xf32>) {
      %x = memref.load %staged[%i] : !vectors
      %next = vector.fma %x, %w, %sum : vector<4xf32>
      scf.yield %next : vector<4xf32>
    }
    %scalar = vector.extract %product[0] : f32 from vector<4xf32>
    memref.store %scalar, %sums[%thread] : !floats
    gpu.barrier
    %other = memref.load %sums[%c2] : !floats
    %splat = vector.broadcast %other : f32 to vector<4xf32>
    %root = math.sqrt %splat : vector<4xf32>
    memref.store %root, %work[%at] : !buffer
    gpu.return
  }

  // CHECK-LABEL: spirv.module @sum Logical GLSL450 requires #spirv.vce<v1.3, [{{.*}}GroupNonUniformArithmetic
  // CHECK: spirv.GlobalVariable @sum_arg_0 bind(0, 0) : !spirv.ptr<!spirv.struct<(!spirv.rtarray<f32, stride=4> [0])>, StorageBuffer>
  // CHECK: spirv.GroupNonUniformFAdd
  gpu.func @sum(%work: !scalars, %parameters: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %thread = gpu.thread_id x
    %x = memref.load %work[%thread] : !scalars
    %y = gpu.subgroup_reduce add %x : (f32) -> f32
    memref.store %y, %work[%thread] : !scalars
    gpu.return
  }

  // A loop that may have no iterations keeps its initial values: the converted
  // loop leaves its results undefined. Other loops need no selection.
  // CHECK-LABEL: spirv.module @empty
  // CHECK: spirv.mlir.loop
  // CHECK: spirv.mlir.merge
  // CHECK: %[[RUNS:.+]] = spirv.SGreaterThan %{{.+}}, %cst0_i32
  // CHECK: %[[EACH:.+]] = spirv.CompositeConstruct %[[RUNS]], %[[RUNS]], %[[RUNS]], %[[RUNS]]
  // CHECK: spirv.Select %[[EACH]]
  // CHECK: spirv.Store "StorageBuffer"
  // CHECK-LABEL: spirv.module @full
  // CHECK: spirv.mlir.loop
  // CHECK-NOT: spirv.Select
  // CHECK: spirv.Return
  gpu.func @empty(%work: !buffer, %parameters: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %word = memref.load %push[%c0] : !push
    %batch = arith.index_cast %word : i32 to index
    %start = memref.load %work[%thread] : !buffer
    %sum = scf.for %i = %c0 to %batch step %c1 iter_args(%a = %start) -> (vector<4xf32>) {
      %x = memref.load %parameters[%i] : !buffer
      %next = arith.addf %a, %x : vector<4xf32>
      scf.yield %next : vector<4xf32>
    }
    memref.store %sum, %work[%thread] : !buffer
    gpu.return
  }
  gpu.func @full(%work: !buffer, %parameters: !buffer, %push: !push) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    %thread = gpu.thread_id x
    %start = memref.load %work[%thread] : !buffer
    %sum = scf.for %i = %c0 to %c9 step %c1 iter_args(%a = %start) -> (vector<4xf32>) {
      %x = memref.load %parameters[%i] : !buffer
      %next = arith.addf %a, %x : vector<4xf32>
      scf.yield %next : vector<4xf32>
    }
    memref.store %sum, %work[%thread] : !buffer
    gpu.return
  }
}
