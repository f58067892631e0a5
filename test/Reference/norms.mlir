// RUN: vit-interpret %s --values=-1 | FileCheck %s

// Expected values: numpy.
func.func @forward() -> (tensor<1x4xf32> {vit.name = "layer_norm"}, tensor<1x4xf32> {vit.name = "groups"}, tensor<1x4xf32> {vit.name = "softmax"}, tensor<1x2xf32> {vit.name = "large"}, tensor<1x4xf32> {vit.name = "rms"}, tensor<1x4xf32> {vit.name = "rms_groups"}, tensor<2x2xf32> {vit.name = "l2"}) {
  %x = arith.constant dense<[[1.0, 2.0, 4.0, -1.0]]> : tensor<1x4xf32>
  %s = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %b = arith.constant dense<[0.5, 0.0, 0.0, -1.0]> : tensor<4xf32>
  // CHECK: layer_norm [1, 4] {{.*}}: 0.222650329 0.554699343 4.16024507 -6.54699343{{$}}
  %0 = vit.layer_norm %x scale %s bias %b epsilon 1.0e-5 : (tensor<1x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  %s2 = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b2 = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  // CHECK: groups [1, 4] {{.*}}: -0.499980001 1.49996 1.4999992 -2.4999984{{$}}
  %1 = vit.layer_norm %x scale %s2 bias %b2 epsilon 1.0e-5 groups 2 : (tensor<1x4xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x4xf32>
  // CHECK: softmax [1, 4] {{.*}}: 0.0417725705 0.113549619 0.839024507 0.00565330266{{$}}
  %2 = vit.softmax %x : tensor<1x4xf32>
  // The maximum is subtracted: no infinity, no NaN.
  %huge = arith.constant dense<[[1.0e+4, 1.0e+4]]> : tensor<1x2xf32>
  // CHECK: large [1, 2] {{.*}}: 0.5 0.5{{$}}
  %3 = vit.softmax %huge : tensor<1x2xf32>
  // CHECK: rms [1, 4] {{.*}}: 0.40824829 1.63299316 4.89897949 -1.63299316{{$}}
  %4 = vit.rms_norm %x scale %s epsilon 0.5 : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32>
  // CHECK: rms_groups [1, 4] {{.*}}: 0.577350269 1.15470054 1.33333333 -0.333333333{{$}}
  %5 = vit.rms_norm %x epsilon 0.5 groups 2 : (tensor<1x4xf32>) -> tensor<1x4xf32>
  // The second row's norm is below epsilon.
  %y = arith.constant dense<[[3.0, 4.0], [0.0, 0.5]]> : tensor<2x2xf32>
  // CHECK: l2 [2, 2] {{.*}}: 0.6 0.8 0 0.5{{$}}
  %6 = vit.l2_normalize %y epsilon 1.0 : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0, %1, %2, %3, %4, %5, %6 : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x2xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<2x2xf32>
}
