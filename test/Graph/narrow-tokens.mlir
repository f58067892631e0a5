// RUN: vit-opt %s --vit-narrow-tokens --split-input-file | FileCheck %s

vit.parameter @w : tensor<8x8xf32>
// The last block of a classifier on the class token.
// CHECK-LABEL: func.func @last_block
// CHECK-SAME:    (%[[X:.+]]: tensor<?x5x8xf32>
func.func @last_block(%x: tensor<?x5x8xf32>) -> tensor<?x8xf32> {
  %w = vit.read @w : tensor<8x8xf32>
  // CHECK:      %[[Q:.+]] = vit.take_tokens %[[X]] from 0 count 1
  // CHECK-NEXT: %[[A:.+]] = vit.attention %[[Q]], %[[X]], %[[X]] {{.*}} -> tensor<?x1x8xf32>
  // CHECK-NEXT: %[[A0:.+]] = vit.take_tokens %[[A]] from 0 : (tensor<?x1x8xf32>) -> tensor<?x8xf32>
  // CHECK-NEXT: %[[P:.+]] = vit.linear %[[A0]], %{{.+}} -> tensor<?x8xf32>
  // CHECK-NEXT: %[[X0:.+]] = vit.take_tokens %[[X]] from 0 : (tensor<?x5x8xf32>) -> tensor<?x8xf32>
  // CHECK-NEXT: %[[S:.+]] = vit.add %[[X0]], %[[P]]
  // CHECK-NEXT: %[[N:.+]] = vit.layer_norm %[[S]] {{.*}} -> tensor<?x8xf32>
  // CHECK-NEXT: return %[[N]]
  %a = vit.attention %x, %x, %x heads 2 scale 5.0e-01 : (tensor<?x5x8xf32>, tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  %p = vit.linear %a, %w : (tensor<?x5x8xf32>, tensor<8x8xf32>) -> tensor<?x5x8xf32>
  %s = vit.add %x, %p : (tensor<?x5x8xf32>, tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  %n = vit.layer_norm %s epsilon 1.0e-06 : (tensor<?x5x8xf32>) -> tensor<?x5x8xf32>
  %t = vit.take_tokens %n from 0 : (tensor<?x5x8xf32>) -> tensor<?x8xf32>
  return %t : tensor<?x8xf32>
}

// -----

// Two tokens at different positions: the range that contains both.
// CHECK-LABEL: func.func @two_tokens
// CHECK-SAME:    (%[[X:.+]]: tensor<?x9x8xf32>
func.func @two_tokens(%x: tensor<?x9x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK-NEXT: %[[T:.+]] = vit.take_tokens %[[X]] from 2 count 3
  // CHECK-NEXT: %[[R:.+]] = vit.relu %[[T]] : tensor<?x3x8xf32>
  // CHECK-NEXT: %[[A:.+]] = vit.take_tokens %[[R]] from 0
  // CHECK-NEXT: %[[B:.+]] = vit.take_tokens %[[R]] from 2
  // CHECK-NEXT: return %[[A]], %[[B]]
  %r = vit.relu %x : tensor<?x9x8xf32>
  %a = vit.take_tokens %r from 2 : (tensor<?x9x8xf32>) -> tensor<?x8xf32>
  %b = vit.take_tokens %r from 4 : (tensor<?x9x8xf32>) -> tensor<?x8xf32>
  return %a, %b : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

// All tokens are needed: no change.
// CHECK-LABEL: func.func @other_user
func.func @other_user(%x: tensor<?x9x8xf32>) -> (tensor<?x9x8xf32>, tensor<?x8xf32>) {
  // CHECK-NEXT: %[[R:.+]] = vit.relu
  // CHECK-NEXT: vit.take_tokens %[[R]] from 0
  %r = vit.relu %x : tensor<?x9x8xf32>
  %a = vit.take_tokens %r from 0 : (tensor<?x9x8xf32>) -> tensor<?x8xf32>
  return %r, %a : tensor<?x9x8xf32>, tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @most_tokens
func.func @most_tokens(%x: tensor<?x9x8xf32>) -> tensor<?x8x8xf32> {
  // CHECK-NEXT: %[[R:.+]] = vit.relu
  // CHECK-NEXT: vit.take_tokens %[[R]] from 1 count 8
  %r = vit.relu %x : tensor<?x9x8xf32>
  %a = vit.take_tokens %r from 1 count 8 : (tensor<?x9x8xf32>) -> tensor<?x8x8xf32>
  return %a : tensor<?x8x8xf32>
}

// -----

vit.parameter @table : tensor<9x8xf32>
// A position table is not narrowed.
// CHECK-LABEL: func.func @positions
func.func @positions(%x: tensor<?x9x8xf32>) -> tensor<?x8xf32> {
  // CHECK:      %[[S:.+]] = vit.add
  // CHECK-NEXT: vit.take_tokens %[[S]] from 0
  %p = vit.read @table : tensor<9x8xf32>
  %s = vit.add %x, %p : (tensor<?x9x8xf32>, tensor<9x8xf32>) -> tensor<?x9x8xf32>
  %a = vit.take_tokens %s from 0 : (tensor<?x9x8xf32>) -> tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}

// -----

// A random mask depends on element indices, so it stays.
// CHECK-LABEL: func.func @random
func.func @random(%x: tensor<?x5x8xf32>, %seed: tensor<2xi32>, %step: tensor<i32>) -> tensor<?x8xf32> {
  // CHECK-NEXT: %[[D:.+]] = vit.dropout %{{.+}} probability 1.000000e-01 random "drop"{{.*}} : tensor<?x5x8xf32>
  // CHECK-NEXT: %[[T:.+]] = vit.take_tokens %[[D]] from 0
  // CHECK-NEXT: vit.relu %[[T]] : tensor<?x8xf32>
  %0 = vit.dropout %x probability 1.0e-01 random "drop", %seed, %step : tensor<?x5x8xf32>
  %1 = vit.relu %0 : tensor<?x5x8xf32>
  %2 = vit.take_tokens %1 from 0 : (tensor<?x5x8xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
