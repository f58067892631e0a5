// RUN: vit-interpret %s --values=-1 | FileCheck %s
// RUN: vit-interpret %s --values=-1 --entry as_kernel | FileCheck %s

// Two heads of two channels, two queries, three keys. Expected values: numpy.
// CHECK: out [1, 2, 4] {{.*}}: 2.65327412 3.65327412 2.30391409 2.36111652 1.16348269 2.16348269 2.39470783 2.57488375{{$}}
// CHECK: p [1, 2, 2, 3] {{.*}}: 0.307195886 0.506480391 0.186323723 0.383651731 0.232696538 0.383651731 0.231223898 0.140244383 0.628531719 0.33149896 0.121951652 0.546549387{{$}}
func.func @forward() -> (tensor<1x2x4xf32> {vit.name = "out"}, tensor<1x2x2x3xf32> {vit.name = "p"}) {
  %q = arith.constant dense<[[[1.0, 0.0, 2.0, -1.0], [0.0, 1.0, 1.0, 1.0]]]> : tensor<1x2x4xf32>
  %k = arith.constant dense<[[[1.0, 1.0, 0.0, 1.0], [2.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 1.0]]]> : tensor<1x3x4xf32>
  %v = arith.constant dense<[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [-1.0, 0.0, 1.0, 0.5]]]> : tensor<1x3x4xf32>
  %0, %p = vit.attention %q, %k, %v heads 2 scale 0.5 : (tensor<1x2x4xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> (tensor<1x2x4xf32>, tensor<1x2x2x3xf32>)
  return %0, %p : tensor<1x2x4xf32>, tensor<1x2x2x3xf32>
}

// The same with keys and values in one tensor after an unused channel.
func.func @as_kernel() -> (tensor<1x2x4xf32> {vit.name = "out"}, tensor<1x2x2x3xf32> {vit.name = "p"}) {
  %q = arith.constant dense<[[[1.0, 0.0, 2.0, -1.0], [0.0, 1.0, 1.0, 1.0]]]> : tensor<1x2x4xf32>
  %kv = arith.constant dense<[[[9.0, 1.0, 1.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0], [9.0, 2.0, 0.0, -1.0, 0.0, 5.0, 6.0, 7.0, 8.0], [9.0, 0.0, 1.0, 1.0, 1.0, -1.0, 0.0, 1.0, 0.5]]]> : tensor<1x3x9xf32>
  %0, %p = kernel.attention %q, %kv, %kv heads 2 head_dim 2 offsets [0, 1, 5] scale 0.5 : (tensor<1x2x4xf32>, tensor<1x3x9xf32>, tensor<1x3x9xf32>) -> (tensor<1x2x4xf32>, tensor<1x2x2x3xf32>)
  return %0, %p : tensor<1x2x4xf32>, tensor<1x2x2x3xf32>
}
