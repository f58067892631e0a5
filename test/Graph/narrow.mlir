// RUN: vit-opt %s --vit-narrow | FileCheck %s
// RUN: vit-opt %s --vit-narrow=precision=f32 | FileCheck %s --check-prefix=F32
// RUN: not vit-opt %s --vit-narrow=precision=int3 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: error: there is no precision 'int3'; choose f32 or bf16

vit.parameter @w : tensor<8x8xf32>
// CHECK-LABEL: func.func @forward
func.func @forward(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  %w = vit.read @w : tensor<8x8xf32>
  // CHECK: vit.layer_norm %arg0 epsilon
  %n = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision bf16 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %q = vit.linear %n, %w : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  // An op keeps the precision that it has.
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision f32 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %k = vit.linear %n, %w precision f32 : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.attention {{.*}} heads 2 scale 5.000000e-01 precision bf16 :
  %a = vit.attention %q, %k, %k heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.add {{.*}} : (
  %y = vit.add %x, %a : (tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}
