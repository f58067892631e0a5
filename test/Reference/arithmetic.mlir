// RUN: vit-interpret %s --values=-1 | FileCheck %s

func.func @forward() -> (tensor<2x2x2xf32> {vit.name = "add"}, tensor<2x3xf32> {vit.name = "outer"}, tensor<2x2x2xf32> {vit.name = "mul"},
    tensor<2x2x2xf32> {vit.name = "scale"}, tensor<2x2x2xf32> {vit.name = "layer_scale"}, tensor<2x2x2xf32> {vit.name = "dropped"}) {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]> : tensor<2x2x2xf32>
  %p = arith.constant dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  // CHECK: add [2, 2, 2] {{.*}}: 11 22 33 44 15 26 37 48{{$}}
  %0 = vit.add %p, %x : (tensor<2x2xf32>, tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %c = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %r = arith.constant dense<[[3.0, 4.0, 5.0]]> : tensor<1x3xf32>
  // CHECK: outer [2, 3] {{.*}}: 3 4 5 6 8 10{{$}}
  %1 = vit.mul %c, %r : (tensor<2x1xf32>, tensor<1x3xf32>) -> tensor<2x3xf32>
  // CHECK: mul [2, 2, 2] {{.*}}: 1 2 6 8 5 6 14 16{{$}}
  %2 = vit.mul %x, %c : (tensor<2x2x2xf32>, tensor<2x1xf32>) -> tensor<2x2x2xf32>
  // CHECK: scale [2, 2, 2] {{.*}}: -0.5 -1 -1.5 -2 -2.5 -3 -3.5 -4{{$}}
  %3 = vit.scale %x by -0.5 : tensor<2x2x2xf32>
  %g32 = arith.constant dense<[1.0, 0.25]> : tensor<2xf32>
  // CHECK: layer_scale [2, 2, 2] {{.*}}: 1 0.5 3 1 5 1.5 7 2{{$}}
  %4 = vit.layer_scale %x, %g32 : (tensor<2x2x2xf32>, tensor<2xf32>) -> tensor<2x2x2xf32>
  // CHECK: dropped [2, 2, 2] {{.*}}: 1 2 3 4 5 6 7 8{{$}}
  %5 = vit.dropout %x probability 0.5 : tensor<2x2x2xf32>
  %6 = vit.drop_path %5 probability 0.5 : tensor<2x2x2xf32>
  return %0, %1, %2, %3, %4, %6 : tensor<2x2x2xf32>, tensor<2x3xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32>
}
