// RUN: vit-interpret %s --values=-1 | FileCheck %s

func.func @forward() -> (tensor<1x2x3xf32> {vit.name = "no_bias"}, tensor<1x3xf32> {vit.name = "bias"}, tensor<1x10xf32> {vit.name = "ten"}) {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, -4.0]]]> : tensor<1x2x2xf32>
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, 0.25, -10.0]> : tensor<3xf32>
  // CHECK: no_bias [1, 2, 3] {{.*}}: 1 2 0 3 -4 10{{$}}
  %0 = vit.linear %x, %w : (tensor<1x2x2xf32>, tensor<3x2xf32>) -> tensor<1x2x3xf32>
  %r = vit.take_tokens %x from 1 : (tensor<1x2x2xf32>) -> tensor<1x2xf32>
  // CHECK: bias [1, 3] {{.*}}: 3.5 -3.75 0{{$}}
  %1 = vit.linear %r, %w, %b : (tensor<1x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  // A block of eight outputs, and two more.
  %w10 = arith.constant dense<[[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [5.0, 1.0], [6.0, 1.0], [7.0, 1.0], [8.0, 1.0], [9.0, 1.0], [10.0, 1.0]]> : tensor<10x2xf32>
  // CHECK: ten [1, 10] {{.*}}: -1 2 5 8 11 14 17 20 23 26{{$}}
  %2 = vit.linear %r, %w10 : (tensor<1x2xf32>, tensor<10x2xf32>) -> tensor<1x10xf32>
  return %0, %1, %2 : tensor<1x2x3xf32>, tensor<1x3xf32>, tensor<1x10xf32>
}
