// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients by cooperative matrices: of a weight with that of its bias, and of one with padded channels on both sides;
// of the
// input of a layer; of attention with heads of 64 channels, and with a bias and heads of an odd number of matrices.
!x = tensor<?x197x192xf32>
!y = tensor<?x197x80xf32>
!p = tensor<?x197x50xf32>
!s = tensor<1x197x197xf32>
vit.parameter @bias : !s init<normal, 2.0e-01>
vit.parameter @w : tensor<50x80xf32> init<normal, 2.0e-01>
func.func @forward(%x: !x, %y: !y, %p: !p) -> (
    tensor<192x80xf32> {vit.name = "dw"}, tensor<192xf32> {vit.name = "db"}, tensor<50x50xf32> {vit.name = "dp"},
    tensor<50xf32> {vit.name = "dpb"}, !y {vit.name = "dx"},
    !x {vit.name = "q"}, !x {vit.name = "k"}, !x {vit.name = "v"},
    !y {vit.name = "bq"}, !y {vit.name = "bk"}, !y {vit.name = "bv"}) {
  %dw = vit.linear_weight_gradient %x, %y : (!x, !y) -> tensor<192x80xf32>
  %db = vit.sum_to %x : (!x) -> tensor<192xf32>
  %dp = vit.linear_weight_gradient %p, %p : (!p, !p) -> tensor<50x50xf32>
  %dpb = vit.sum_to %p : (!p) -> tensor<50xf32>
  %w = vit.read @w : tensor<50x80xf32>
  %dx = vit.linear_input_gradient %p, %w : (!p, tensor<50x80xf32>) -> !y
  %q, %k, %v = vit.attention_backward %x, %x, %x, %x heads 3 scale 0.125 : (!x, !x, !x, !x) -> (!x, !x, !x)
  %bias = vit.read @bias : !s
  %bq, %bk, %bv = vit.attention_backward %y, %y, %y, %y bias %bias heads 1 scale 0.125 : (!y, !y, !y, !y, !s) -> (!y, !y, !y)
  return %dw, %db, %dp, %dpb, %dx, %q, %k, %v, %bq, %bk, %bv
    : tensor<192x80xf32>, tensor<192xf32>, tensor<50x50xf32>, tensor<50xf32>, !y, !x, !x, !x, !y, !y, !y
}
