// A kernel with more workgroup memory than code can declare has one array
// without a size, which holds all of it.
// RUN: vit-opt %s --vit-lower-to-nvvm | FileCheck %s
// RUN: env VIT_PTXAS= vit-compile-kernels %s --level sm_80 -o %t | FileCheck %s --check-prefix=FACTS
// RUN: FileCheck %s --input-file %t/kernels.ptx --check-prefix=PTX
// RUN: %if ptxas %{ vit-compile-kernels %s --level sm_80 | FileCheck %s --check-prefix=CUBIN %}

// FACTS: large: 64 threads, 49664 bytes shared
// FACTS: small: 64 threads, 49152 bytes shared
// PTX: .extern .shared .align 16 .b8 large_shared[];
// PTX: .visible .entry large(
// PTX: .shared .align 16 .b8 {{.*}}[49152];
// CUBIN: cubin sm_80: [[#]] bytes

// CHECK: llvm.mlir.global external @large_shared() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
gpu.module @kernels {
  // CHECK-NOT: llvm.mlir.global
  // CHECK: llvm.func @large
  // CHECK: llvm.mlir.addressof @large_shared
  // CHECK: llvm.getelementptr {{.+}}[512] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
  gpu.func @large(%x: memref<?xf32>, %batch: i32, %first: i32) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %a = memref.alloc() : memref<32xvector<4xf32>, #gpu.address_space<workgroup>>
    %b = memref.alloc() : memref<24576xbf16, #gpu.address_space<workgroup>>
    %i = gpu.thread_id x
    %r = arith.index_cast %first : i32 to index
    %v = vector.load %x[%i] : memref<?xf32>, vector<4xf32>
    memref.store %v, %a[%r] : memref<32xvector<4xf32>, #gpu.address_space<workgroup>>
    %c = arith.constant 1.0 : bf16
    memref.store %c, %b[%i] : memref<24576xbf16, #gpu.address_space<workgroup>>
    gpu.barrier
    %w = memref.load %a[%i] : memref<32xvector<4xf32>, #gpu.address_space<workgroup>>
    %h = memref.load %b[%r] : memref<24576xbf16, #gpu.address_space<workgroup>>
    %f = arith.extf %h : bf16 to f32
    vector.store %w, %x[%i] : memref<?xf32>, vector<4xf32>
    memref.store %f, %x[%r] : memref<?xf32>
    gpu.return
  }
  // CHECK: llvm.mlir.global internal @[[SMALL:.+]]() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<12288 x f32>
  // CHECK: llvm.func @small
  // CHECK: llvm.mlir.addressof @[[SMALL]] :
  // CHECK-NOT: llvm.mlir.global
  gpu.func @small(%x: memref<?xf32>, %batch: i32, %first: i32) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %a = memref.alloc() : memref<12288xf32, #gpu.address_space<workgroup>>
    %i = gpu.thread_id x
    %r = arith.index_cast %first : i32 to index
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %a[%r] : memref<12288xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %w = memref.load %a[%i] : memref<12288xf32, #gpu.address_space<workgroup>>
    memref.store %w, %x[%i] : memref<?xf32>
    gpu.return
  }
}
