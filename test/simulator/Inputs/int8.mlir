// A product of int8 with more rows and columns than whole tiles, and a depth of three steps.
vit.parameter @w : tensor<72x48xf32> init<normal, 1.0>
vit.parameter @c : tensor<72xf32> init<normal, 1.0>
func.func @forward(%x: tensor<?x37x48xf32>) -> (tensor<?x37x72xf32> {vit.name = "y"}) {
  %w = vit.read @w : tensor<72x48xf32>
  %c = vit.read @c : tensor<72xf32>
  %y = vit.linear %x, %w, %c precision int8 : (tensor<?x37x48xf32>, tensor<72x48xf32>, tensor<72xf32>) -> tensor<?x37x72xf32>
  return %y : tensor<?x37x72xf32>
}
