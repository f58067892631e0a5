// A gpu.module becomes a module of the LLVM and NVVM dialects: bare pointers,
// 32-bit indices, aligned workgroup memory, no calls.
// RUN: vit-opt %s --vit-lower-to-nvvm | FileCheck %s --implicit-check-not=gpu.func --implicit-check-not=llvm.sext --implicit-check-not=llvm.zext --implicit-check-not=llvm.call --implicit-check-not=unrealized
// RUN: vit-compile-kernels %s --level sm_80 --jobs 1 -o %t/one | FileCheck %s --check-prefix=FACTS
// RUN: env VIT_PTXAS= vit-compile-kernels %s --level sm_80 --jobs 3 -o %t/two | FileCheck %s --check-prefix=NONE
// The text does not depend on the number of jobs.
// RUN: cmp %t/one/kernels.ptx %t/two/kernels.ptx
// RUN: FileCheck %s --input-file %t/one/kernels.ptx --check-prefix=PTX
// RUN: FileCheck %s --input-file %t/one/stage.nvvm.mlir --check-prefix=DUMP
// RUN: FileCheck %s --input-file %t/one/stage.ll --check-prefix=LL

// FACTS: stage: 64 threads, 1280 bytes shared
// FACTS-NEXT: sum: 256 threads, 0 bytes shared
// FACTS-NEXT: ptx: {{[0-9]+}} bytes
// NONE-NOT: cubin
// DUMP: llvm.func @stage
// LL: define ptx_kernel void @stage(
// LL: attributes {{.*}}"nvvm.maxntid"="64,1,1"

// One header for all kernels; vectors of four in one access; products and sums
// are fused only if the emitter requests it, and are rounded otherwise.
// PTX: .version 7.0
// PTX-NEXT: .target sm_80
// PTX-NEXT: .address_size 64
// PTX-NOT: .version
// PTX: .visible .entry stage(
// PTX: .maxntid 64
// PTX-DAG: .shared .align 16 .b8 {{.*}}[1024];
// PTX-DAG: .shared .align 16 .b8 {{.*}}[256];
// PTX: ld.global.v4
// Addresses in workgroup memory have 32 bits.
// PTX: st.shared.v4{{.*}} [%r{{[0-9]}}
// PTX: bar.sync 0;
// PTX: ld.shared.v4
// PTX: fma.rn.f32
// PTX: sqrt.rn.f32
// PTX: st.global.v4
// PTX-NOT: .version
// PTX: .visible .entry sum(
// PTX: shfl.sync.bfly.b32
// PTX: mul.rn.f32
// PTX: add.rn.f32
// PTX: cvt.rni.f32.f32

!vectors = memref<64xvector<4xf32>, #gpu.address_space<workgroup>>
!floats = memref<64xf32, #gpu.address_space<workgroup>>

// CHECK: module @kernels {
gpu.module @kernels {
  // CHECK-DAG: llvm.mlir.global internal @[[SHARED4:.+]]() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x vector<4xf32>>
  // CHECK-DAG: llvm.mlir.global internal @[[SHARED:.+]]() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x f32>
  // CHECK: llvm.func @stage(%[[X:.+]]: !llvm.ptr, %{{.+}}: !llvm.ptr, %[[Y:.+]]: !llvm.ptr, %{{.+}}: i32, %[[FIRST:.+]]: i32) attributes {{{.*}}nvvm.kernel, nvvm.maxntid = array<i32: 64, 1, 1>}
  // CHECK: nvvm.read.ptx.sreg.ctaid.x
  // CHECK: llvm.add %{{.+}}, %[[FIRST]] overflow<nsw> : i32
  // CHECK: llvm.load %{{.+}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
  // CHECK: nvvm.barrier
  // CHECK: llvm.intr.fma(
  // CHECK: llvm.store %{{.+}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr
  gpu.func @stage(%x: memref<?xf32>, %w: memref<?xf32>, %y: memref<?xf32>, %batch: i32, %first: i32) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c16 = arith.constant 16 : index
    %c64 = arith.constant 64 : index
    %staged = memref.alloc() : !vectors
    %sums = memref.alloc() : !floats
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %begin = arith.index_cast %first : i32 to index
    %unit = arith.addi %block, %begin : index
    %offset = arith.muli %unit, %c64 : index
    %row = arith.addi %offset, %thread : index
    %at = arith.muli %row, %c4 : index
    %column = arith.muli %thread, %c4 : index
    %a = vector.load %x[%at] : memref<?xf32>, vector<4xf32>
    memref.store %a, %staged[%thread] : !vectors
    gpu.barrier
    %b = vector.load %w[%column] : memref<?xf32>, vector<4xf32>
    %product = scf.for %i = %c0 to %c16 step %c1 iter_args(%sum = %a) -> (vector<4xf32>) {
      %v = memref.load %staged[%i] : !vectors
      %next = vector.fma %v, %b, %sum : vector<4xf32>
      scf.yield %next : vector<4xf32>
    }
    %scalar = vector.extract %product[0] : f32 from vector<4xf32>
    memref.store %scalar, %sums[%thread] : !floats
    gpu.barrier
    %other = memref.load %sums[%c2] : !floats
    %splat = vector.broadcast %other : f32 to vector<4xf32>
    %root = math.sqrt %splat : vector<4xf32>
    vector.store %root, %y[%at] : memref<?xf32>, vector<4xf32>
    gpu.return
  }

  // CHECK: llvm.func @sum(
  // CHECK: nvvm.shfl.sync
  gpu.func @sum(%x: memref<?xf32>, %batch: i32, %first: i32) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %a = memref.load %x[%thread] : memref<?xf32>
    %b = gpu.subgroup_reduce add %a : (f32) -> f32
    %c = arith.mulf %a, %b : f32
    %d = arith.addf %c, %b : f32
    %e = math.roundeven %d : f32
    memref.store %e, %x[%thread] : memref<?xf32>
    gpu.return
  }
}
