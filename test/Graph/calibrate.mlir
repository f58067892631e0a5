// RUN: split-file %s %t
// RUN: vit-opt %t/m.mlir --mlir-print-debuginfo --mlir-print-local-scope -p 'builtin.module(func.func(vit-calibrate{statistics=%t/s.json alpha=0.5 static-scales}))' | FileCheck %t/m.mlir --check-prefixes=CHECK,BOTH
// RUN: vit-opt %t/m.mlir --mlir-print-local-scope -p 'builtin.module(func.func(vit-calibrate{statistics=%t/s.json alpha=0.5}))' | FileCheck %t/m.mlir --check-prefixes=CHECK,SMOOTH
// RUN: vit-opt %t/m.mlir --mlir-print-local-scope -p 'builtin.module(func.func(vit-calibrate{statistics=%t/s.json static-scales}))' | FileCheck %t/m.mlir --check-prefixes=CHECK,STATIC

// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/s.json alpha=1.5}))' 2>&1 | FileCheck %s --check-prefix=ALPHA
// ALPHA: error: alpha is 1.5{{0*(e\+00)?}}; it must be 0 (no migration) to 1
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/none.json static-scales}))' 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: the statistics in '{{.*}}none.json': {{[Nn]}}o such file or directory
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/m.mlir static-scales}))' 2>&1 | FileCheck %s --check-prefix=JSON
// JSON: error: the statistics are not JSON:
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/list.json static-scales}))' 2>&1 | FileCheck %s --check-prefix=LIST
// LIST: error: the statistics are not a JSON object of products
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/other.json static-scales}))' 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: {{.*}}there are no statistics of the product 'q'; observe the same model with the same outputs
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/short.json static-scales}))' 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: error: {{.*}}the statistics of 'q' must have 2 numbers as 'input', not 1
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/negative.json static-scales}))' 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: error: {{.*}}the statistics of 'q' have in 'input' what is not a magnitude from 0 to 2^40
// RUN: not vit-opt %t/m.mlir -p 'builtin.module(func.func(vit-calibrate{statistics=%t/no-weight.json alpha=0.5}))' 2>&1 | FileCheck %s --check-prefix=WEIGHT
// WEIGHT: error: {{.*}}the statistics of 'q' must have 2 numbers as 'weight', not 0

//--- s.json
{"q": {"input": [127.0, 7.9375], "weight": [0.5, 1.0]},
 "k": {"weight": [1.0, 0.25]},
 "h": {"input": [0.0, 0.0], "weight": [1.0, 1.0]}}
//--- list.json
["q"]
//--- other.json
{"p": {"input": [127.0, 4.0]}}
//--- short.json
{"q": {"input": [127.0]}}
//--- negative.json
{"q": {"input": [127.0, -1.0]}}
//--- no-weight.json
{"q": {"input": [127.0, 1.0]}}

//--- m.mlir
// CHECK-LABEL: func.func @forward
func.func @forward(%x: tensor<?x5x2xf32>, %w: tensor<3x2xf32>, %v: tensor<3x2xf32>) -> (tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>) {
  // Two products of one value, whose magnitudes are those of the first one: 127, 7.9375; those of both weights are 1, 1. The factors are 11.3, 2.8 over their mean, 5.6;
  // the scale is 63.5 / 127 (15.875 is less), without factors 127 / 127.
  // BOTH:   vit.linear %arg0, %arg1 precision int8 input_scale 5.000000e-01 migration dense<[2.000000e+00, 5.000000e-01]> : tensor<2xf32>
  // SMOOTH: vit.linear %arg0, %arg1 precision int8 migration dense<[2.000000e+00, 5.000000e-01]> : tensor<2xf32>
  // STATIC: vit.linear %arg0, %arg1 precision int8 input_scale 1.000000e+00 :
  %0 = vit.linear %x, %w precision int8 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("q")
  // BOTH:   vit.linear %arg0, %arg2 precision int8 input_scale 5.000000e-01 migration dense<[2.000000e+00, 5.000000e-01]> : tensor<2xf32>
  // SMOOTH: vit.linear %arg0, %arg2 precision int8 migration dense<[2.000000e+00, 5.000000e-01]> : tensor<2xf32>
  // STATIC: vit.linear %arg0, %arg2 precision int8 input_scale 1.000000e+00 :
  %1 = vit.linear %x, %v precision int8 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("k")
  // What the text states is kept, and what is not int8 needs none.
  // CHECK: vit.linear %arg0, %arg2 precision int8 input_scale 3.000000e+00 :
  %2 = vit.linear %x, %v precision int8 input_scale 3.0 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("v")
  // CHECK: vit.linear %arg0, %arg2 precision bf16 :
  %3 = vit.linear %x, %v precision bf16 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("b")
  // A value that was always zero. Factors that are all 1 are left out.
  // CHECK: vit.relu
  %r = vit.relu %x : tensor<?x5x2xf32>
  // BOTH:   vit.linear %{{.+}}, %arg2 precision int8 input_scale 1.000000e+00 :
  // SMOOTH: vit.linear %{{.+}}, %arg2 precision int8 :
  // STATIC: vit.linear %{{.+}}, %arg2 precision int8 input_scale 1.000000e+00 :
  %4 = vit.linear %r, %v precision int8 : (tensor<?x5x2xf32>, tensor<3x2xf32>) -> tensor<?x5x3xf32> loc("h")
  return %0, %1, %2, %3, %4 : tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>
}
