// RUN: vit-interpret %s --values=-1 | FileCheck %s

// bf16 has 8 significant bits: 257 is rounded to 256, 259 to 260.
func.func @forward() -> (tensor<1x2xf32> {vit.name = "exact"}, tensor<1x2xf32> {vit.name = "rounded"}, tensor<1x2x1xf32> {vit.name = "attention"}, tensor<1x2xf32> {vit.name = "integers"}) {
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
  return %0, %1, %2, %3 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2x1xf32>, tensor<1x2xf32>
}
