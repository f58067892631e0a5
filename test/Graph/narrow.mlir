// RUN: vit-opt %s --vit-narrow | FileCheck %s
// RUN: vit-opt %s --vit-narrow=precision=f32 | FileCheck %s --check-prefix=F32
// RUN: not vit-opt %s --vit-narrow=precision=int3 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: error: there is no precision 'int3'; choose f32, bf16 or int8
// RUN: vit-opt %s --vit-narrow=precision=int8 | FileCheck %s --check-prefix=INT8

vit.parameter @w : tensor<8x8xf32>
// CHECK-LABEL: func.func @forward
func.func @forward(%x: tensor<?x5x8xf32>) -> tensor<?x5x8xf32> {
  %w = vit.read @w : tensor<8x8xf32>
  // CHECK: vit.layer_norm %arg0 epsilon
  %n = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision bf16 :
  // INT8: vit.linear %{{.+}}, %{{.+}} precision int8 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %q = vit.linear %n, %w : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  // An op keeps the precision that it has.
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision f32 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %k = vit.linear %n, %w precision f32 : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  // INT8: vit.attention {{.*}} precision bf16 :
  // CHECK: vit.attention {{.*}} heads 2 scale 5.000000e-01 precision bf16 :
  %a = vit.attention %q, %k, %k heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  // CHECK: vit.add {{.*}} : (
  %y = vit.add %x, %a : (tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  return %y : tensor<?x5x8xf32>
}

vit.parameter @patch : tensor<8x48xf32>
// What loses most in int8: the product of patches and those of one row per image.
// INT8-LABEL: func.func @ends
func.func @ends(%image: tensor<?x3x8x8xf32>) -> tensor<?x8xf32> {
  %p = vit.read @patch : tensor<8x48xf32>
  %w = vit.read @w : tensor<8x8xf32>
  %patches = vit.patchify %image patch [4, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  // INT8: vit.linear {{.*}} precision bf16 : (tensor<?x4x48xf32>
  %e = vit.linear %patches, %p : (tensor<?x4x48xf32>, tensor<8x48xf32>) -> tensor<?x4x8xf32>
  // INT8: vit.linear {{.*}} precision int8 : (tensor<?x4x8xf32>
  %h = vit.linear %e, %w : (tensor<?x4x8xf32>, tensor<8x8xf32>) -> tensor<?x4x8xf32>
  %t = vit.take_tokens %h from 0 : (tensor<?x4x8xf32>) -> tensor<?x8xf32>
  // INT8: vit.linear {{.*}} precision bf16 : (tensor<?x8xf32>
  %y = vit.linear %t, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
