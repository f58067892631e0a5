// Kernels with bf16 and f16: words of two elements on Vulkan, native vectors on CUDA.
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan level=direct},vit-layout,vit-plan),vit-emit-simt{level=direct})' --split-input-file | FileCheck %s --check-prefixes=CHECK,VULKAN
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=vulkan},vit-layout,vit-plan),vit-emit-simt)' --split-input-file | FileCheck %s --check-prefixes=CHECK,VULKAN,TILED
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-tile{target=cuda},vit-layout,vit-plan),vit-emit-simt{target=cuda})' --split-input-file | FileCheck %s --check-prefixes=CHECK,CUDA

vit.parameter @w : tensor<40x64xf32>
// Both operands and the result are bf16. On Vulkan four elements are one access,
// workgroup memory holds f32, and the row-major weights are transposed in
// registers. On CUDA tensor cores multiply them.
// CHECK-LABEL: func.func @product
// CHECK:  gpu.func @gemm_0(
// VULKAN-SAME: %[[X:.+]]: memref<?xvector<2xi32>, #spirv.storage_class<StorageBuffer>>, %[[W:.+]]: memref<?xvector<2xi32>, #spirv.storage_class<StorageBuffer>>, %{{.+}}: memref<32xi32
// CUDA-SAME:   %[[X:.+]]: memref<?xbf16>, %[[W:.+]]: memref<?xbf16>, %[[Y:.+]]: memref<?xbf16>, %{{.+}}: i32
// TILED-DAG:   memref.alloc() : memref<{{[0-9]+}}xvector<4xf32>, #gpu.address_space<workgroup>>
// VULKAN-DAG: memref.load %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// VULKAN-DAG: memref.load %[[W]][%{{.+}}] : memref<?xvector<2xi32>
// VULKAN-DAG: arith.shli %{{.+}} : vector<2xi32>
// VULKAN-DAG: arith.andi %{{.+}} : vector<2xi32>
// CUDA:   nvgpu.device_async_copy %[[X]][%{{.+}}], %{{.+}}[%{{.+}}], 8
// CUDA:   nvgpu.device_async_copy %[[W]][%{{.+}}], %{{.+}}[%{{.+}}], 8
// CUDA:   nvvm.mma.sync
// VULKAN: vector.fma
// VULKAN: arith.cmpi ugt
// VULKAN: arith.ori %{{.+}} : i32
// VULKAN: memref.store %{{.+}}, %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// CUDA:   arith.truncf %{{.+}} : vector<8xf32> to vector<8xbf16>
// CUDA:   vector.store %{{.+}}, %[[Y]][%{{.+}}] {alignment = 16 : i64} : memref<?xbf16>, vector<8xbf16>
// CHECK:  gpu.return
func.func @product(%x: tensor<?x9x64xbf16>) -> tensor<?x9x40xbf16> {
  %w = vit.read @w : tensor<40x64xf32>
  %n = kernel.derive %w : (tensor<40x64xf32>) -> tensor<40x64xbf16>
  %y = kernel.gemm %x, %n {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  } : (tensor<?x9x64xbf16>, tensor<40x64xbf16>) -> tensor<?x9x40xbf16>
  return %y : tensor<?x9x40xbf16>
}

// -----

// A norm of f32 with a rounded result: a vector of f32 is two accesses.
// CHECK-LABEL: func.func @rounded
// CHECK:  gpu.func @rows_0(
// VULKAN-SAME: %[[X:.+]]: memref<?xvector<2xi32>,
// CUDA-SAME:   %[[X:.+]]: memref<?xf32>, %[[Y:.+]]: memref<?xbf16>,
// VULKAN-COUNT-2: memref.load %[[X]][%{{.+}}] : memref<?xvector<2xi32>,
// VULKAN: arith.bitcast %{{.+}} : vector<4xi32> to vector<4xf32>
// VULKAN: memref.store %{{.+}}, %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// CUDA:   vector.store %{{.+}}, %[[Y]][%{{.+}}] : memref<?xbf16>, vector<4xbf16>
// CHECK:  gpu.return
func.func @rounded(%x: tensor<?x9x32xf32>) -> tensor<?x9x32xbf16> {
  %y = kernel.rows normalize %x epsilon 1.0e-06 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x9x32xf32> -> tensor<?x9x32xbf16>
  return %y : tensor<?x9x32xbf16>
}

// -----

// Padding takes whole vectors, of elements that are loaded one by one.
// CHECK-LABEL: func.func @padded
// CHECK:  gpu.func @relayout_0(
// VULKAN-SAME: %[[X:.+]]: memref<?xvector<2xi32>,
// VULKAN: memref.store %{{.+}}, %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// CUDA-COUNT-4: memref.load %{{.+}}[%{{.+}}] : memref<?xbf16>
// CUDA:   vector.store %{{.+}} : memref<?xbf16>, vector<4xbf16>
// CHECK:  gpu.return
func.func @padded(%x: tensor<?x9x20xbf16>) -> tensor<?x9x20xf32> {
  %y = kernel.map %x {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x9x20xbf16> -> tensor<?x9x20xf32>
  return %y : tensor<?x9x20xf32>
}

// -----

// In f16, normal and subnormal results are rounded apart, and what is beyond the range is a NaN.
// CHECK-LABEL: func.func @rounded_to_f16
// CHECK:  gpu.func @rows_0(
// VULKAN-SAME: %[[X:.+]]: memref<?xvector<2xi32>,
// CUDA-SAME:   %{{.+}}: memref<?xf32>, %[[Y:.+]]: memref<?xf16>,
// VULKAN-DAG: %[[SIGN:.+]] = arith.constant dense<32768> : vector<4xi32>
// VULKAN-DAG: %[[NAN:.+]] = arith.constant dense<32256> : vector<4xi32>
// VULKAN-DAG: %[[BEYOND:.+]] = arith.constant dense<1199566848> : vector<4xi32>
// VULKAN-DAG: %[[LEAST:.+]] = arith.constant dense<947912704> : vector<4xi32>
// VULKAN-DAG: %[[HALF:.+]] = arith.constant dense<5.000000e-01> : vector<4xf32>
// VULKAN:      %[[MAGNITUDE:.+]] = arith.andi %[[BITS:.+]], %{{.+}} : vector<4xi32>
// VULKAN:      arith.addf %{{.+}}, %[[HALF]] : vector<4xf32>
// VULKAN:      %[[SUBNORMAL:.+]] = arith.subi %{{.+}}, %{{.+}} : vector<4xi32>
// VULKAN-NEXT: %[[IS_LESS:.+]] = arith.cmpi ult, %[[MAGNITUDE]], %[[LEAST]] : vector<4xi32>
// VULKAN-NEXT: %[[ROUNDED:.+]] = arith.select %[[IS_LESS]], %[[SUBNORMAL]], %{{.+}} : vector<4xi1>, vector<4xi32>
// VULKAN-NEXT: %[[IN_RANGE:.+]] = arith.cmpi ult, %[[MAGNITUDE]], %[[BEYOND]] : vector<4xi32>
// VULKAN-NEXT: %[[KEPT:.+]] = arith.select %[[IN_RANGE]], %[[ROUNDED]], %[[NAN]] : vector<4xi1>, vector<4xi32>
// VULKAN-NEXT: %[[HIGH:.+]] = arith.shrui %[[BITS]], %{{.+}} : vector<4xi32>
// VULKAN-NEXT: %[[ITS_SIGN:.+]] = arith.andi %[[HIGH]], %[[SIGN]] : vector<4xi32>
// VULKAN-NEXT: %[[F16:.+]] = arith.ori %[[KEPT]], %[[ITS_SIGN]] : vector<4xi32>
// VULKAN-NEXT: %[[UP:.+]] = arith.shli %[[F16]], %{{.+}} : vector<4xi32>
// VULKAN-NEXT: %[[FIRST:.+]] = vector.extract %[[F16]][0] : i32 from vector<4xi32>
// VULKAN-NEXT: %[[SECOND:.+]] = vector.extract %[[UP]][1] : i32 from vector<4xi32>
// VULKAN-NEXT: arith.ori %[[FIRST]], %[[SECOND]] : i32
// VULKAN: memref.store %{{.+}}, %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// CUDA:   %[[IN_RANGE:.+]] = arith.cmpf olt, %{{.+}}, %{{.+}} : vector<4xf32>
// CUDA:   %[[KEPT:.+]] = arith.select %[[IN_RANGE]], %{{.+}}, %{{.+}} : vector<4xi1>, vector<4xf32>
// CUDA:   %[[F16:.+]] = arith.truncf %[[KEPT]] : vector<4xf32> to vector<4xf16>
// CUDA:   vector.store %[[F16]], %[[Y]][%{{.+}}] : memref<?xf16>, vector<4xf16>
// CHECK:  gpu.return
func.func @rounded_to_f16(%x: tensor<?x9x32xf32>) -> tensor<?x9x32xf16> {
  %y = kernel.rows normalize %x epsilon 1.0e-06 {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x9x32xf32> -> tensor<?x9x32xf16>
  return %y : tensor<?x9x32xf16>
}

// -----

// CHECK-LABEL: func.func @widened_from_f16
// CHECK:  gpu.func @map_0(
// VULKAN-SAME: %[[X:.+]]: memref<?xvector<2xi32>,
// VULKAN: %[[WORDS:.+]] = memref.load %[[X]][%{{.+}}] : memref<?xvector<2xi32>
// VULKAN: %[[WORD:.+]] = vector.extract %[[WORDS]][0] : i32 from vector<2xi32>
// VULKAN: spirv.GL.UnpackHalf2x16 %[[WORD]] : i32 -> vector<2xf32>
// VULKAN: spirv.GL.UnpackHalf2x16 %{{.+}} : i32 -> vector<2xf32>
// CUDA:   %[[F16:.+]] = vector.load %{{.+}}[%{{.+}}] : memref<?xf16>, vector<4xf16>
// CUDA:   arith.extf %[[F16]] : vector<4xf16> to vector<4xf32>
// CHECK:  gpu.return
func.func @widened_from_f16(%x: tensor<?x9x32xf16>) -> tensor<?x9x32xf32> {
  %y = kernel.map %x {
  ^bb0(%e: f32):
    kernel.yield %e : f32
  } : tensor<?x9x32xf16> -> tensor<?x9x32xf32>
  return %y : tensor<?x9x32xf32>
}
