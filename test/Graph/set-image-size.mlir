// RUN: vit-opt %s --vit-set-image-size=sizes=24x40 --split-input-file | FileCheck %s
// RUN: vit-opt %s --vit-set-image-size=sizes=16,24x40 --split-input-file | FileCheck %s --check-prefix=TWO

// Tokens are counted again, the table is resampled, the class token's row is
// not. A remainder of the picture is dropped: 40 = 4 * 9 + 4.

// CHECK:       module attributes
// CHECK-SAME:    vit.patch_grid = array<i64: 3, 4>
// CHECK-SAME:    height = 24 : i64
// CHECK-SAME:    resize_height = 27 : i64, resize_width = -44 : i64
// CHECK-SAME:    width = 40 : i64
// CHECK-LABEL: func.func @forward(
// CHECK-SAME:    tensor<?x1x24x40xf32>) -> (tensor<?x8xf32>, tensor<?x12x8xf32>)
// CHECK:         vit.patchify %{{.+}} patch [8, 9] {{.*}} -> tensor<?x12x72xf32>
// CHECK:         %[[TABLE:.+]] = vit.read @positions : tensor<5x8xf32>
// CHECK:         %[[NEW:.+]] = vit.resample_positions %[[TABLE]] from [2, 2] to [3, 4] prefix 1 antialias
// CHECK:         vit.add %[[NEW]], %{{.+}} : (tensor<13x8xf32>, tensor<?x13x8xf32>) -> tensor<?x13x8xf32>
// CHECK:         vit.layers 2 ({{.+}}) : tensor<?x13x8xf32>
// CHECK:           vit.attention {{.+}} -> (tensor<?x13x8xf32>, tensor<?x2x13x13xf32>)
// CHECK:           vit.drop_path {{.+}} : tensor<?x13x8xf32>
// CHECK:           vit.gelu erf {{.+}} : tensor<?x13x8xf32>
// CHECK:         vit.take_tokens {{.+}} from 1 count 12
// CHECK:         vit.take_tokens {{.+}} from 0 : (tensor<?x13x8xf32>) -> tensor<?x8xf32>

// TWO-LABEL: func.func @forward(
// TWO-SAME:    tensor<?x1x16x16xf32>
// TWO-LABEL: func.func @forward_24x40(
// TWO-SAME:    tensor<?x1x24x40xf32>
module attributes {
  vit.prefix_tokens = ["class"], vit.patch_grid = array<i64: 2, 2>, vit.resampling = "antialias",
  vit.preprocessing = {channels = 1, height = 16, width = 18, resize_height = 18, resize_width = -20}
} {
  vit.parameter @patch : tensor<8x72xf32>
  vit.parameter @token : tensor<1x8xf32>
  vit.parameter @positions : tensor<5x8xf32>
  func.func @forward(%image: tensor<?x1x16x18xf32>) -> (tensor<?x8xf32>, tensor<?x4x8xf32>) {
    %0 = vit.patchify %image patch [8, 9] order chw : (tensor<?x1x16x18xf32>) -> tensor<?x4x72xf32>
    %1 = vit.read @patch : tensor<8x72xf32>
    %2 = vit.linear %0, %1 : (tensor<?x4x72xf32>, tensor<8x72xf32>) -> tensor<?x4x8xf32>
    %3 = vit.read @token : tensor<1x8xf32>
    %4 = vit.prepend_tokens %2, %3 : (tensor<?x4x8xf32>, tensor<1x8xf32>) -> tensor<?x5x8xf32>
    %5 = vit.read @positions : tensor<5x8xf32>
    %6 = vit.add %5, %4 : (tensor<5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
    %7 = vit.layers 2 (%i, %x = %6) : tensor<?x5x8xf32> {
      %y, %p = vit.attention %x, %x, %x heads 2 scale 0.5
          : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> (tensor<?x5x8xf32>, tensor<?x2x5x5xf32>)
      vit.output "attention_{}"[%i] = %p : tensor<?x2x5x5xf32>
      %d = vit.drop_path %y probability 0.1 : tensor<?x5x8xf32>
      %z = vit.gelu erf %d : tensor<?x5x8xf32>
      vit.yield %z : tensor<?x5x8xf32>
    }
    %8 = vit.take_tokens %7 from 1 count 4 : (tensor<?x5x8xf32>) -> tensor<?x4x8xf32>
    %9 = vit.take_tokens %7 from 0 : (tensor<?x5x8xf32>) -> tensor<?x8xf32>
    return %9, %8 : tensor<?x8xf32>, tensor<?x4x8xf32>
  }
}

// -----

// A table that is resampled already is resampled to the new grid instead;
// computed positions are those of the new grid.

// CHECK-LABEL: func.func @resampled(
// CHECK:         vit.resample_positions %{{.+}} from [3, 3] to [3, 5] prefix 0 : (tensor<9x8xf32>) -> tensor<15x8xf32>
// CHECK:         vit.sincos_positions grid [3, 5] width 8 {{.+}} : tensor<15x8xf32>
// CHECK:         return %{{.+}} : tensor<?x15x8xf32>
vit.parameter @positions : tensor<9x8xf32>
func.func @resampled(%image: tensor<?x2x16x16xf32>) -> tensor<?x4x8xf32> {
  %0 = vit.patchify %image patch [8, 8] order hwc : (tensor<?x2x16x16xf32>) -> tensor<?x4x128xf32>
  %1 = vit.mean_tokens %0 from 0 : (tensor<?x4x128xf32>) -> tensor<?x128xf32>
  %2 = vit.read @positions : tensor<9x8xf32>
  %3 = vit.resample_positions %2 from [3, 3] to [2, 2] prefix 0 : (tensor<9x8xf32>) -> tensor<4x8xf32>
  %4 = vit.sincos_positions grid [2, 2] width 8 temperature 1.0e+04 : tensor<4x8xf32>
  %5 = vit.add %3, %4 : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %6 = vit.repeat_tokens %5 for %1 : (tensor<4x8xf32>, tensor<?x128xf32>) -> tensor<?x4x8xf32>
  return %6 : tensor<?x4x8xf32>
}

// -----

// An equal number of patches is another grid; what holds no patches stays.

// CHECK-LABEL: func.func @equal_count(
// CHECK:         vit.resample_positions %{{.+}} from [5, 3] to [3, 5] prefix 0 : (tensor<15x8xf32>) -> tensor<15x8xf32>
// CHECK:         vit.take_tokens %{{.+}} from 0 : (tensor<?x1x8xf32>) -> tensor<?x8xf32>
vit.parameter @patch : tensor<8x64xf32>
vit.parameter @positions : tensor<15x8xf32>
vit.parameter @query : tensor<1x8xf32>
func.func @equal_count(%image: tensor<?x1x40x24xf32>) -> tensor<?x8xf32> {
  %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x40x24xf32>) -> tensor<?x15x64xf32>
  %1 = vit.read @patch : tensor<8x64xf32>
  %2 = vit.linear %0, %1 : (tensor<?x15x64xf32>, tensor<8x64xf32>) -> tensor<?x15x8xf32>
  %3 = vit.read @positions : tensor<15x8xf32>
  %4 = vit.add %2, %3 : (tensor<?x15x8xf32>, tensor<15x8xf32>) -> tensor<?x15x8xf32>
  %5 = vit.read @query : tensor<1x8xf32>
  %6 = vit.repeat_tokens %5 for %4 : (tensor<1x8xf32>, tensor<?x15x8xf32>) -> tensor<?x1x8xf32>
  %7 = vit.attention %6, %4, %4 heads 1 scale 1.0 : (tensor<?x1x8xf32>, tensor<?x15x8xf32>, tensor<?x15x8xf32>) -> tensor<?x1x8xf32>
  %8 = vit.take_tokens %7 from 0 : (tensor<?x1x8xf32>) -> tensor<?x8xf32>
  return %8 : tensor<?x8xf32>
}

// -----

// Tables of relative positions are resampled, the last rows are kept. What is
// resampled already goes to the new grid. Entries for further sizes say their
// own grid and preparation; timm's share of the crop decides what is resized to.

// CHECK-LABEL: func.func @relative(
// CHECK:         %[[TABLE:.+]] = vit.read @table
// CHECK:         %[[OTHER:.+]] = vit.resample_positions %{{.+}} from [5, 5] to [5, 9] prefix 0 suffix 3 filter geometric
// CHECK:         %[[NEW:.+]] = vit.resample_positions %[[TABLE]] from [3, 3] to [5, 9] prefix 0 suffix 3 filter geometric : (tensor<12x2xf32>) -> tensor<48x2xf32>
// CHECK:         vit.relative_positions %[[NEW]], %[[OTHER]] grid [3, 5] prefix 1 : (tensor<48x2xf32>, tensor<48x2xf32>) -> tensor<2x16x16xf32>

// TWO:       module attributes
// TWO-SAME:    vit.patch_grid = array<i64: 2, 2>, vit.prefix_tokens = ["class"], vit.preprocessing = {crop_pct = 9.000000e-01 : f64, height = 16 : i64, resize_height = 17 : i64, resize_width = -1 : i64, width = 16 : i64}
// TWO-LABEL: func.func @relative_24x40(
// TWO-SAME:    attributes {vit.patch_grid = array<i64: 3, 5>, vit.preprocessing = {crop_pct = 9.000000e-01 : f64, height = 24 : i64, resize_height = 26 : i64, resize_width = -44 : i64, width = 40 : i64}}
module attributes {
  vit.prefix_tokens = ["class"], vit.patch_grid = array<i64: 2, 2>, vit.resampling = "antialias",
  vit.preprocessing = {height = 16, width = 16, resize_height = 17, resize_width = -1, crop_pct = 0.9 : f64}
} {
  vit.parameter @patch : tensor<8x64xf32>
  vit.parameter @token : tensor<1x8xf32>
  vit.parameter @table : tensor<12x2xf32>
  vit.parameter @larger : tensor<28x2xf32>
  func.func @relative(%image: tensor<?x1x16x16xf32>) -> tensor<?x5x8xf32> {
    %0 = vit.patchify %image patch [8, 8] order chw : (tensor<?x1x16x16xf32>) -> tensor<?x4x64xf32>
    %1 = vit.read @patch : tensor<8x64xf32>
    %2 = vit.linear %0, %1 : (tensor<?x4x64xf32>, tensor<8x64xf32>) -> tensor<?x4x8xf32>
    %3 = vit.read @token : tensor<1x8xf32>
    %4 = vit.prepend_tokens %2, %3 : (tensor<?x4x8xf32>, tensor<1x8xf32>) -> tensor<?x5x8xf32>
    %5 = vit.read @larger : tensor<28x2xf32>
    %6 = vit.read @table : tensor<12x2xf32>
    %7 = vit.resample_positions %5 from [5, 5] to [3, 3] prefix 0 suffix 3 filter geometric : (tensor<28x2xf32>) -> tensor<12x2xf32>
    %8 = vit.relative_positions %6, %7 grid [2, 2] prefix 1 : (tensor<12x2xf32>, tensor<12x2xf32>) -> tensor<2x5x5xf32>
    %9 = vit.attention %4, %4, %4 bias %8 heads 2 scale 0.5 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<2x5x5xf32>) -> tensor<?x5x8xf32>
    return %9 : tensor<?x5x8xf32>
  }
}
