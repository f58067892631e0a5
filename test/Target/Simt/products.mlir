// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=direct},vit-layout,vit-plan),vit-emit-simt{level=direct})' --split-input-file | FileCheck %s --check-prefixes=CHECK,DIRECT
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan},vit-layout,vit-plan),vit-emit-simt)' --split-input-file | FileCheck %s --check-prefixes=CHECK,TILED
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda},vit-layout,vit-plan),vit-emit-simt{target=cuda})' --split-input-file | FileCheck %s --check-prefixes=CHECK,CUDA

vit.parameter @w : tensor<100x192xf32>
vit.parameter @b : tensor<100xf32>
// Two panels of weights, the second with 48 columns. A device that is a CPU
// reads operands directly; others copy them to workgroup memory with two
// buffers per operand.
// CHECK-LABEL: func.func @product
// DIRECT: kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 2, of = 65, per = 16> slots [0] scratch 0 family "gemm" flop<times = 2496000>
// TILED:  kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 2, of = 65, per = 16> slots [0]
// CUDA:   kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 2, of = 65, per = 16> slots [0]
// CHECK:  gpu.func @gemm_0(
// DIRECT-SAME: known_block_size = array<i32: 8, 1, 1>
// TILED-SAME:  known_block_size = array<i32: 128, 1, 1>
// CUDA-SAME:   memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: i32, %{{.+}}: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>
// DIRECT-NOT:  memref.alloc
// DIRECT-NOT:  gpu.barrier
// TILED-DAG:   memref.alloc() : memref<128xvector<4xf32>, #gpu.address_space<workgroup>>
// TILED-DAG:   memref.alloc() : memref<512xvector<4xf32>, #gpu.address_space<workgroup>>
// DIRECT: scf.for %{{.+}} = %c0 to %c48 step %c1
// DIRECT-COUNT-128: vector.fma
// TILED:  scf.for %{{.+}} = %c0 to %c12 step %c1
// TILED:    gpu.barrier
// TILED-COUNT-32: vector.fma
// CUDA-COUNT-32: vector.fma
// CHECK-NOT: vector.fma
// DIRECT-NOT: gpu.barrier
// TILED-NOT:  gpu.barrier
// Rows beyond the last one and columns beyond the second panel are not stored.
// A loop stores the rows.
// DIRECT: scf.for %{{.+}} = %c0 to %c16 step %c1
// DIRECT: scf.if
// DIRECT:   scf.if
// DIRECT:     memref.store
// CHECK: gpu.return
func.func @product(%x: tensor<?x65x192xf32>) -> tensor<?x65x100xf32> {
  %w = vit.read @w : tensor<100x192xf32>
  %b = vit.read @b : tensor<100xf32>
  %y = kernel.gemm %x, %w extras(%b : tensor<100xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %s = arith.addf %acc, %e : f32
    kernel.yield %s : f32
  } : (tensor<?x65x192xf32>, tensor<100x192xf32>) -> tensor<?x65x100xf32>
  return %y : tensor<?x65x100xf32>
}

// -----

// Without probabilities only the result is written.
// CHECK-LABEL: func.func @attention
// DIRECT: units<times = 12> slots [-1] scratch 0 family "attention" flop<times = 3244800>
// TILED:  units<times = 15>
// CUDA:   units<times = 9>
// CHECK:  gpu.func @attention_0(
// DIRECT-SAME: known_block_size = array<i32: 8, 1, 1>
// TILED-SAME:  %{{.+}}: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>, %{{.+}}: memref<?xvector<4xf32>,
// TILED-SAME:  known_block_size = array<i32: 64, 1, 1>
// CUDA-SAME:   known_block_size = array<i32: 128, 1, 1>
// DIRECT-NOT: gpu.barrier
// TILED-COUNT-4: gpu.barrier
// CHECK: gpu.return
func.func @attention(%x: tensor<?x65x192xf32>) -> tensor<?x65x192xf32> {
  %y = kernel.attention %x, %x, %x heads 3 head_dim 64 offsets [0, 0, 0] scale 0.125 : (tensor<?x65x192xf32>, tensor<?x65x192xf32>, tensor<?x65x192xf32>) -> tensor<?x65x192xf32>
  return %y : tensor<?x65x192xf32>
}

// -----

// The table is written by element: on Vulkan the workspace is an array of f32.
// CHECK-LABEL: func.func @probabilities
// CHECK:  gpu.func @attention_0(
// DIRECT-SAME: %{{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>
// TILED-SAME:  %{{.+}}: memref<?xf32, #spirv.storage_class<StorageBuffer>>
// CHECK: gpu.return
func.func @probabilities(%x: tensor<?x5x32xf32>) -> (tensor<?x5x32xf32>, tensor<?x1x5x5xf32>) {
  %y, %p = kernel.attention %x, %x, %x heads 1 head_dim 32 offsets [0, 0, 0] scale 0.125 : (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> (tensor<?x5x32xf32>, tensor<?x1x5x5xf32>)
  return %y, %p : tensor<?x5x32xf32>, tensor<?x1x5x5xf32>
}
