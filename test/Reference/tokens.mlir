// RUN: vit-interpret %s --values=-1 | FileCheck %s

func.func @forward() -> (tensor<1x2x8xf32> {vit.name = "chw"}, tensor<1x2x8xf32> {vit.name = "hwc"},
    tensor<2x3x2xf32> {vit.name = "prepended"}, tensor<2x2xf32> {vit.name = "first"}, tensor<2x2x2xf32> {vit.name = "last_two"},
    tensor<2x2xf32> {vit.name = "mean"}, tensor<2x2xf32> {vit.name = "mean_of_last_two"},
    tensor<1x1x6xf32> {vit.name = "remainder"}, tensor<2x1x2xf32> {vit.name = "repeated"}, tensor<2x2x4xf32> {vit.name = "wide"}, tensor<2x2x3xf32> {vit.name = "channels"}, tensor<1x2x2x4xf32> {vit.name = "image"}) {
  // Two channels of 2x4: the patches are the left and the right half.
  %image = arith.constant dense<[[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]],
                                  [[-1.0, -2.0, -3.0, -4.0], [-5.0, -6.0, -7.0, -8.0]]]]> : tensor<1x2x2x4xf32>
  // CHECK: chw [1, 2, 8] {{.*}}: 1 2 5 6 -1 -2 -5 -6 3 4 7 8 -3 -4 -7 -8{{$}}
  %chw = vit.patchify %image patch [2, 2] order chw : (tensor<1x2x2x4xf32>) -> tensor<1x2x8xf32>
  // CHECK: hwc [1, 2, 8] {{.*}}: 1 -1 2 -2 5 -5 6 -6 3 -3 4 -4 7 -7 8 -8{{$}}
  %hwc = vit.patchify %image patch [2, 2] order hwc : (tensor<1x2x2x4xf32>) -> tensor<1x2x8xf32>

  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]> : tensor<2x2x2xf32>
  %cls = arith.constant dense<[[-1.0, -2.0]]> : tensor<1x2xf32>
  // CHECK: prepended [2, 3, 2] {{.*}}: -1 -2 1 2 3 4 -1 -2 5 6 7 8{{$}}
  %prepended = vit.prepend_tokens %x, %cls : (tensor<2x2x2xf32>, tensor<1x2xf32>) -> tensor<2x3x2xf32>
  // CHECK: first [2, 2] {{.*}}: -1 -2 -1 -2{{$}}
  %first = vit.take_tokens %prepended from 0 : (tensor<2x3x2xf32>) -> tensor<2x2xf32>
  // CHECK: last_two [2, 2, 2] {{.*}}: 1 2 3 4 5 6 7 8{{$}}
  %last = vit.take_tokens %prepended from 1 count 2 : (tensor<2x3x2xf32>) -> tensor<2x2x2xf32>
  // CHECK: mean [2, 2] {{.*}}: 1 1.33333333 3.66666667 4{{$}}
  %mean = vit.mean_tokens %prepended from 0 : (tensor<2x3x2xf32>) -> tensor<2x2xf32>
  // CHECK: mean_of_last_two [2, 2] {{.*}}: 2 3 6 7{{$}}
  %mean1 = vit.mean_tokens %prepended from 1 : (tensor<2x3x2xf32>) -> tensor<2x2xf32>
  // The last line and column are dropped.
  // CHECK: remainder [1, 1, 6] {{.*}}: 1 2 3 -1 -2 -3{{$}}
  %remainder = vit.patchify %image patch [1, 3] order chw : (tensor<1x2x2x4xf32>) -> tensor<1x2x6xf32>
  %upper = vit.take_tokens %remainder from 0 count 1 : (tensor<1x2x6xf32>) -> tensor<1x1x6xf32>
  // CHECK: repeated [2, 1, 2] {{.*}}: -1 -2 -1 -2{{$}}
  %repeated = vit.repeat_tokens %cls for %x : (tensor<1x2xf32>, tensor<2x2x2xf32>) -> tensor<2x1x2xf32>
  // CHECK: wide [2, 2, 4] {{.*}}: 1 2 1 2 3 4 3 4 5 6 5 6 7 8 7 8{{$}}
  %wide = vit.concat_channels %x, %x : (tensor<2x2x2xf32>, tensor<2x2x2xf32>) -> tensor<2x2x4xf32>
  // CHECK: channels [2, 2, 3] {{.*}}: 2 1 2 4 3 4 6 5 6 8 7 8{{$}}
  %channels = vit.take_channels %wide from 1 count 3 : (tensor<2x2x4xf32>) -> tensor<2x2x3xf32>
  // CHECK: image [1, 2, 2, 4] {{.*}}: 1 2 3 0 5 6 7 0 -1 -2 -3 0 -5 -6 -7 0{{$}}
  %back = vit.unpatchify %remainder patch [1, 3] order chw : (tensor<1x2x6xf32>) -> tensor<1x2x2x4xf32>
  return %chw, %hwc, %prepended, %first, %last, %mean, %mean1, %upper, %repeated, %wide, %channels, %back : tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<2x3x2xf32>, tensor<2x2xf32>, tensor<2x2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<1x1x6xf32>, tensor<2x1x2xf32>, tensor<2x2x4xf32>, tensor<2x2x3xf32>, tensor<1x2x2x4xf32>
}
