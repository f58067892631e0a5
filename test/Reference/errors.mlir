// RUN: not vit-interpret %s --entry missing 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not vit-interpret %s --entry unknown_op 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not vit-interpret %s --entry unknown_scalar 2>&1 | FileCheck %s --check-prefix=SCALAR
// RUN: not vit-interpret %s --entry external 2>&1 | FileCheck %s --check-prefix=EXTERNAL
// RUN: not vit-interpret %s --entry same_names 2>&1 | FileCheck %s --check-prefix=NAMES
// RUN: not vit-interpret %s --entry index_argument 2>&1 | FileCheck %s --check-prefix=ARGUMENT
// RUN: not vit-interpret %s --entry input --batch 0 2>&1 | FileCheck %s --check-prefix=BATCH
// RUN: not vit-interpret %s --entry large 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not vit-interpret %s.none 2>&1 | FileCheck %s --check-prefix=FILE

// ENTRY: error: {{.*}}errors.mlir has no function @missing
// FILE: error: could not open input file

// UNKNOWN: error: encoder.mystery: the reference interpreter does not know math.absf
func.func @unknown_op(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = vit.relu %x : tensor<?x4xf32> loc("encoder.relu")
  %c = math.absf %0 : tensor<?x4xf32> loc("encoder.mystery")
  return %c : tensor<?x4xf32>
}

// SCALAR: error: act: the reference interpreter does not know math.acos in a kernel's region
func.func @unknown_scalar(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = kernel.map %x {
  ^bb0(%a: f32):
    %1 = math.acos %a : f32
    kernel.yield %1 : f32
  } : tensor<?x4xf32> -> tensor<?x4xf32> loc("act")
  return %0 : tensor<?x4xf32>
}

// EXTERNAL: error: @external has no body
func.func private @external(tensor<?x4xf32>) -> tensor<?x4xf32>

// NAMES: error: {{.*}}: two outputs are called "hidden_1"; rename one
func.func @same_names(%x: tensor<?x4xf32>) {
  vit.layers 2 (%i) {
    vit.output "hidden_{}"[%i] = %x : tensor<?x4xf32>
    vit.yield
  }
  vit.output "hidden_1" = %x : tensor<?x4xf32>
  return
}

// ARGUMENT: error: argument 0 is not a tensor
func.func @index_argument(%i: index) {
  return
}

// BATCH: error: input 0 of @input is [0, 4] but must be [?, 4], with ? at least 1
func.func @input(%x: tensor<?x4xf32>) {
  return
}

// LARGE: error: there is not enough memory to evaluate @large; use a smaller batch
func.func @large(%x: tensor<2xf32>) -> tensor<1048576x1048576x1xf32> {
  %0 = arith.constant dense<0.0> : tensor<1048576x1x1xf32>
  %1 = arith.constant dense<0.0> : tensor<1x1048576x1xf32>
  %2 = vit.add %0, %1 : (tensor<1048576x1x1xf32>, tensor<1x1048576x1xf32>) -> tensor<1048576x1048576x1xf32>
  return %2 : tensor<1048576x1048576x1xf32>
}
