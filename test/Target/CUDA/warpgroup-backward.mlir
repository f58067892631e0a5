// The backward pass of attention of bf16 by warpgroups at sm_90a.
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=64},vit-layout,vit-plan),vit-emit-simt{target=cuda level=sm_90a})' -o %t.mlir
// RUN: FileCheck %s --input-file %t.mlir
// RUN: env VIT_PTXAS= vit-compile-kernels %t.mlir --level sm_90a -o %t | FileCheck %s --check-prefix=FACTS
// RUN: %if ptxas %{ ptxas -v -arch=sm_90a %t/kernels.ptx -o %t.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// Registers of products are used before and after them alone.
// RUN: %python %S/../Inputs/wgmma_order.py %t/kernels.ptx | FileCheck %s --check-prefix=ORDER
// ORDER: {{^[1-9][0-9]*}} products are right

// One unit for each head. 577 queries and keys are eight chunks of 80.
// The maps: of blocks of 128 tokens and of chunks, in images of 577 tokens.
// CHECK: kernel.dispatch @kernels::@attention_backward_0({{.+}}) units<times = 12> {{.*}} family "attention_backward"
// CHECK: gpu.func @attention_backward_0({{.+}}, %[[QUERY:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 2304, 128, 577>}, %[[QUERIES:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 1, 2304, 80, 577>}, %[[DY:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 0, 768, 128, 577>}, %[[DYS:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 0, 768, 80, 577>}, %[[KEY:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 2, 2304, 128, 577>}, %[[KEYS:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 2, 2304, 80, 577>}, %[[VALUE:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 3, 2304, 128, 577>}, %[[VALUES:[^:]+]]: !llvm.ptr {kernel.tensor_map = array<i64: 3, 2304, 80, 577>}) kernel attributes {kernel.resident, known_block_size = array<i32: 384, 1, 1>, nvvm.minctasm = 1 : i32}
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[QUERY]],
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[DY]],
// CHECK: scf.for
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[KEYS]],
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[VALUES]],
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[KEY]],
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[VALUE]],
// CHECK: scf.for
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[QUERIES]],
// CHECK:   nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.+}}, %[[DYS]],
// CHECK: nvvm.setmaxregister increase 232
// The statistics of a block of queries: exponentials are taken while dp is under way.
// CHECK: scf.for
// CHECK:   nvvm.wgmma.fence.aligned
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 80, k = 16>
// CHECK:   nvvm.wgmma.commit.group.sync.aligned
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 80, k = 16>
// CHECK:   nvvm.wgmma.commit.group.sync.aligned
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
// CHECK:   scf.if
// CHECK-COUNT-42: llvm.nvvm.ex2.approx.ftz.f32
// CHECK:   nvvm.mbarrier.try_wait.parity
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 0
// CHECK:   scf.yield
// dq of the chunk before is under way together with the scores.
// CHECK: scf.for
// CHECK-COUNT-8: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 80, k = 16>
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
// CHECK-COUNT-40: llvm.nvvm.ex2.approx.ftz.f32
// CHECK:   nvvm.mbarrier.try_wait.parity
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 0
// CHECK-COUNT-5: llvm.inline_asm has_side_effects "{{.*}}wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK-NOT: nvvm.wgmma.wait
// CHECK:   scf.yield
// CHECK: llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.aligned.count"
// dk and dv: the scores are transposed. ds is computed while dv is under way.
// CHECK: scf.for
// CHECK-COUNT-8: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 80, k = 16>
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
// CHECK-COUNT-40: llvm.nvvm.ex2.approx.ftz.f32
// CHECK-COUNT-5: llvm.inline_asm has_side_effects "{{.*}}wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK:   nvvm.wgmma.wait.group.sync.aligned 1
// CHECK-COUNT-5: llvm.inline_asm has_side_effects "{{.*}}wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16
// CHECK-NOT: nvvm.wgmma.wait
// CHECK:   scf.yield
// CHECK: llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.aligned.count"
// CHECK: gpu.func @attention_backward_1

// FACTS: attention_backward_0: 384 threads, {{[0-9]+}} bytes shared
// FACTS: attention_backward_1: 384 threads, {{[0-9]+}} bytes shared
// FACTS: attention_backward_2: 384 threads, {{[0-9]+}} bytes shared
// FACTS: attention_backward_3: 256 threads, {{[0-9]+}} bytes shared
// Many queries leave memory for one block, and fewer chunks.
// FACTS: attention_backward_4: 384 threads, {{[0-9]+}} bytes shared
// Neither a spill nor a remark, such as that products are serialised or that a fence is missing.
// PTXAS-NOT: {{warning|C75}}
// PTXAS-COUNT-5: 0 bytes spill stores, 0 bytes spill loads
// PTXAS-NOT: {{warning|C75}}
!x = tensor<?x577x2304xbf16>
!y = tensor<?x577x768xbf16>
func.func @long(%dy: !y, %x: !x) -> (!y, !y, !y) {
  %0:3 = kernel.attention_backward %dy, %x, %x, %x heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01 : (!y, !x, !x, !x) -> (!y, !y, !y)
  return %0#0, %0#1, %0#2 : !y, !y, !y
}
// Heads of 128 channels have two boxes, and a bias is added.
vit.parameter @bias : tensor<8x257x257xf32>
!w = tensor<?x257x3072xbf16>
!v = tensor<?x257x1024xbf16>
!f = tensor<?x257x1024xf32>
func.func @wide(%dy: !v, %x: !w) -> (!f, !f, !f) {
  %bias = vit.read @bias : tensor<8x257x257xf32>
  %0:3 = kernel.attention_backward %dy, %x, %x, %x bias %bias heads 8 head_dim 128 offsets [0, 1024, 2048] scale 8.8e-02
      : (!v, !w, !w, !w, tensor<8x257x257xf32>) -> (!f, !f, !f)
  return %0#0, %0#1, %0#2 : !f, !f, !f
}
// Heads of 96 with a bias take as many registers; other keys than queries.
vit.parameter @other : tensor<4x70x197xf32>
!q = tensor<?x70x384xbf16>
!k = tensor<?x197x768xbf16>
!dk = tensor<?x197x384xbf16>
func.func @cross(%dy: !q, %q: !q, %kv: !k) -> (!q, !dk, !dk) {
  %bias = vit.read @other : tensor<4x70x197xf32>
  %0:3 = kernel.attention_backward %dy, %q, %kv, %kv bias %bias heads 4 head_dim 96 offsets [0, 0, 384] scale 1.0e-01
      : (!q, !q, !k, !k, tensor<4x70x197xf32>) -> (!q, !dk, !dk)
  return %0#0, %0#1, %0#2 : !q, !dk, !dk
}
// 49 tokens are one block of 64 and one chunk.
!a = tensor<?x49x288xbf16>
!c = tensor<?x49x96xbf16>
func.func @short(%dy: !c, %x: !a) -> (!c, !c, !c) {
  %0:3 = kernel.attention_backward %dy, %x, %x, %x heads 3 head_dim 32 offsets [0, 96, 192] scale 1.8e-01 : (!c, !a, !a, !a) -> (!c, !c, !c)
  return %0#0, %0#1, %0#2 : !c, !c, !c
}
!m = tensor<?x8192x128xbf16>
func.func @most(%dy: !m, %q: !m, %k: !m, %v: !m) -> (!m, !m, !m) {
  %0:3 = kernel.attention_backward %dy, %q, %k, %v heads 1 head_dim 128 offsets [0, 0, 0] scale 8.8e-02 : (!m, !m, !m, !m) -> (!m, !m, !m)
  return %0#0, %0#1, %0#2 : !m, !m, !m
}
