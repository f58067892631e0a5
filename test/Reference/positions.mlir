// RUN: vit-interpret %s --values=-1 | FileCheck %s

// Expected values: the sine-cosine table by vit-pytorch's formula in numpy;
// bicubic resampling by torch's formula in numpy; antialiased resampling by
// Pillow's resize of a float picture, which uses single precision.
func.func @forward() -> (tensor<4x8xf32> {vit.name = "sincos"}, tensor<10x1xf32> {vit.name = "up"}, tensor<4x1xf32> {vit.name = "down"},
    tensor<9x1xf32> {vit.name = "up_antialiased"}, tensor<4x1xf32> {vit.name = "down_antialiased"}, tensor<4x1xf32> {vit.name = "same"}, tensor<18x1xf32> {vit.name = "linear"},
    tensor<8x1xf32> {vit.name = "geometric"}, tensor<9x1xf32> {vit.name = "spread"}, tensor<2x8xf32> {vit.name = "exclusive"}) {
  // CHECK: sincos [4, 8] {{.*}}: 0 0 1 1 0 0 1 1 0.841470985 9.99999998e-05 0.540302306 0.999999995 0 0 1 1 0 0 1 1 0.841470985 9.99999998e-05 0.540302306 0.999999995 0.841470985 9.99999998e-05 0.540302306 0.999999995 0.841470985 9.99999998e-05 0.540302306 0.999999995{{$}}
  %sincos = vit.sincos_positions grid [2, 2] width 8 temperature 10000.0 : tensor<4x8xf32>

  // The prefix (position of the class token) is copied.
  %small = arith.constant dense<[[100.0], [1.0], [2.0], [4.0], [-8.0]]> : tensor<5x1xf32>
  // CHECK: up [10, 1] {{.*}}: 100 0.55482012 1.80381944 3.05281877 2.97743056 -0.25 -3.47743056 5.40004099 -2.30381944 -10.0076799{{$}}
  %up = vit.resample_positions %small from [2, 2] to [3, 3] prefix 1 : (tensor<5x1xf32>) -> tensor<10x1xf32>

  %large = arith.constant dense<[[0.0], [0.25], [1.0], [2.25], [4.0], [6.25], [9.0], [12.25], [16.0], [20.25], [25.0], [30.25], [36.0], [42.25], [49.0], [56.25]]> : tensor<16x1xf32>
  // CHECK: down [4, 1] {{.*}}: 1.25976562 4.67773438 29.2871094 42.2753906{{$}}
  %down = vit.resample_positions %large from [4, 4] to [2, 2] prefix 0 : (tensor<16x1xf32>) -> tensor<4x1xf32>

  %square = arith.constant dense<[[1.0], [2.0], [4.0], [-8.0]]> : tensor<4x1xf32>
  // CHECK: up_antialiased [9, 1] {{.*}}: 0.68057{{[0-9]*}} 1.73026{{[0-9]*}} 2.77995{{[0-9]*}} 2.86184{{[0-9]*}} -0.25 -3.36184{{[0-9]*}} 5.0431{{[0-9]*}} -2.23026{{[0-9]*}} -9.5036{{[0-9]*}}{{$}}
  %up_antialiased = vit.resample_positions %square from [2, 2] to [3, 3] prefix 0 antialias : (tensor<4x1xf32>) -> tensor<9x1xf32>
  // CHECK: down_antialiased [4, 1] {{.*}}: 3.25266{{[0-9]*}} 6.76593{{[0-9]*}} 27.3134{{[0-9]*}} 37.4985{{[0-9]*}}{{$}}
  %down_antialiased = vit.resample_positions %large from [4, 4] to [2, 2] prefix 0 antialias : (tensor<16x1xf32>) -> tensor<4x1xf32>
  // CHECK: same [4, 1] {{.*}}: 1 2 4 -8{{$}}
  %same = vit.resample_positions %square from [2, 2] to [2, 2] prefix 0 : (tensor<4x1xf32>) -> tensor<4x1xf32>
  // As torch and timm; the last rows are copied.
  %relative = arith.constant dense<[[1.0], [2.0], [4.0], [-8.0], [3.0], [0.5], [7.0], [-2.0], [6.0], [10.0], [20.0], [30.0]]> : tensor<12x1xf32>
  // CHECK: linear [18, 1] {{.*}}: 1 2 4 -2.6 2.4 2.6 -8 3 0.5 1 {{.*}} 3.8 7 -2 6 10 20 30{{$}}
  %linear = vit.resample_positions %relative from [3, 3] to [5, 3] prefix 0 suffix 3 filter linear : (tensor<12x1xf32>) -> tensor<18x1xf32>
  // CHECK: geometric [8, 1] {{.*}}: -8 -8 3 0.5 0.5 10 20 30{{$}}
  %geometric = vit.resample_positions %relative from [3, 3] to [1, 5] prefix 0 suffix 3 filter geometric : (tensor<12x1xf32>) -> tensor<8x1xf32>
  %five = arith.constant dense<[[1.0], [2.0], [4.0], [-8.0], [3.0]]> : tensor<5x1xf32>
  // CHECK: spread [9, 1] {{.*}}: 1 1 1.3333{{.*}} 2 4 -8 -0.6666{{.*}} 3 3{{$}}
  %spread = vit.resample_positions %five from [5, 1] to [9, 1] prefix 0 filter geometric : (tensor<5x1xf32>) -> tensor<9x1xf32>
  // The second frequency is 10000^(-1/2).
  // CHECK: exclusive [2, 8] {{.*}}: 0 0 1 1 0 0 1 1 0.841470985 0.00999983333 0.540302306 0.99995 0 0 1 1{{$}}
  %exclusive = vit.sincos_positions grid [1, 2] width 8 temperature 10000.0 exclusive : tensor<2x8xf32>
  return %sincos, %up, %down, %up_antialiased, %down_antialiased, %same, %linear, %geometric, %spread, %exclusive : tensor<4x8xf32>, tensor<10x1xf32>, tensor<4x1xf32>, tensor<9x1xf32>, tensor<4x1xf32>, tensor<4x1xf32>, tensor<18x1xf32>, tensor<8x1xf32>, tensor<9x1xf32>, tensor<2x8xf32>
}
