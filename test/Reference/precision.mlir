// RUN: vit-interpret %s --values=-1 | FileCheck %s
// RUN: vit-interpret %s --entry=tf32 --values=-1 | FileCheck %s --check-prefix=TF32

// bf16 has 8 significant bits: 257 is rounded to 256, 259 to 260.
func.func @forward() -> (tensor<1x2xf32> {vit.name = "exact"}, tensor<1x2xf32> {vit.name = "rounded"}, tensor<1x2x1xf32> {vit.name = "attention"}, tensor<1x2xf32> {vit.name = "integers"}, tensor<1x2xf32> {vit.name = "static"}, tensor<1x2xf32> {vit.name = "migrated"}, tensor<1x2xf32> {vit.name = "both"},
    tensor<1x2xf32> {vit.name = "input_gradient"}, tensor<2x2xf32> {vit.name = "weight_gradient"}, tensor<2xf32> {vit.name = "bias_gradient"}, tensor<1x1x1xf32> {vit.name = "query_gradient"}) {
  %x = arith.constant dense<[[257.0, 1.0]]> : tensor<1x2xf32>
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 259.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  // CHECK: exact [1, 2] {{.*}}: 257 260{{$}}
  %0 = vit.linear %x, %w, %b : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // The bias is not rounded.
  // CHECK: rounded [1, 2] {{.*}}: 256 261{{$}}
  %1 = vit.linear %x, %w, %b precision bf16 : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // Equal scores: the mean of the rounded values, 256 and 260.
  // CHECK: attention [1, 2, 1] {{.*}}: 258 258{{$}}
  %q = arith.constant dense<0.0> : tensor<1x2x1xf32>
  %v = arith.constant dense<[[[257.0], [259.0]]]> : tensor<1x2x1xf32>
  %2 = vit.attention %q, %q, %v heads 1 scale 1.0 precision bf16 : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
  // Rows in steps of 2 and of 1: 254, 1.0 becomes 127, 0 (half a step, to even); 127, 3.4 becomes 127, 3.
  // 2 (127 * 127 + 0 * 3) = 32258; and 2 (127 * -2 + 0 * 127) + 1 = -507.
  // CHECK: integers [1, 2] {{.*}}: 32258 -507{{$}}
  %x8 = arith.constant dense<[[254.0, 1.0]]> : tensor<1x2xf32>
  %w8 = arith.constant dense<[[127.0, 3.4], [-2.0, 127.0]]> : tensor<2x2xf32>
  %3 = vit.linear %x8, %w8, %b precision int8 : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // Multiples of 1.5: 254 is more than 127 * 1.5, 1.0 becomes 1. 1.5 (127 * 127 + 1 * 3) = 24198; and
  // 1.5 (127 * -2 + 1 * 127) + 1 = -189.5.
  // CHECK: static [1, 2] {{.*}}: 24198 -189.5{{$}}
  %4 = vit.linear %x8, %w8, %b precision int8 input_scale 1.5 : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // x / (254, 1) = (1, 1), which becomes 127, 127 in steps of 1/127. W times (254, 1): rows of 32258, 3.4 in steps of
  // 254, of which 3.4 is none; and of -508, 127 in steps of 4: -127, 31.75, which becomes 32.
  // 254 (127 * 127) / 127 = 32258; and 4 (127 * -127 + 127 * 32) / 127 + 1 = -379. The scale 1/127 is rounded to f32.
  // CHECK: migrated [1, 2] {{.*}}: 32257.9999 -378.999999{{$}}
  %5 = vit.linear %x8, %w8, %b precision int8 migration dense<[254.0, 1.0]> : tensor<2xf32> : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // The same in steps of 0.5: 2, 2. 0.5 * 254 (2 * 127) = 32258; and 0.5 * 4 (2 * -127 + 2 * 32) + 1 = -379.
  // CHECK: both [1, 2] {{.*}}: 32258 -379{{$}}
  %6 = vit.linear %x8, %w8, %b precision int8 input_scale 5.0e-01 migration dense<[254.0, 1.0]> : tensor<2xf32> : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  // CHECK: input_gradient [1, 2] {{.*}}: 256 260{{$}}
  %7 = vit.linear_input_gradient %x, %w precision bf16 : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  // CHECK: weight_gradient [2, 2] {{.*}}: 65536 256 256 1{{$}}
  %8 = vit.linear_weight_gradient %x, %x precision bf16 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  // CHECK: bias_gradient [2] {{.*}}: 256 1{{$}}
  %9 = vit.sum_to %x precision bf16 : (tensor<1x2xf32>) -> tensor<2xf32>
  // p is 1/2, 1/2 and dp 256, 260, so ds is -1, 1; -256 + 260.
  // CHECK: query_gradient [1, 1, 1] {{.*}}: 4{{$}}
  %one = arith.constant dense<1.0> : tensor<1x1x1xf32>
  %zero = arith.constant dense<0.0> : tensor<1x1x1xf32>
  %10:3 = vit.attention_backward %one, %zero, %v, %v heads 1 scale 1.0 precision bf16 : (tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> (tensor<1x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>)
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10#0 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2x1xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<1x1x1xf32>
}

// tf32 has 11 significant bits, and halves are rounded away from zero: 2049 to 2050, 2051 to 2052, -2049 to -2050. It has
// the exponents of f32: beyond the largest number is infinity.
func.func @tf32() -> (tensor<1x3xf32> {vit.name = "halves"}, tensor<1x2x1xf32> {vit.name = "tf32_attention"}, tensor<1x1xf32> {vit.name = "largest"}, tensor<1x2xf32> {vit.name = "kernel"},
    tensor<2x2xf32> {vit.name = "kernel_gradient"}, tensor<2xf32> {vit.name = "kernel_bias"}, tensor<1x1x1xf32> {vit.name = "kernel_query_gradient"}) {
  // TF32: halves [1, 3] {{.*}}: 2050 2052 -2050{{$}}
  %one = arith.constant dense<1.0> : tensor<1x1xf32>
  %w = arith.constant dense<[[2049.0], [2051.0], [-2049.0]]> : tensor<3x1xf32>
  %0 = vit.linear %one, %w precision tf32 : (tensor<1x1xf32>, tensor<3x1xf32>) -> tensor<1x3xf32>
  // TF32: tf32_attention [1, 2, 1] {{.*}}: 2051 2051{{$}}
  %q = arith.constant dense<0.0> : tensor<1x2x1xf32>
  %v = arith.constant dense<[[[2049.0], [2051.0]]]> : tensor<1x2x1xf32>
  %1 = vit.attention %q, %q, %v heads 1 scale 1.0 precision tf32 : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
  // TF32: largest [1, 1] {{.*}}: inf{{$}}
  %large = arith.constant dense<3.4028235e+38> : tensor<1x1xf32>
  %2 = vit.linear %one, %large precision tf32 : (tensor<1x1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
  // Kernels round the operands themselves.
  // TF32: kernel [1, 2] {{.*}}: 2050 2052{{$}}
  %x = arith.constant dense<[[2049.0, 2051.0]]> : tensor<1x2xf32>
  %unit = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %3 = kernel.gemm %x, %unit tf32 {
  ^bb0(%sum: f32):
    kernel.yield %sum : f32
  } : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  // TF32: kernel_gradient [2, 2] {{.*}}: 2050 2050 2052 2052{{$}}
  // TF32: kernel_bias [2] {{.*}}: 2050 2052{{$}}
  %ones = arith.constant dense<1.0> : tensor<1x2xf32>
  %4:2 = kernel.weight_gradient %x, %ones tf32 : (tensor<1x2xf32>, tensor<1x2xf32>) -> (tensor<2x2xf32>, tensor<2xf32>)
  // p is 1/2, 1/2 and dp 2050, 2052, so ds is -1/2, 1/2; (2052 - 2050) / 2.
  // TF32: kernel_query_gradient [1, 1, 1] {{.*}}: 1{{$}}
  %dy = arith.constant dense<1.0> : tensor<1x1x1xf32>
  %zero = arith.constant dense<0.0> : tensor<1x1x1xf32>
  %5:3 = kernel.attention_backward %dy, %zero, %v, %v heads 1 head_dim 1 offsets [0, 0, 0] scale 1.0 tf32 : (tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> (tensor<1x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>)
  return %0, %1, %2, %3, %4#0, %4#1, %5#0 : tensor<1x3xf32>, tensor<1x2x1xf32>, tensor<1x1xf32>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<1x1x1xf32>
}
