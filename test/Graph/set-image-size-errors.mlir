// RUN: vit-opt %s --vit-set-image-size=sizes=24 --split-input-file --verify-diagnostics

func.func @no_picture(%x: tensor<?x4x8xf32>) -> tensor<?x4x8xf32> { // expected-error {{no argument is a picture that is split into patches, so its size cannot be changed}}
  return %x : tensor<?x4x8xf32>
}

// -----

func.func @small(%image: tensor<?x1x64x32xf32>) -> tensor<?x2x1024xf32> {
  // expected-error @+1 {{the image size 24 x 24 (height x width) is less than a patch of 32 x 32; use 32x32}}
  %0 = vit.patchify %image patch [32, 32] order chw : (tensor<?x1x64x32xf32>) -> tensor<?x2x1024xf32>
  return %0 : tensor<?x2x1024xf32>
}

// -----

// vit-pytorch's rearrangement has no remainder.
func.func @remainder(%image: tensor<?x1x16x16xf32>) -> tensor<?x1x256xf32> {
  // expected-error @+1 {{the image size 24 x 24 (height x width) is not a whole number of patches of 16 x 16; use 16x16}}
  %0 = vit.patchify %image patch [16, 16] order hwc : (tensor<?x1x16x16xf32>) -> tensor<?x1x256xf32>
  return %0 : tensor<?x1x256xf32>
}

// -----

module attributes {vit.resampling = "none"} {
  vit.parameter @positions : tensor<4x64xf32>
  func.func @not_resampled(%image: tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32> {
    %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32>
    %1 = vit.read @positions : tensor<4x64xf32>
    // expected-error @+1 {{the library of this model does not resample its position table, which is for pictures of 16 x 16, to 24 x 24}}
    %2 = vit.add %0, %1 : (tensor<?x4x64xf32>, tensor<4x64xf32>) -> tensor<?x4x64xf32>
    return %2 : tensor<?x4x64xf32>
  }
}

// -----

vit.parameter @positions : tensor<1x4x64xf32>
func.func @rank(%image: tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32> {
  %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32>
  %1 = vit.read @positions : tensor<1x4x64xf32>
  // expected-error @+1 {{'tensor<1x4x64xf32>' is no table of positions [tokens, width], which could be resampled from 2 x 2 patches to 3 x 3}}
  %2 = vit.add %0, %1 : (tensor<?x4x64xf32>, tensor<1x4x64xf32>) -> tensor<?x4x64xf32>
  return %2 : tensor<?x4x64xf32>
}

// -----

func.func @some(%image: tensor<?x1x16x16xf32>) -> tensor<?x2x64xf32> {
  %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32>
  // expected-error @+1 {{takes some of the patches of 2 x 2, which other image sizes do not have}}
  %1 = vit.take_tokens %0 from 1 count 2 : (tensor<?x4x64xf32>) -> tensor<?x2x64xf32>
  return %1 : tensor<?x2x64xf32>
}

// -----

module attributes {vit.resampling = "none"} {
  vit.parameter @table : tensor<9x2xf32>
  func.func @relative(%image: tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32> {
    %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32>
    %1 = vit.read @table : tensor<9x2xf32>
    // expected-error @+1 {{the library of this model does not resample its position table, which is for pictures of 16 x 16, to 24 x 24}}
    %2 = vit.relative_positions %1 grid [2, 2] prefix 0 : (tensor<9x2xf32>) -> tensor<2x4x4xf32>
    %3 = vit.attention %0, %0, %0 bias %2 heads 2 scale 0.5 : (tensor<?x4x64xf32>, tensor<?x4x64xf32>, tensor<?x4x64xf32>, tensor<2x4x4xf32>) -> tensor<?x4x64xf32>
    return %3 : tensor<?x4x64xf32>
  }
}
