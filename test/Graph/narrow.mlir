// RUN: vit-opt %s --vit-narrow | FileCheck %s
// RUN: vit-opt %s --vit-narrow=precision=f32 | FileCheck %s --check-prefix=F32
// RUN: not vit-opt %s --vit-narrow=precision=int3 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: error: there is no precision 'int3'; choose one of f32, tf32, f16, bf16, int8
// RUN: vit-opt %s --vit-narrow=precision=int8 | FileCheck %s --check-prefix=INT8
// RUN: vit-opt %s --vit-narrow=precision=tf32 | FileCheck %s --check-prefix=TF32

// Products keep a wider precision by their names.
// RUN: vit-opt %s --vit-narrow="precision=int8 keep=q=bf16,p=f32,a=f32,q#2=f32,scaled=bf16" | FileCheck %s --check-prefix=KEEP
// tf32 is wider than bf16. A narrower one changes nothing; of several the widest is kept.
// RUN: vit-opt %s --vit-narrow="precision=bf16 keep=q=int8,a=f32,q#2=bf16,a=bf16,q=tf32" | FileCheck %s --check-prefix=WIDEST
// RUN: not vit-opt %s --vit-narrow="precision=int8 keep=q=f64" 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: 'q=f64' is not the name of a product, '=' and one of f32, tf32, f16, bf16, int8

vit.parameter @w : tensor<32x32xf32>
// CHECK-LABEL: func.func @forward
// CHECK-SAME: vit.kept = {{\[\[}}"q#2", #vit<precision f32>]]
// KEEP-LABEL: func.func @forward
// KEEP-SAME: vit.kept = {{\[\[}}"q", #vit<precision bf16>], ["q#2", #vit<precision f32>], ["a", #vit<precision f32>]]
// WIDEST-LABEL: func.func @forward
// WIDEST-SAME: vit.kept = {{\[\[}}"q", #vit<precision tf32>], ["q#2", #vit<precision f32>], ["a", #vit<precision f32>]]
func.func @forward(%x: tensor<?x5x32xf32>) -> tensor<?x5x32xf32> {
  %w = vit.read @w : tensor<32x32xf32>
  // CHECK: vit.layer_norm %arg0 epsilon
  %n = vit.layer_norm %x epsilon 1.0e-06 : (tensor<?x5x32xf32>) -> tensor<?x5x32xf32>
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision bf16 :
  // INT8: vit.linear %{{.+}}, %{{.+}} precision int8 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %q = vit.linear %n, %w : (tensor<?x5x32xf32>, tensor<32x32xf32>) -> tensor<?x5x32xf32> loc("q")
  // An op keeps the precision that it has.
  // CHECK: vit.linear %{{.+}}, %{{.+}} precision f32 :
  // F32: vit.linear %{{.+}}, %{{.+}} precision f32 :
  %k = vit.linear %n, %w precision f32 : (tensor<?x5x32xf32>, tensor<32x32xf32>) -> tensor<?x5x32xf32> loc("q")
  // INT8: vit.attention {{.*}} precision bf16 :
  // TF32: vit.attention {{.*}} precision tf32 :
  // CHECK: vit.attention {{.*}} heads 2 scale 2.500000e-01 precision bf16 :
  %a = vit.attention %q, %k, %k heads 2 scale 2.5e-01 : (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> tensor<?x5x32xf32> loc("a")
  // CHECK: vit.add {{.*}} : (
  %y = vit.add %x, %a : (tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> tensor<?x5x32xf32>
  return %y : tensor<?x5x32xf32>
}

vit.parameter @patch : tensor<32x48xf32>
// What loses most in int8: the product of patches and the last one of one row per image.
// INT8-LABEL: func.func @ends
func.func @ends(%image: tensor<?x3x8x8xf32>) -> tensor<?x32xf32> {
  %p = vit.read @patch : tensor<32x48xf32>
  %w = vit.read @w : tensor<32x32xf32>
  %patches = vit.patchify %image patch [4, 4] order chw : (tensor<?x3x8x8xf32>) -> tensor<?x4x48xf32>
  // INT8: vit.linear {{.*}} precision bf16 : (tensor<?x4x48xf32>
  %e = vit.linear %patches, %p : (tensor<?x4x48xf32>, tensor<32x48xf32>) -> tensor<?x4x32xf32>
  // INT8: vit.linear {{.*}} precision int8 : (tensor<?x4x32xf32>
  %h = vit.linear %e, %w : (tensor<?x4x32xf32>, tensor<32x32xf32>) -> tensor<?x4x32xf32>
  %t = vit.take_tokens %h from 0 : (tensor<?x4x32xf32>) -> tensor<?x32xf32>
  // INT8: vit.linear {{.*}} precision int8 : (tensor<?x32xf32>
  %u = vit.linear %t, %w : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %n = vit.layer_norm %u epsilon 1.0e-06 : (tensor<?x32xf32>) -> tensor<?x32xf32>
  // INT8: vit.linear {{.*}} precision bf16 : (tensor<?x32xf32>
  %y = vit.linear %n, %w : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

vit.parameter @shallow : tensor<24x16xf32>
vit.parameter @deeper : tensor<24x17xf32>
// Products of depth 16 and less gain nothing and stay in f32.
// CHECK-LABEL: func.func @depths
// INT8-LABEL: func.func @depths
func.func @depths(%x: tensor<?x5x16xf32>, %y: tensor<?x5x17xf32>) -> (tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>) {
  %s = vit.read @shallow : tensor<24x16xf32>
  %d = vit.read @deeper : tensor<24x17xf32>
  // CHECK: vit.linear {{.*}} precision f32 : (tensor<?x5x16xf32>
  // INT8: vit.linear {{.*}} precision f32 : (tensor<?x5x16xf32>
  %a = vit.linear %x, %s : (tensor<?x5x16xf32>, tensor<24x16xf32>) -> tensor<?x5x24xf32>
  // CHECK: vit.linear {{.*}} precision bf16 : (tensor<?x5x17xf32>
  // INT8: vit.linear {{.*}} precision int8 : (tensor<?x5x17xf32>
  %b = vit.linear %y, %d : (tensor<?x5x17xf32>, tensor<24x17xf32>) -> tensor<?x5x24xf32>
  // A text can narrow them.
  // CHECK: vit.linear {{.*}} precision bf16 : (tensor<?x5x16xf32>
  // INT8: vit.linear {{.*}} precision bf16 : (tensor<?x5x16xf32>
  %c = vit.linear %x, %s precision bf16 : (tensor<?x5x16xf32>, tensor<24x16xf32>) -> tensor<?x5x24xf32>
  return %a, %b, %c : tensor<?x5x24xf32>, tensor<?x5x24xf32>, tensor<?x5x24xf32>
}

// The products of a backward pass. The sum that is the gradient of a bias reads the operand of its weight's gradient.
// CHECK-LABEL: func.func @backward
func.func @backward(%dy: tensor<?x5x32xf32>, %x: tensor<?x5x32xf32>, %b: tensor<2x5x5xf32>, %s: tensor<?x5x5xf32>) -> (tensor<?x5x32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<32x5xf32>) {
  %w = vit.read @w : tensor<32x32xf32>
  // CHECK: vit.linear_input_gradient {{.*}} precision bf16 :
  // F32: vit.linear_input_gradient {{.*}} precision f32 :
  %dx = vit.linear_input_gradient %dy, %w : (tensor<?x5x32xf32>, tensor<32x32xf32>) -> tensor<?x5x32xf32>
  // CHECK: vit.linear_weight_gradient {{.*}} precision bf16 :
  %dw = vit.linear_weight_gradient %dy, %x : (tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> tensor<32x32xf32>
  // CHECK: vit.sum_to %arg0 precision bf16 : (tensor<?x5x32xf32>) -> tensor<32xf32>
  %db = vit.sum_to %dy : (tensor<?x5x32xf32>) -> tensor<32xf32>
  // CHECK: vit.sum_to %arg0 : (tensor<?x5x32xf32>) -> tensor<5x32xf32>
  %dp = vit.sum_to %dy : (tensor<?x5x32xf32>) -> tensor<5x32xf32>
  // CHECK: vit.attention_backward {{.*}} precision bf16 :
  %dq:3 = vit.attention_backward %dy, %x, %x, %x bias %b heads 2 scale 0.5 : (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<2x5x5xf32>) -> (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>)
  // With the gradient of a bias it stays in f32.
  // CHECK: vit.attention_backward {{.*}} scale 5.000000e-01 :
  %dk:4 = vit.attention_backward %dy, %x, %x, %x bias %b heads 2 scale 0.5 : (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<2x5x5xf32>) -> (tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<2x5x5xf32>)
  // A layer with few inputs stays in f32.
  // CHECK: vit.linear_weight_gradient {{.*}} precision f32 : (tensor<?x5x32xf32>, tensor<?x5x5xf32>)
  %few = vit.linear_weight_gradient %dy, %s : (tensor<?x5x32xf32>, tensor<?x5x5xf32>) -> tensor<32x5xf32>
  return %dx, %dw, %db, %dp, %dq#0, %dk#1, %few : tensor<?x5x32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<5x32xf32>, tensor<?x5x32xf32>, tensor<?x5x32xf32>, tensor<32x5xf32>
}

// The scale of int8 that a text gives goes with int8.
// INT8-LABEL: func.func @scaled
// KEEP-LABEL: func.func @scaled
// KEEP-SAME: vit.kept = {{\[\[}}"scaled", #vit<precision bf16>]]
func.func @scaled(%x: tensor<?x5x32xf32>) -> tensor<?x5x32xf32> {
  %w = vit.read @w : tensor<32x32xf32>
  // INT8: vit.linear {{.*}} precision int8 input_scale 2.500000e-02 :
  // KEEP: vit.linear {{.*}} precision bf16 :
  %y = vit.linear %x, %w precision int8 input_scale 2.5e-02 : (tensor<?x5x32xf32>, tensor<32x32xf32>) -> tensor<?x5x32xf32> loc("scaled")
  return %y : tensor<?x5x32xf32>
}

// Attention without a kernel in tf32 stays in f32: with probabilities, with heads of more than 128 channels, and the
// backward pass of more than 2,048 queries. Of a gradient that two layers share, the bias is summed in f32.
// TF32-LABEL: func.func @tf32
func.func @tf32(%x: tensor<?x2049x144xf32>, %z: tensor<?x5x32xf32>, %dy: tensor<?x5x32xf32>) -> (tensor<?x2049x144xf32>, tensor<?x2x2049x2049xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<32x32xf32>, tensor<32x32xf32>, tensor<32xf32>) {
  // TF32: vit.attention {{.*}} precision f32 :
  %0, %p = vit.attention %x, %x, %x heads 2 scale 2.5e-01 : (tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>) -> (tensor<?x2049x144xf32>, tensor<?x2x2049x2049xf32>)
  // TF32: vit.attention {{.*}} precision f32 :
  %1 = vit.attention %x, %x, %x heads 1 scale 2.5e-01 : (tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>) -> tensor<?x2049x144xf32>
  // TF32: vit.attention_backward {{.*}} precision f32 :
  %2:3 = vit.attention_backward %x, %x, %x, %x heads 2 scale 2.5e-01 : (tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>) -> (tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>)
  // TF32-COUNT-2: vit.linear_weight_gradient {{.*}} precision tf32 :
  // TF32: vit.sum_to %{{.+}} : (
  %dw = vit.linear_weight_gradient %dy, %z : (tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> tensor<32x32xf32>
  %dv = vit.linear_weight_gradient %dy, %dy : (tensor<?x5x32xf32>, tensor<?x5x32xf32>) -> tensor<32x32xf32>
  %db = vit.sum_to %dy : (tensor<?x5x32xf32>) -> tensor<32xf32>
  return %0, %p, %1, %2#0, %dw, %dv, %db : tensor<?x2049x144xf32>, tensor<?x2x2049x2049xf32>, tensor<?x2049x144xf32>, tensor<?x2049x144xf32>, tensor<32x32xf32>, tensor<32x32xf32>, tensor<32xf32>
}
