// RUN: vit-interpret %s --values=-1 | FileCheck %s

// The epilogue of each family, and layouts, which do not change values.
func.func @forward() -> (tensor<1x2x3xf32> {vit.name = "gemm"}, tensor<1x2x2xf32> {vit.name = "rows"}, tensor<1x2x2xf32> {vit.name = "softmax"},
    tensor<1x2x2xf32> {vit.name = "map"}, tensor<1x3x2xf32> {vit.name = "prepend"}, tensor<1x1x2xf32> {vit.name = "take"},
    tensor<1x2xf32> {vit.name = "take_one"}, tensor<1x2xf32> {vit.name = "mean"}, tensor<1x2x2xf32> {vit.name = "relayout"},
    tensor<5x2xf32> {vit.name = "derive"}, tensor<4xf32> {vit.name = "fill"}, tensor<3x2xf32> {vit.name = "resample"},
    tensor<1x2x2xf32> {vit.name = "patchify"}, tensor<1x2x2xf32> {vit.name = "compare"}) {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, -4.0]]]> : tensor<1x2x2xf32>
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]> : tensor<3x2xf32>
  %b = arith.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
  %t = arith.constant dense<[[100.0, 200.0, 300.0], [400.0, 500.0, 600.0]]> : tensor<2x3xf32>
  // CHECK: gemm [1, 2, 3] {{.*}}: 111 222 330 413 516 640{{$}}
  %gemm = kernel.gemm %x, %w extras(%b, %t : tensor<3xf32>, tensor<2x3xf32>) {
  ^bb0(%acc: f32, %bias: f32, %table: f32):
    %0 = arith.addf %acc, %bias : f32
    %1 = arith.addf %0, %table : f32
    kernel.yield %1 : f32
  } : (tensor<1x2x2xf32>, tensor<3x2xf32>) -> tensor<1x2x3xf32>
  %s = arith.constant dense<[2.0, 3.0]> : tensor<2xf32>
  // (1 - 1.5) / sqrt(0.25 + 0.75) = -0.5
  // CHECK: rows [1, 2, 2] {{.*}}: -1 1.5 1.94145069 -2.91217603{{$}}
  %rows = kernel.rows normalize %x extras(%s : tensor<2xf32>) epsilon 0.75 {
  ^bb0(%n: f32, %scale: f32):
    %0 = arith.mulf %n, %scale : f32
    kernel.yield %0 : f32
  } : tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  // CHECK: softmax [1, 2, 2] {{.*}}: 0.268941421 0.731058579 0.999088949 0.000911051194{{$}}
  %softmax = kernel.rows softmax %x epsilon 0.0 {
  ^bb0(%n: f32):
    kernel.yield %n : f32
  } : tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  // CHECK: map [1, 2, 2] {{.*}}: 2 5 10 17{{$}}
  %map = kernel.map %x extras(%x : tensor<1x2x2xf32>) {
  ^bb0(%a: f32, %c: f32):
    %one = arith.constant 1.0 : f32
    %0 = math.fma %a, %c, %one : f32
    kernel.yield %0 : f32
  } : tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  %cls = arith.constant dense<[[-1.0, -2.0]]> : tensor<1x2xf32>
  %pos = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  // CHECK: prepend [1, 3, 2] {{.*}}: 0 0 4 6 8 2{{$}}
  %prepend = kernel.prepend %x, %cls extras(%pos : tensor<3x2xf32>) {
  ^bb0(%a: f32, %p: f32):
    %0 = arith.addf %a, %p : f32
    kernel.yield %0 : f32
  } : (tensor<1x2x2xf32>, tensor<1x2xf32>) -> tensor<1x3x2xf32>
  // CHECK: take [1, 1, 2] {{.*}}: 3 -4{{$}}
  %take = kernel.take %x from 1 : (tensor<1x2x2xf32>) -> tensor<1x1x2xf32>
  // CHECK: take_one [1, 2] {{.*}}: 3 -4{{$}}
  %take_one = kernel.take %x from 1 : (tensor<1x2x2xf32>) -> tensor<1x2xf32>
  // CHECK: mean [1, 2] {{.*}}: 2 -1{{$}}
  %mean = kernel.mean %x from 0 : (tensor<1x2x2xf32>) -> tensor<1x2xf32>
  // CHECK: relayout [1, 2, 2] {{.*}}: 1 2 3 -4{{$}}
  %blocked = kernel.relayout %x : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32, #kernel.blocked<rows = 6>>
  %relayout = kernel.relayout %blocked : (tensor<1x2x2xf32, #kernel.blocked<rows = 6>>) -> tensor<1x2x2xf32>
  %two = arith.constant dense<[[7.0, 8.0], [9.0, 10.0]]> : tensor<2x2xf32>
  // CHECK: derive [5, 2] {{.*}}: 1 0 0 1 2 -1 7 8 9 10{{$}}
  %derive = kernel.derive %w, %two : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  %number = arith.constant dense<[3.0]> : tensor<1xf32>
  // CHECK: fill [4] {{.*}}: 3 3 3 3{{$}}
  %fill = kernel.derive %number : (tensor<1xf32>) -> tensor<4xf32>
  // Two equal positions stay equal on any grid.
  %table = arith.constant dense<[[5.0, 6.0], [1.0, 2.0]]> : tensor<2x2xf32>
  // CHECK: resample [3, 2] {{.*}}: 5 6 1 2 1 2{{$}}
  %resample = kernel.resample %table from [1, 1] to [1, 2] prefix 1 : (tensor<2x2xf32>) -> tensor<3x2xf32>
  %image = arith.constant dense<[[[[1.0, 2.0], [3.0, 4.0]]]]> : tensor<1x1x2x2xf32>
  // CHECK: patchify [1, 2, 2] {{.*}}: 1 3 2 4{{$}}
  %patchify = kernel.patchify %image patch [2, 1] order chw : (tensor<1x1x2x2xf32>) -> tensor<1x2x2xf32>
  // max(x, 0) as scalar code.
  // CHECK: compare [1, 2, 2] {{.*}}: 1 2 3 0{{$}}
  %compare = kernel.map %x {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %less = arith.cmpf olt, %a, %zero : f32
    %0 = arith.select %less, %zero, %a : f32
    kernel.yield %0 : f32
  } : tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  return %gemm, %rows, %softmax, %map, %prepend, %take, %take_one, %mean, %relayout, %derive, %fill, %resample, %patchify, %compare : tensor<1x2x3xf32>, tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1x3x2xf32>, tensor<1x1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2x2xf32>, tensor<5x2xf32>, tensor<4xf32>, tensor<3x2xf32>, tensor<1x2x2xf32>, tensor<1x2x2xf32>
}
