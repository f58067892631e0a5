// Products and attention of f16 by tensor cores, with the tiles and registers of bf16 (tensor.mlir, warpgroup*.mlir): those of ViT-B/16,
// the first product of an MLP and attention of 577 tokens. Results of f16 are multiplied by zero and added to themselves, by which
// infinities become NaNs; exponentials, of which none is beyond the range, are not.
// RUN: rm -rf %t && mkdir %t
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda batch=128},vit-layout,vit-plan),vit-emit-simt{target=cuda})' -o %t/80.mlir
// RUN: FileCheck %s --input-file %t/80.mlir
// RUN: env VIT_PTXAS= vit-compile-kernels %t/80.mlir --level sm_80 -o %t/80
// RUN: FileCheck %s --input-file %t/80/kernels.ptx --check-prefixes=PTX,WARP
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda level=sm_90a batch=128},vit-layout,vit-plan),vit-emit-simt{target=cuda level=sm_90a})' -o %t/90.mlir
// RUN: env VIT_PTXAS= vit-compile-kernels %t/90.mlir --level sm_90a -o %t/90
// RUN: FileCheck %s --input-file %t/90/kernels.ptx --check-prefixes=PTX,GROUP
// RUN: %python %S/../Inputs/wgmma_order.py %t/90/kernels.ptx
// RUN: %if ptxas %{ ptxas -v -arch=sm_80 %t/80/kernels.ptx -o %t/80.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// RUN: %if ptxas %{ ptxas -v -arch=sm_90a %t/90/kernels.ptx -o %t/90.cubin 2>&1 | FileCheck %s --check-prefix=PTXAS %}
// PTXAS-NOT: {{warning|C75}}
// PTXAS-COUNT-2: 0 bytes spill stores, 0 bytes spill loads
// PTXAS-NOT: {{warning|C75}}
// ptxas keeps the multiplication by zero (HFMA2).
// DEFINE: %{sass} = %python %S/Inputs/check_sass.py %nvdisasm
// RUN: %if ptxas && nvdisasm %{ %{sass} %t/80.cubin gemm_0:HMMA:44:HFMA2 attention_0:HMMA:12:HFMA2 %}
// RUN: %if ptxas && nvdisasm %{ %{sass} %t/90.cubin --moves=2 gemm_0:HGMMA:6:HFMA2 %}
// RUN: %if ptxas && nvdisasm %{ %{sass} %t/90.cubin --moves=2 --before-wait=MUFU:64 attention_0:HGMMA:2.8:HFMA2 %}

vit.parameter @w : tensor<3072x768xf32>
vit.parameter @b : tensor<3072xf32>

// CHECK: gpu.func @gemm_0(%{{.+}}: memref<?xf16>, %{{.+}}: memref<?xf16>, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf16>,
// CHECK: memref.alloc() : memref<{{[0-9]+}}xf16, #gpu.address_space<workgroup>>
// CHECK: nvgpu.ldmatrix {{.+}} -> vector<4x2xf16>
// CHECK: nvvm.mma.sync {{.+}}k = 16{{.+}} : (vector<2xf16>, vector<2xf16>, f32)
// CHECK: %[[ROUNDED:.+]] = arith.truncf %{{.+}} : vector<8xf32> to vector<8xf16>
// CHECK: %[[CHECKED:.+]] = math.fma %[[ROUNDED]], %{{.+}}, %[[ROUNDED]] : vector<8xf16>
// CHECK: vector.store %[[CHECKED]]
// CHECK: gpu.func @attention_0(
// Ones, which add the exponentials.
// CHECK: %c1006648320_i32 = arith.constant 1006648320 : i32

// PTX-LABEL: .entry gemm_0(
// WARP-COUNT-64: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// GROUP-COUNT-4: wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16
// PTX-COUNT-64: fma.rn.f16x2
// PTX-NOT: fma.rn.f16x2
// PTX-LABEL: .entry attention_0(
// PTX-NOT: fma.rn.f16x2
// WARP: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// GROUP: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16
// PTX-NOT: fma.rn.f16x2
// PTX: ex2.approx.ftz.f32
// PTX-NOT: fma.rn.f16x2
// PTX: cvt.rn.f16x2.f32
// PTX-NOT: fma.rn.f16x2
// WARP: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// GROUP: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16
// PTX-NOT: fma.rn.f16x2
// PTX: rcp.rn.f32
// PTX: fma.rn.f16x2
func.func @model(%x: tensor<?x197x768xf16>, %qkv: tensor<?x577x2304xf16>) -> (tensor<?x197x3072xf16>, tensor<?x577x768xf16>) {
  %w = vit.read @w : tensor<3072x768xf32>
  %b = vit.read @b : tensor<3072xf32>
  %n = kernel.derive %w : (tensor<3072x768xf32>) -> tensor<3072x768xf16>
  %y = kernel.gemm %x, %n extras(%b : tensor<3072xf32>) {
  ^bb0(%acc: f32, %e: f32):
    %0 = arith.addf %acc, %e : f32
    kernel.yield %0 : f32
  } : (tensor<?x197x768xf16>, tensor<3072x768xf16>) -> tensor<?x197x3072xf16>
  %o = kernel.attention %qkv, %qkv, %qkv heads 12 head_dim 64 offsets [0, 768, 1536] scale 1.25e-01
      : (tensor<?x577x2304xf16>, tensor<?x577x2304xf16>, tensor<?x577x2304xf16>) -> tensor<?x577x768xf16>
  return %y, %o : tensor<?x197x3072xf16>, tensor<?x577x768xf16>
}
