// Products and attention of bf16 by tensor cores.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda},vit-layout,vit-plan),vit-emit-simt{target=cuda})' --split-input-file | FileCheck %s

vit.parameter @w : tensor<100x192xf32>
vit.parameter @b : tensor<100xf32>

// 128 threads, four warps with 16 x 32 sums of a tile of 32 x 64. Each thread
// copies 16 bytes of the input and twice as many of the weights per step; rows
// and columns past the end become zeros.
// CHECK-LABEL: func.func @product
// CHECK: kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 2, of = 65, per = 32> slots [0] scratch 0 family "gemm" flop<times = 2496000>
// CHECK: gpu.func @gemm_0(%{{.+}}: memref<?xbf16>, %{{.+}}: memref<?xbf16>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: i32, %{{.+}}: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// CHECK-DAG: memref.alloc() : memref<3072xbf16, #gpu.address_space<workgroup>>
// CHECK-DAG: memref.alloc() : memref<6144xbf16, #gpu.address_space<workgroup>>
// CHECK: scf.for %{{.+}} = %c0 to %c6 step %c1
// CHECK:   nvvm.cp.async.wait.group 1
// CHECK:   gpu.barrier
// CHECK:   scf.if
// CHECK-COUNT-3: nvgpu.device_async_copy {{.+}}, 8, %{{.+}} {bypassL1}
// CHECK:   nvvm.cp.async.commit.group
// Per 16 depths: two loads of 16 columns, one of 16 rows, four products.
// CHECK-COUNT-3: nvgpu.ldmatrix
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-COUNT-3: nvgpu.ldmatrix
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: vector.store {{.+}} : memref<?xf32>, vector<4xf32>
// CHECK: gpu.return
func.func @product(%x: tensor<?x65x192xbf16>) -> tensor<?x65x100xf32> {
  %w = vit.read @w : tensor<100x192xf32>
  %b = vit.read @b : tensor<100xf32>
  %n = kernel.derive %w : (tensor<100x192xf32>) -> tensor<100x192xbf16>
  %y = kernel.gemm %x, %n extras(%b : tensor<100xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %s = arith.addf %acc, %e : f32
    kernel.yield %s : f32
  } : (tensor<?x65x192xbf16>, tensor<100x192xbf16>) -> tensor<?x65x100xf32>
  return %y : tensor<?x65x100xf32>
}

// -----

// A head of 24 channels has 32; a warp has 16 queries. A block of 64 keys is
// multiplied in 8 x 2 instructions, its values in 4 x 4, and ones in 4. The second
// block has one key, so 16 are multiplied, of which 15 have no weight.
// CHECK-LABEL: func.func @attention
// CHECK: units<times = 4> slots [1] scratch 0 family "attention" flop<times = 811200>
// CHECK: gpu.func @attention_0(
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK-COUNT-2: nvgpu.ldmatrix
// CHECK: scf.for
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK: gpu.shuffle xor
// CHECK-NOT: nvvm.mma.sync
// CHECK: nvvm.mma.sync A[{{.+}}] B[%c1065369472_i32, %c1065369472_i32]
// CHECK-COUNT-19: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: scf.yield
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK: gpu.shuffle xor
// CHECK-NOT: nvvm.mma.sync
// CHECK: nvvm.mma.sync A[{{.+}}] B[%c1065369472_i32, %c1065369472_i32]
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: vector.store {{.+}} {alignment = 8 : i64} : memref<?xf32>, vector<2xf32>
// CHECK: gpu.return
func.func @attention(%x: tensor<?x65x144xbf16>) -> tensor<?x65x48xf32> {
  %y = kernel.attention %x, %x, %x heads 2 head_dim 24 offsets [0, 48, 96] scale 2.0e-01
      : (tensor<?x65x144xbf16>, tensor<?x65x144xbf16>, tensor<?x65x144xbf16>) -> tensor<?x65x48xf32>
  return %y : tensor<?x65x48xf32>
}

// -----

vit.parameter @w : tensor<100x192xf32>

// In tf32 a thread copies 4 elements at a time, and rounds each word that it has loaded. Per 8 depths: 12 words, four
// products.
// CHECK-LABEL: func.func @product_tf32
// CHECK: kernel.derive %{{.+}} -> tensor<100x192xf32, #kernel.panels<cols = 1>>
// CHECK: gpu.func @gemm_0(%{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %{{.+}}: i32, %{{.+}}: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// CHECK-DAG: memref.alloc() : memref<1536xf32, #gpu.address_space<workgroup>>
// CHECK-DAG: memref.alloc() : memref<3072xf32, #gpu.address_space<workgroup>>
// CHECK: scf.for %{{.+}} = %c0 to %c12 step %c1
// CHECK-COUNT-3: nvgpu.device_async_copy {{.+}}, 4, %{{.+}} {bypassL1}
// CHECK: nvgpu.ldmatrix {{.+}} : memref<3072xf32, #gpu.address_space<workgroup>> -> vector<4x1xf32>
// CHECK-COUNT-4: nvvm.convert.float.to.tf32 {{.*}}rna
// CHECK: nvgpu.ldmatrix
// CHECK-COUNT-4: nvvm.convert.float.to.tf32
// CHECK: nvgpu.ldmatrix {{.+}} : memref<1536xf32, #gpu.address_space<workgroup>> -> vector<4x1xf32>
// CHECK-COUNT-4: nvvm.convert.float.to.tf32
// CHECK-COUNT-4: nvvm.mma.sync {{.+}} multiplicandAPtxType = #nvvm.mma_type<tf32>{{.+}}k = 8
// CHECK: vector.store {{.+}} : memref<?xf32>, vector<4xf32>
// CHECK: gpu.return
func.func @product_tf32(%x: tensor<?x65x192xf32>) -> tensor<?x65x100xf32> {
  %w = vit.read @w : tensor<100x192xf32>
  %y = kernel.gemm %x, %w tf32 {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x65x192xf32>, tensor<100x192xf32>) -> tensor<?x65x100xf32>
  return %y : tensor<?x65x100xf32>
}

// -----

vit.parameter @w : tensor<192x100xf32>

// The gradient of an input: tiles of 32 rows of the weight itself, of which a lane loads four depths of four columns per 16
// depths, each of another block, for a result of bf16.
// CHECK-LABEL: func.func @transposed
// CHECK: kernel.derive %{{.*}} -> tensor<192x100xbf16, #kernel.panels<cols = 1>>
// CHECK: gpu.func @gemm_0(
// CHECK-DAG: memref.alloc() : memref<3072xbf16, #gpu.address_space<workgroup>>
// CHECK-DAG: memref.alloc() : memref<6144xbf16, #gpu.address_space<workgroup>>
// CHECK: scf.for %{{.+}} = %c0 to %c6 step %c1
// CHECK-COUNT-3: nvgpu.device_async_copy {{.+}}, 8, %{{.+}} {bypassL1}
// CHECK-COUNT-4: vector.load {{.+}} {alignment = 8 : i64} : memref<6144xbf16, #gpu.address_space<workgroup>>, vector<4xbf16>
// CHECK: nvgpu.ldmatrix {{.+}} : memref<3072xbf16, #gpu.address_space<workgroup>>
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-COUNT-4: vector.load {{.+}} : memref<6144xbf16, #gpu.address_space<workgroup>>, vector<4xbf16>
// CHECK: nvgpu.ldmatrix {{.+}} : memref<3072xbf16, #gpu.address_space<workgroup>>
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK: vector.store {{.+}} : memref<?xbf16>, vector<8xbf16>
// CHECK: gpu.return
func.func @transposed(%dy: tensor<?x65x192xbf16>) -> tensor<?x65x100xbf16> {
  %w = vit.read @w : tensor<192x100xf32>
  %n = kernel.derive %w : (tensor<192x100xf32>) -> tensor<192x100xbf16>
  %y = kernel.gemm %dy, %n transposed {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x65x192xbf16>, tensor<192x100xbf16>) -> tensor<?x65x100xbf16>
  return %y : tensor<?x65x100xbf16>
}

// -----

// Both operands are transposed, word by word: per 8 rows of a tile of 32 x 64, of which a warp has 16 x 32.
// CHECK-LABEL: func.func @weight_gradient_tf32
// CHECK: gpu.func @weight_gradient_0(
// CHECK: scf.for
// CHECK-NOT: nvgpu.ldmatrix
// CHECK-COUNT-12: memref.load {{.+}} : memref<{{.+}}xf32, #gpu.address_space<workgroup>>
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-COUNT-12: memref.load {{.+}} : memref<{{.+}}xf32, #gpu.address_space<workgroup>>
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: gpu.return
func.func @weight_gradient_tf32(%dy: tensor<?x9x32xf32>, %x: tensor<?x9x64xf32>) -> tensor<32x64xf32> {
  %0 = kernel.weight_gradient %dy, %x tf32 : (tensor<?x9x32xf32>, tensor<?x9x64xf32>) -> tensor<32x64xf32>
  return %0 : tensor<32x64xf32>
}
