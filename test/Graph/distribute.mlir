// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=sgd momentum=0 accumulate=2},vit-distribute{bucket-bytes=1})' --mlir-use-nameloc-as-prefix | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=sgd momentum=0 accumulate=2 clip-norm=1},vit-distribute)' --mlir-use-nameloc-as-prefix | FileCheck %s --check-prefix=ONE
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward,vit-distribute)' | FileCheck %s --check-prefix=NONE
// RUN: not vit-opt %s -p 'builtin.module(vit-distribute{bucket-bytes=0})' 2>&1 | FileCheck %s --check-prefix=ERROR

// A bucket is reduced when the last of its gradients is there.
// CHECK-LABEL: func.func @accumulate_step(
// CHECK: %[[A1:.*]] = vit.all_reduce
// CHECK: %[[A0:.*]] = vit.all_reduce
// CHECK-NOT: vit.add
// CHECK: vit.write @gradient.first, %[[A0]]
// CHECK: vit.write @gradient.second, %[[A1]]
// CHECK-LABEL: func.func @train_step(
// CHECK: %[[D:.*]] = vit.cross_entropy_backward
// CHECK: %[[D1:.*]] = vit.linear_weight_gradient %[[D]], %hidden
// CHECK-NEXT: %[[SUM1:.*]] = vit.all_reduce %[[D1]] onto %{{.*}} : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
// CHECK: %[[D0:.*]] = vit.linear_weight_gradient
// CHECK-NEXT: %[[SUM0:.*]] = vit.all_reduce %[[D0]] onto %{{.*}} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NOT: vit.add
// CHECK: vit.sgd @first, %[[SUM0]]
// CHECK: vit.sgd @second, %[[SUM1]]
// CHECK: vit.write @gradient.first

// In the order of parameters, before clipping.
// ONE-LABEL: func.func @train_step(
// ONE: %[[D1:.*]] = vit.linear_weight_gradient
// ONE: %[[D0:.*]] = vit.linear_weight_gradient
// ONE-NEXT: %[[SUMS:.*]]:2 = vit.all_reduce %[[D0]], %[[D1]] onto %{{.*}}, %{{.*}} :
// ONE-NEXT: vit.clip_by_global_norm %[[SUMS]]#0, %[[SUMS]]#1

// Nothing accumulates.
// NONE: vit.adamw
// NONE-NOT: vit.all_reduce

// ERROR: error: vit-distribute: a bucket has at least one byte, not 0

vit.parameter @first : tensor<4x8xf32>
vit.parameter @second : tensor<3x4xf32>

func.func @forward(%x: tensor<?x8xf32>) -> tensor<?x3xf32> {
  %first = vit.read @first : tensor<4x8xf32>
  %hidden = vit.linear %x, %first : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32> loc("hidden")
  %second = vit.read @second : tensor<3x4xf32>
  %y = vit.linear %hidden, %second : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32> loc("head")
  return %y : tensor<?x3xf32>
}
