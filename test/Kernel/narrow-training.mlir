// A narrow training step: operands of forward and backward products are rounded once, weights are packed from f32 variables.
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// DEFINE: %{graph} = func.func(vit-unroll-layers),vit-generate-backward{optimizer=sgd},func.func(vit-narrow)
// DEFINE: %{kernels} = func.func(vit-convert-to-kernels,vit-fuse)
// DEFINE: %{layouts} = func.func(vit-tile{level=amx},vit-layout),vit-place-variables,vit-group-updates,func.func(vit-pack-parameters)
// RUN: vit-opt %s -p 'builtin.module(%{graph},%{kernels},%{layouts})' | FileCheck %s

// The same numbers as the graph, where both round.
// RUN: vit-opt %s -p 'builtin.module(%{graph})' -o %t.graph
// RUN: vit-opt %t.graph -p 'builtin.module(%{kernels})' -o %t.kernels
// RUN: vit-interpret %t.graph --entry=train_step --batch=3 --set 2=0.01 --steps 2 --show-changed --tolerance=1e-7 --against %t.kernels


// In tf32 kernels round f32 operands themselves; weights of CUDA are row-major, and where the variables are, too, need
// no copy.
// DEFINE: %{tf32} = func.func(vit-unroll-layers),vit-generate-backward{optimizer=sgd},func.func(vit-narrow{precision=tf32})
// DEFINE: %{cuda} = func.func(vit-tile{target=cuda},vit-layout),vit-place-variables,vit-group-updates,func.func(vit-pack-parameters)
// RUN: vit-opt %s -p 'builtin.module(%{tf32},%{kernels},%{cuda})' | FileCheck %s --check-prefix=TF32
// RUN: vit-opt %s -p 'builtin.module(%{tf32})' -o %t.graph
// RUN: vit-opt %t.graph -p 'builtin.module(%{kernels})' -o %t.kernels
// RUN: vit-interpret %t.graph --entry=train_step --batch=3 --set 2=0.01 --steps 2 --show-changed --tolerance=1e-7 --against %t.kernels

vit.parameter @q : tensor<32x24xf32> init<normal, 2.0e-01>
vit.parameter @k : tensor<32x24xf32> init<normal, 2.0e-01>
vit.parameter @v : tensor<32x24xf32> init<normal, 2.0e-01>
vit.parameter @o : tensor<24x32xf32> init<normal, 2.0e-01>
vit.parameter @bias : tensor<24xf32> init<normal, 2.0e-01>
vit.parameter @head : tensor<10x24xf32> init<normal, 2.0e-01>

// CHECK-LABEL: func.func @train_step
// The input of three products, of which the one for q, k and v reads one form of three variables.
// CHECK:       %[[X:.+]] = kernel.map
// CHECK:       -> tensor<?x7x24xbf16, #kernel.blocked<rows = 16>>
// CHECK:       kernel.pack {{.*}} : (tensor<32x24xf32>, tensor<32x24xf32>, tensor<32x24xf32>) -> tensor<96x24xbf16, #kernel.panels<cols = 64, interleave = 2>>
// CHECK:       %[[QKV:.+]] = kernel.gemm %[[X]]
// CHECK:       -> tensor<?x7x96xbf16
// CHECK:       %[[A:.+]] = kernel.attention %[[QKV]], {{.*}} -> tensor<?x7x32xbf16
// CHECK:       kernel.gemm %[[A]]
// CHECK:       kernel.loss_backward
// The gradient of the attention's result, rounded in the product that computes it, and the results of its backward kernel.
// CHECK:       kernel.pack {{.*}} -> tensor<24x32xbf16, #kernel.panels<cols = 64, transposed = true, interleave = 2>>
// CHECK:       %[[DA:.+]] = kernel.gemm {{.*}} transposed
// CHECK:       -> tensor<?x7x32xbf16
// CHECK:       kernel.weight_gradient {{.*}} (tensor<?x7x24xbf16, {{.*}}>, tensor<?x7x32xbf16, {{.*}}>) -> (tensor<24x32xf32>, tensor<24xf32>)
// CHECK:       kernel.attention_backward %[[DA]], %[[QKV]], %[[QKV]], %[[QKV]] {{.*}} -> (tensor<?x7x32xbf16, {{.*}}>, tensor<?x7x32xbf16, {{.*}}>, tensor<?x7x32xbf16, {{.*}}>)
// CHECK:       kernel.weight_gradient {{.*}}, %[[X]] {{.*}} -> tensor<32x24xf32>
// CHECK:       kernel.update
func.func @forward(%x: tensor<?x7x24xf32>) -> (tensor<?x10xf32> {vit.name = "logits"}) {
  %wq = vit.read @q : tensor<32x24xf32>
  %wk = vit.read @k : tensor<32x24xf32>
  %wv = vit.read @v : tensor<32x24xf32>
  %wo = vit.read @o : tensor<24x32xf32>
  %b = vit.read @bias : tensor<24xf32>
  %wh = vit.read @head : tensor<10x24xf32>
  %q = vit.linear %x, %wq : (tensor<?x7x24xf32>, tensor<32x24xf32>) -> tensor<?x7x32xf32>
  %k = vit.linear %x, %wk : (tensor<?x7x24xf32>, tensor<32x24xf32>) -> tensor<?x7x32xf32>
  %v = vit.linear %x, %wv : (tensor<?x7x24xf32>, tensor<32x24xf32>) -> tensor<?x7x32xf32>
  %a = vit.attention %q, %k, %v heads 1 scale 0.2 : (tensor<?x7x32xf32>, tensor<?x7x32xf32>, tensor<?x7x32xf32>) -> tensor<?x7x32xf32>
  %o = vit.linear %a, %wo, %b : (tensor<?x7x32xf32>, tensor<24x32xf32>, tensor<24xf32>) -> tensor<?x7x24xf32>
  %t = vit.take_tokens %o from 0 : (tensor<?x7x24xf32>) -> tensor<?x24xf32>
  %y = vit.linear %t, %wh : (tensor<?x24xf32>, tensor<10x24xf32>) -> tensor<?x10xf32>
  return %y : tensor<?x10xf32>
}

// TF32-LABEL: func.func @train_step
// TF32-NOT:   bf16
// TF32:       kernel.pack {{.*}} -> tensor<96x24xf32, #kernel.panels<cols = 1>>
// TF32:       %[[QKV:.+]] = kernel.gemm {{.*}} tf32 tile
// TF32:       kernel.attention %[[QKV]], {{.*}} tf32 tile
// TF32:       %[[O:.+]] = kernel.pack {{.*}} -> tensor<24x32xf32, #kernel.panels<cols = 1>>
// TF32:       kernel.gemm {{.*}}, %[[O]] tf32
// TF32:       kernel.gemm {{.*}}, %[[O]] transposed tf32 tile
// TF32:       kernel.weight_gradient {{.*}} tf32 tile{{.*}} -> (tensor<24x32xf32>, tensor<24xf32>)
// TF32:       kernel.attention_backward {{.*}} tf32 tile
// TF32:       kernel.weight_gradient {{.*}} tf32 tile{{.*}} -> tensor<32x24xf32>
