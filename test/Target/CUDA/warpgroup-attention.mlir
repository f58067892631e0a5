// Attention of bf16 by warpgroups at sm_90a.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=64},vit-layout,vit-plan),vit-emit-simt{target=cuda level=sm_90a})' -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir
// RUN: env VIT_PTXAS= vit-compile-kernels %t.mlir --level sm_90a -o %t | FileCheck %s --check-prefix=FACTS
// RUN: %if ptxas %{ ptxas -v -arch=sm_90a %t/kernels.ptx -o %t.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// Registers of products are used before and after them alone; the check sees where they are not.
// RUN: %python %S/../Inputs/wgmma_order.py %t/kernels.ptx | FileCheck %s --check-prefix=ORDER
// ORDER: {{^[1-9][0-9]*}} products are right
// RUN: sed -e '/wgmma.wait_group.sync.aligned.*1;/d' %t/kernels.ptx > %t/wait.ptx
// RUN: not %python %S/../Inputs/wgmma_order.py %t/wait.ptx | FileCheck %s --check-prefix=WAIT
// WAIT: attention_0: uses registers of a product under way: max.f32
// RUN: sed -e '/wgmma.fence/d' %t/kernels.ptx > %t/fence.ptx
// RUN: not %python %S/../Inputs/wgmma_order.py %t/fence.ptx | FileCheck %s --check-prefix=FENCE
// FENCE: attention_0: registers of a product are written after the fence: wgmma

// Two units of 128 queries for each head. 577 keys are five blocks of 128, the last one with 65.
// The maps: of queries, keys and values, each in an image of 577 tokens.
// CHECK: kernel.dispatch @kernels::@attention_0({{.+}}) units<times = 60> {{.*}} family "attention"
// CHECK: gpu.func @attention_0({{.+}}, %{{.+}}: i32, %{{.+}}: i32, %[[QUERY:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 0, 2304, 128, 577>}, %[[KEY:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 2304, 128, 577>}, %[[VALUE:.+]]: !llvm.ptr {kernel.tensor_map = array<i64: 2, 2304, 128, 577>}) kernel attributes {kernel.resident, known_block_size = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32}
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: scf.for
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[QUERY]],
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[KEY]],
// CHECK:   scf.for
// CHECK:     nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[KEY]],
// CHECK:     nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[VALUE]],
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[VALUE]],
// CHECK: nvvm.setmaxregister increase 232
// CHECK: scf.for
// CHECK:   nvvm.wgmma.fence.aligned
// The first product of the scores does not add to anything.
// CHECK:   nvvm.wgmma.mma_async {{.*}}<m = 64, n = 128, k = 16>, D[{{.*}}zero
// CHECK-COUNT-3: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 128, k = 16>, D[{{.*}}one
// CHECK:   nvvm.wgmma.commit.group.sync.aligned
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 0
// CHECK-COUNT-32: arith.cmpi slt
// CHECK-NOT: arith.cmpi slt
// CHECK:   scf.for
// CHECK:     nvvm.wgmma.fence.aligned
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 128, k = 16>
// CHECK:     nvvm.wgmma.commit.group.sync.aligned
// CHECK-COUNT-8: llvm.inline_asm has_side_effects "{{.*}}wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK:     nvvm.wgmma.commit.group.sync.aligned
// CHECK:     nvvm.wgmma.wait.group.sync.aligned 1
// CHECK:     nvvm.mbarrier.arrive
// CHECK:     llvm.intr.maxnum
// CHECK-COUNT-66: llvm.nvvm.ex2.approx.ftz.f32
// CHECK:     nvvm.mbarrier.try_wait.parity
// CHECK:     nvvm.wgmma.wait.group.sync.aligned 0
// CHECK:     scf.yield
// CHECK:   nvvm.wgmma.fence.aligned
// CHECK-COUNT-8: llvm.inline_asm has_side_effects "{{.*}}wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK-NOT: wgmma.mma_async
// CHECK:   vector.store
// CHECK: gpu.func @attention_1

// FACTS: attention_0: 384 threads, 98400 bytes shared
// FACTS: attention_1: 384 threads, 131168 bytes shared
// FACTS: attention_2: 256 threads, 49248 bytes shared
// Neither a spill nor a remark, such as that products are serialised or that a fence is missing.
// PTXAS-NOT: {{warning|C75}}
// PTXAS-COUNT-3: 0 bytes spill stores, 0 bytes spill loads
// PTXAS-NOT: {{warning|C75}}
func.func @attention(%x: tensor<?x577x2304xbf16>) -> tensor<?x577x768xbf16> {
  %y = kernel.attention %x, %x, %x heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01
      : (tensor<?x577x2304xbf16>, tensor<?x577x2304xbf16>, tensor<?x577x2304xbf16>) -> tensor<?x577x768xbf16>
  return %y : tensor<?x577x768xbf16>
}
// Heads of 128 channels have two boxes; with a bias, blocks of 64 keys.
vit.parameter @bias : tensor<8x257x257xf32>
func.func @wide(%x: tensor<?x257x3072xbf16>) -> tensor<?x257x1024xbf16> {
  %bias = vit.read @bias : tensor<8x257x257xf32>
  %y = kernel.attention %x, %x, %x bias %bias heads 8 head_dim 128 offsets [0, 1024, 2048] scale 8.8e-02
      : (tensor<?x257x3072xbf16>, tensor<?x257x3072xbf16>, tensor<?x257x3072xbf16>, tensor<8x257x257xf32>) -> tensor<?x257x1024xbf16>
  return %y : tensor<?x257x1024xbf16>
}
// 49 queries are one block of 64, 49 keys one of 64, too.
func.func @short(%x: tensor<?x49x288xbf16>) -> tensor<?x49x96xbf16> {
  %y = kernel.attention %x, %x, %x heads 3 head_dim 32 offsets [0, 96, 192] scale 1.8e-01
      : (tensor<?x49x288xbf16>, tensor<?x49x288xbf16>, tensor<?x49x288xbf16>) -> tensor<?x49x96xbf16>
  return %y : tensor<?x49x96xbf16>
}
