// Two products and attention; the second product is f32 in every precision.
vit.parameter @a : tensor<32x32xf32> init<trunc_normal, 0.5>
func.func @forward(%x: tensor<?x4x32xf32>) -> (tensor<?x4x32xf32> {vit.name = "y"}) {
  %a = vit.read @a : tensor<32x32xf32>
  %h = vit.linear %x, %a : (tensor<?x4x32xf32>, tensor<32x32xf32>) -> tensor<?x4x32xf32> loc("first")
  %k = vit.linear %h, %a precision f32 : (tensor<?x4x32xf32>, tensor<32x32xf32>) -> tensor<?x4x32xf32> loc("second")
  %y = vit.attention %h, %k, %k heads 1 scale 2.5e-01 : (tensor<?x4x32xf32>, tensor<?x4x32xf32>, tensor<?x4x32xf32>) -> tensor<?x4x32xf32> loc("attention")
  return %y : tensor<?x4x32xf32>
}
