// Products of bf16 by warpgroups at sm_90a.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=64},vit-layout,vit-plan),vit-emit-simt{target=cuda level=sm_90a})' -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir
// RUN: vit-opt %t.mlir --vit-lower-to-nvvm | FileCheck %s --check-prefix=NVVM
// RUN: env VIT_PTXAS= vit-compile-kernels %t.mlir --level sm_90a -o %t | FileCheck %s --check-prefix=FACTS
// RUN: FileCheck %s --input-file %t/kernels.ptx --check-prefix=PTX
// RUN: %if ptxas %{ ptxas -v -arch=sm_90a %t/kernels.ptx -o %t.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// With more rows two workgroups are a cluster and share the weights.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=128},vit-layout,vit-plan),vit-emit-simt{target=cuda level=sm_90a})' -o %t.pairs.mlir
// RUN: FileCheck %s --input-file %t.pairs.mlir --check-prefix=PAIRS
// RUN: env VIT_PTXAS= vit-compile-kernels %t.pairs.mlir --level sm_90a -o %t.pairs
// RUN: FileCheck %s --input-file %t.pairs/kernels.ptx --check-prefix=PAIRS-PTX
// RUN: %if ptxas %{ ptxas -v -arch=sm_90a %t.pairs/kernels.ptx -o %t.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// PAIRS: kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 8, of = 197, per = 256> {{.*}} {tile = #kernel.tile<rows = 128, cols = 192,
// PAIRS: gpu.func @gemm_0({{.*}} {kernel.tensor_map = array<i64: 0, 768, 128, 0>}, %[[WEIGHT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 768, 96, 0>}, {{.*}}nvvm.cluster_dim = array<i32: 2, 1, 1>
// Each buffer is released by two lanes of 8 warps of each workgroup.
// PAIRS: nvvm.mbarrier.init %{{.+}}, %c16_i32
// PAIRS: nvvm.cluster.arrive.relaxed {aligned}
// PAIRS-NEXT: nvvm.cluster.wait {aligned}
// PAIRS: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[WEIGHT]], {{.*}} multicast_mask = %c3_i16
// At the end four buffers have been released.
// PAIRS-COUNT-4: nvvm.mbarrier.try_wait.parity
// PAIRS: nvvm.setmaxregister increase 232
// PAIRS: nvvm.wgmma.wait.group.sync.aligned 1
// PAIRS: nvvm.mapa
// PAIRS-NEXT: nvvm.mbarrier.arrive %{{.*}} : !llvm.ptr<7>
// PAIRS-PTX: .reqnctapercluster 2, 1, 1
// The arrival does not wait for other accesses of memory.
// PAIRS-PTX: mbarrier.arrive.shared::cluster.b64

vit.parameter @w : tensor<768x768xf32>
vit.parameter @b : tensor<768xf32>

// 99 row tiles and 4 column tiles are three whole waves of 132. The maps: of the input, the weight, the result.
// CHECK: kernel.dispatch @kernels::@gemm_0({{.+}}) units<times = 4, of = 197, per = 128> {{.*}} family "gemm" flop<times = 232390656> {tile = #kernel.tile<rows = 128, cols = 192, chunk = 64, threads = 384, thread_rows = 2, thread_cols = 48>}
// CHECK: gpu.func @gemm_0(%{{.+}}: memref<?xbf16>, %{{.+}}: memref<?xbf16>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xbf16>, %{{.+}}: i32, %{{.+}}: i32, %[[INPUT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 0, 768, 128, 0>}, %[[WEIGHT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 768, 192, 0>}, %[[RESULT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 3, 768, 16, 0>}) kernel attributes {kernel.resident, known_block_size = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32}
// CHECK: memref.alloc() {alignment = 1024 : i64} : memref<196672xi8, #gpu.address_space<workgroup>>
// The copies of a step, four stages ahead.
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: scf.for
// CHECK:   scf.for %{{.+}} = %c0 to %c12 step %c1
// CHECK:     nvvm.mbarrier.try_wait.parity
// CHECK:     nvvm.mbarrier.arrive.expect_tx
// CHECK:     nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[INPUT]],
// CHECK:     nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[WEIGHT]],
// CHECK: nvvm.setmaxregister increase 232
// CHECK: scf.for
// CHECK:   scf.for %{{.+}} = %c0 to %c12 step %c1
// CHECK:     nvvm.mbarrier.try_wait.parity
// CHECK:     nvvm.wgmma.fence.aligned
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 192, k = 16>
// CHECK:     nvvm.wgmma.commit.group.sync.aligned
// CHECK:     nvvm.wgmma.wait.group.sync.aligned 1
// CHECK:     nvvm.mbarrier.arrive
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 0
// CHECK-COUNT-3: nvvm.cp.async.bulk.tensor.global.shared.cta %[[RESULT]],

// NVVM: llvm.mlir.global external @gemm_0_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// NVVM: llvm.func @gemm_0({{.*}}!llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
// FACTS: gemm_0: 384 threads, 196672 bytes shared
// PTX: .target sm_90a
// PTX: .extern .shared .align 1024 .b8 gemm_0_shared
// PTX: .param .align 64 .b8 gemm_0_param_6[128]
// PTX: .minnctapersm 1
// Sums are used after the wait for all products alone.
// PTX: wgmma.wait_group.sync.aligned{{[ \t]+}}1;
// PTX-NOT: shfl
// PTX: wgmma.wait_group.sync.aligned{{[ \t]+}}0;
// PTX: shfl.sync.bfly
// Neither a spill nor a warning, such as that products are serialised.
// PTXAS-NOT: {{warning|C75}}
// PTXAS: 0 bytes spill stores, 0 bytes spill loads
// PTXAS: Used 168 registers
// PTXAS-NOT: {{warning|C75}}
func.func @product(%x: tensor<?x197x768xbf16>) -> tensor<?x197x768xbf16> {
  %w = vit.read @w : tensor<768x768xf32>
  %b = vit.read @b : tensor<768xf32>
  %n = kernel.derive %w : (tensor<768x768xf32>) -> tensor<768x768xbf16>
  %y = kernel.gemm %x, %n extras(%b : tensor<768xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %s = arith.addf %acc, %e : f32
    kernel.yield %s : f32
  } : (tensor<?x197x768xbf16>, tensor<768x768xbf16>) -> tensor<?x197x768xbf16>
  return %y : tensor<?x197x768xbf16>
}

// The gradient of an input: boxes of 64 depths x 64 columns of the weight itself, which wgmma transposes.
// CHECK: gpu.func @gemm_1({{.*}} {kernel.tensor_map = array<i64: 0, 768, 128, 0>}, %[[WEIGHT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 768, 64, 0>}
// CHECK-COUNT-3: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[WEIGHT]],
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 192, k = 16>{{.*}}<row>{{.*}}<row>
// In a cluster each workgroup copies half of the depths for both.
// PAIRS: gpu.func @gemm_1({{.*}}, %[[WEIGHT:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 768, 32, 0>}
// PAIRS-COUNT-3: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[WEIGHT]], {{.*}} multicast_mask = %c3_i16
func.func @transposed(%dy: tensor<?x197x768xbf16>) -> tensor<?x197x768xf32> {
  %w = vit.read @w : tensor<768x768xf32>
  %n = kernel.derive %w : (tensor<768x768xf32>) -> tensor<768x768xbf16>
  %y = kernel.gemm %dy, %n transposed {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x197x768xbf16>, tensor<768x768xbf16>) -> tensor<?x197x768xf32>
  return %y : tensor<?x197x768xf32>
}
