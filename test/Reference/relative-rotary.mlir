// RUN: vit-interpret %s --values=-1 | FileCheck %s

// Expected values: transformers' formula of relative_position_index (BEiT), the
// angles of DINOv3 and of timm's Perception Encoder, and the rotations of
// rotate_half and of neighbours, each computed in Python.
func.func @forward() -> (tensor<1x3x3xf32> {vit.name = "bias"}, tensor<1x3x3xf32> {vit.name = "sum"}, tensor<1x2x2xf32> {vit.name = "patches"},
    tensor<6x1xf32> {vit.name = "gradient"}, tensor<2x4xf32> {vit.name = "centered"}, tensor<2x4xf32> {vit.name = "xy"},
    tensor<1x2x8xf32> {vit.name = "halves"}, tensor<1x2x8xf32> {vit.name = "neighbours"}, tensor<1x2x8xf32> {vit.name = "back"},
    tensor<1x3x2xf32> {vit.name = "attention"}) {
  %table = arith.constant dense<[[10.0], [20.0], [30.0], [40.0], [50.0], [60.0]]> : tensor<6x1xf32>
  // CHECK: bias [1, 3, 3] {{.*}}: 60 40 40 50 20 10 50 30 20{{$}}
  %bias = vit.relative_positions %table grid [1, 2] prefix 1 : (tensor<6x1xf32>) -> tensor<1x3x3xf32>
  // CHECK: sum [1, 3, 3] {{.*}}: 120 80 80 100 40 20 100 60 40{{$}}
  %sum = vit.relative_positions %table, %table grid [1, 2] prefix 1 : (tensor<6x1xf32>, tensor<6x1xf32>) -> tensor<1x3x3xf32>
  %distances = arith.constant dense<[[10.0], [20.0], [30.0]]> : tensor<3x1xf32>
  // CHECK: patches [1, 2, 2] {{.*}}: 20 10 30 20{{$}}
  %patches = vit.relative_positions %distances grid [2, 1] prefix 0 : (tensor<3x1xf32>) -> tensor<1x2x2xf32>
  // CHECK: gradient [6, 1] {{.*}}: 10 40 30 80 100 60{{$}}
  %gradient = vit.relative_positions_backward %bias grid [1, 2] prefix 1 : (tensor<1x3x3xf32>) -> tensor<6x1xf32>

  // CHECK: centered [2, 4] {{.*}}: 0 0 -3.14159265 -0.314159265 0 0 3.14159265 0.314159265{{$}}
  %centered = vit.rotary_positions grid [1, 2] width 4 temperature 100.0 order yx origin 0.5 extent 12.566370614359172 centered : tensor<2x4xf32>
  // CHECK: xy [2, 4] {{.*}}: 24 0.24 12 0.12 24 0.24 24 0.24{{$}}
  %xy = vit.rotary_positions grid [2, 1] width 4 temperature 10000.0 order xy origin 1.0 extent 24.0 : tensor<2x4xf32>

  // The first token is a prefix, so it is not rotated.
  %x = arith.constant dense<[[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]]> : tensor<1x2x8xf32>
  %angles = vit.rotary_positions grid [1, 1] width 4 temperature 100.0 order xy origin 0.5 : tensor<1x4xf32>
  // CHECK: halves [1, 2, 8] {{.*}}: 1 2 3 4 5 6 7 8 -1.51954513 1.69762551 -0.723231085 3.59516769 4.86733835 6.0924599 7.58135455 8.18991876{{$}}
  %halves = vit.rotate %x, %angles heads 1 prefix 1 pairs halves : (tensor<1x2x8xf32>, tensor<1x4xf32>) -> tensor<1x2x8xf32>
  // CHECK: neighbours [1, 2, 8] {{.*}}: 1 2 3 4 5 6 7 8 -0.0812685153 2.23459066 2.7963341 4.14493855 1.51135958 7.66262306 6.59141847 8.33985627{{$}}
  %neighbours = vit.rotate %x, %angles heads 1 prefix 1 pairs neighbours : (tensor<1x2x8xf32>, tensor<1x4xf32>) -> tensor<1x2x8xf32>
  // CHECK: back [1, 2, 8] {{.*}}: 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8{{$}}
  %back = vit.rotate %neighbours, %angles heads 1 prefix 1 pairs neighbours inverse : (tensor<1x2x8xf32>, tensor<1x4xf32>) -> tensor<1x2x8xf32>

  // Biases that leave one key for each query: 0, 0 and 1.
  // CHECK: attention [1, 3, 2] {{.*}}: 1 2 1 2 3 4{{$}}
  %qkv = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]> : tensor<1x3x2xf32>
  %mask = arith.constant dense<[[[0.0, -1000.0, -1000.0], [0.0, -1000.0, -1000.0], [-1000.0, 0.0, -1000.0]]]> : tensor<1x3x3xf32>
  %attention = vit.attention %qkv, %qkv, %qkv bias %mask heads 1 scale 0.5 : (tensor<1x3x2xf32>, tensor<1x3x2xf32>, tensor<1x3x2xf32>, tensor<1x3x3xf32>) -> tensor<1x3x2xf32>
  return %bias, %sum, %patches, %gradient, %centered, %xy, %halves, %neighbours, %back, %attention
      : tensor<1x3x3xf32>, tensor<1x3x3xf32>, tensor<1x2x2xf32>, tensor<6x1xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x3x2xf32>
}
