// RUN: vit-opt %s --vit-emit-simt=level=tiled --split-input-file | FileCheck %s --check-prefixes=CHECK,TILED
// RUN: vit-opt %s --vit-emit-simt=level=direct --split-input-file | FileCheck %s --check-prefixes=CHECK,DIRECT
// RUN: vit-opt %s --vit-emit-simt="target=cuda level=sm_80" --split-input-file | FileCheck %s --check-prefix=CUDA

!x = tensor<?x65x100xf32, #kernel.channels<>>
!v = tensor<100xf32, #kernel.channels<>>
!t = tensor<65x100xf32, #kernel.channels<>>

// 28 vectors of 4 per row, 100 channels padded to 112. Activations are argument 0 at any offset,
// parameters are argument 1. Ops that differ only in operands share a kernel. 0 + 1 is not 0, so
// padding is reset to zero.
// CHECK-LABEL: func.func @map
// CHECK: kernel.dispatch @kernels::@map_0({{.+}}) units<times = 1, of = 1820, per = 512> slots [1] scratch 0 family "map" flop<times = 0>
// CHECK: kernel.dispatch @kernels::@map_0({{.+}}) units<times = 1, of = 1820, per = 512> slots [2]
// CHECK-NOT: kernel.dispatch
// CHECK: gpu.module @kernels
// CHECK: gpu.func @map_0(%[[W:.+]]: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>, %[[P:.+]]: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>, %[[PUSH:.+]]: memref<32xi32, #spirv.storage_class<PushConstant>>) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// CHECK:   arith.constant dense<0.000000e+00> : vector<4xf32>
// CHECK:   memref.load %[[PUSH]]
// CHECK:   gpu.thread_id x
// CHECK:   gpu.block_id x
// CHECK:   scf.for %{{.+}} step %c128
// CHECK:     memref.load %[[W]]
// CHECK:     memref.load %[[P]]
// CHECK:     memref.load %[[P]]
// CHECK:     memref.load %[[W]]
// CHECK:     arith.select %{{.+}} : vector<4xi1>, vector<4xf32>
// CHECK:     memref.store %{{.+}}, %[[W]]
// CHECK-NOT: gpu.func

// CUDA-LABEL: func.func @map
// CUDA: gpu.func @map_0(%[[X:.+]]: memref<?xf32>, %[[V:.+]]: memref<?xf32>, %[[T:.+]]: memref<?xf32>, %[[Z:.+]]: memref<?xf32>, %[[Y:.+]]: memref<?xf32>, %[[BATCH:.+]]: i32, %[[FIRST:.+]]: i32) kernel
// CUDA:   vector.load %[[X]][{{.+}}] : memref<?xf32>, vector<4xf32>
// CUDA:   vector.load %[[V]]
// CUDA:   vector.load %[[T]]
// CUDA:   vector.load %[[Z]]
// CUDA:   vector.store %{{.+}}, %[[Y]]
func.func @map(%x: !x) -> !x {
  %v = arith.constant dense<1.0> : !v
  %t = arith.constant dense<1.0> : !t
  %y = kernel.map %x extras(%v, %t, %x : !v, !t, !x) tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [1] {
  ^bb0(%e: f32, %a: f32, %b: f32, %c: f32):
    %one = arith.constant 1.0 : f32
    %1 = arith.addf %e, %a : f32
    %2 = arith.mulf %b, %c : f32
    %3 = arith.addf %1, %2 : f32
    %4 = arith.addf %3, %one : f32
    kernel.yield %4 : f32
  } : !x -> !x
  %z = kernel.map %y extras(%v, %t, %x : !v, !t, !x) tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [2] {
  ^bb0(%e: f32, %a: f32, %b: f32, %c: f32):
    %one = arith.constant 1.0 : f32
    %1 = arith.addf %e, %a : f32
    %2 = arith.mulf %b, %c : f32
    %3 = arith.addf %1, %2 : f32
    %4 = arith.addf %3, %one : f32
    kernel.yield %4 : f32
  } : !x -> !x
  return %z : !x
}

// -----

!x = tensor<?x65x96xf32>

// Eight threads share a row of 24 vectors, so a workgroup has 16 rows; on a CPU each thread has its
// own row and there is no barrier.
// CHECK-LABEL: func.func @norm
// TILED: units<times = 1, of = 65, per = 16>
// TILED: gpu.func @rows_0
// TILED:   memref.alloc() : memref<128xf32, #gpu.address_space<workgroup>>
// TILED:   scf.for {{.+}} step %c8 iter_args
// TILED-COUNT-5: gpu.barrier
// TILED:   scf.for {{.+}} step %c8 iter_args
// TILED-COUNT-5: gpu.barrier
// TILED:   math.sqrt %{{.+}} : f32
// TILED-NOT: gpu.barrier
// TILED:   scf.if
// DIRECT: units<times = 1, of = 65, per = 128>
// DIRECT: gpu.func @rows_0
// DIRECT-NOT: #gpu.address_space
// DIRECT-NOT: gpu.barrier
// DIRECT:   math.sqrt %{{.+}} : f32

// CUDA-LABEL: func.func @norm
// CUDA: gpu.func @rows_0
// CUDA:   memref.alloc() : memref<128xf32, #gpu.address_space<workgroup>>
func.func @norm(%x: !x) -> !x {
  %y = kernel.rows normalize %x epsilon 1.0e-06 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [1] {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : !x -> !x
  return %y : !x
}

// -----

!x = tensor<?x36xf32, #kernel.channels<group = 12>>

// Three statistics per row, each padded from 12 to 16 channels: 4 vectors, the
// last one only padding. exp is computed by multiplications.
// CHECK-LABEL: func.func @softmax
// CHECK: units<times = 1, of = 3, per = 128>
// CHECK: gpu.func @rows_0
// CHECK-DAG: arith.constant dense<0xFF800000> : vector<4xf32>
// CHECK-NOT: math.exp
// CHECK: math.roundeven
// CHECK: gpu.return
func.func @softmax(%x: !x) -> !x {
  %y = kernel.rows softmax %x epsilon 0.0 groups 3 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [0] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : !x -> !x
  return %y : !x
}

// -----

!p = tensor<?x4x27xf32, #kernel.channels<>>
!t = tensor<?x5x27xf32, #kernel.channels<>>
!v = tensor<?x27xf32, #kernel.channels<>>
!c = tensor<1x27xf32, #kernel.channels<>>

// Patches of 3 x 3 pixels and rows of 27 elements are read element by element.
// CHECK-LABEL: func.func @tokens
// CHECK: kernel.dispatch @kernels::@patchify_0({{.+}} units<times = 1, of = 32, per = 512> slots [0]
// CHECK: kernel.dispatch @kernels::@prepend_0({{.+}} units<times = 1, of = 40, per = 512> slots [1]
// CHECK: kernel.dispatch @kernels::@take_0({{.+}} units<times = 1, of = 8, per = 512> slots [2]
// TILED: kernel.dispatch @kernels::@mean_0({{.+}} units<times = 1, of = 8, per = 16> slots [3]
// DIRECT: kernel.dispatch @kernels::@mean_0({{.+}} units<times = 1, of = 8, per = 128> slots [3]
// CHECK: kernel.dispatch @kernels::@relayout_0({{.+}} units<times = 1, of = 27, per = 512> slots [-1]
// CHECK: gpu.func @patchify_0(%{{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>, %{{.+}}: memref<?xvector<4xf32>
// CHECK: gpu.func @prepend_0(%{{.+}}: memref<?xvector<4xf32>
// CHECK:   scf.if
// CHECK: gpu.func @mean_0(%{{.+}}: memref<?xvector<4xf32>
// TILED:   memref.alloc() : memref<128xvector<4xf32>, #gpu.address_space<workgroup>>
// TILED-COUNT-4: gpu.barrier
// DIRECT-NOT: gpu.barrier
// CHECK: gpu.func @relayout_0(%{{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>
func.func @tokens(%x: tensor<?x3x6x6xf32>) -> (tensor<?x27xf32>, !v) {
  %c = arith.constant dense<1.0> : !c
  %0 = kernel.patchify %x patch [3, 3] order chw tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [0] : (tensor<?x3x6x6xf32>) -> !p
  %1 = kernel.prepend %0, %c tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [1] {
  ^bb0(%a: f32):
    kernel.yield %a : f32
  } : (!p, !c) -> !t
  %2 = kernel.take %1 from 0 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [2] : (!t) -> !v
  %3 = kernel.mean %1 from 1 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [3] : (!t) -> !v
  %4 = kernel.relayout %2 tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> : (!v) -> tensor<?x27xf32>
  return %4, %3 : tensor<?x27xf32>, !v
}

// -----


// Lines of a patch that consist of whole vectors are read as vectors.
// CHECK-LABEL: func.func @patches
// CHECK: gpu.func @patchify_0(%{{.+}}: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
// CHECK-COUNT-1: = memref.load %{{.+}} : memref<?xvector<4xf32>
func.func @patches(%x: tensor<?x3x32x32xf32>) -> tensor<?x64x48xf32> {
  %0 = kernel.patchify %x patch [4, 4] order chw tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [0] : (tensor<?x3x32x32xf32>) -> tensor<?x64x48xf32>
  return %0 : tensor<?x64x48xf32>
}

// -----

!x = tensor<?x27xf32, #kernel.channels<>>
!y = tensor<?x54xf32, #kernel.channels<>>
!w = tensor<?x32xf32>
!z = tensor<?x64xf32>

// Elements of 54 channels, padded to 64, or vectors if all widths are multiples of 4.
// CHECK-LABEL: func.func @channels
// CHECK: kernel.dispatch @kernels::@concat_channels_0({{.+}} units<times = 1, of = 64, per = 512> slots [0]
// CHECK: kernel.dispatch @kernels::@concat_channels_1({{.+}} units<times = 1, of = 16, per = 512> slots [1]
// CHECK: gpu.func @concat_channels_0(%{{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>
// CHECK: gpu.func @concat_channels_1(%{{.+}}: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
func.func @channels(%x: !x, %w: !w) -> (!y, !z) {
  %0 = kernel.concat_channels %x, %x tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [0] : (!x, !x) -> !y
  %1 = kernel.concat_channels %w, %w tile<rows = 1, cols = 512, chunk = 1, threads = 128, thread_rows = 1, thread_cols = 4> slots [1] : (!w, !w) -> !z
  return %0, %1 : !y, !z
}
