// RUN: vit-opt %s --vit-select-outputs | FileCheck %s --check-prefixes=CHECK,OWN
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-select-outputs{outputs=hidden,logits}))' | FileCheck %s --check-prefixes=CHECK,TWO
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-select-outputs{outputs=classification_head_logits}))' | FileCheck %s --check-prefixes=CHECK,ALIAS
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-select-outputs{outputs=hidden}))' | FileCheck %s --check-prefixes=CHECK,HIDDEN

// OWN-LABEL:   func.func @forward
// OWN-SAME:      -> (tensor<?x2xf32> {vit.name = "logits"})
// TWO-LABEL:   func.func @forward
// TWO-SAME:      -> (tensor<?x8xf32> {vit.name = "hidden"}, tensor<?x2xf32> {vit.name = "logits"})
// ALIAS-LABEL: func.func @forward
// ALIAS-SAME:    -> (tensor<?x2xf32> {vit.name = "classification_head_logits"})
// HIDDEN-LABEL: func.func @forward
// HIDDEN-SAME:   -> (tensor<?x8xf32> {vit.name = "hidden"})
vit.parameter @head : tensor<2x8xf32>
func.func @forward(%x: tensor<?x8xf32>) -> (tensor<?x2xf32> {vit.name = "logits"}) {
  // CHECK-NOT: vit.output
  // CHECK:     %[[HIDDEN:.+]] = vit.relu
  %h = vit.relu %x : tensor<?x8xf32>
  vit.output "hidden" = %h : tensor<?x8xf32>
  // Ops that only a removed output needs are removed.
  // CHECK-NOT: vit.tanh
  %t = vit.tanh %h : tensor<?x8xf32>
  vit.output "squashed" = %t : tensor<?x8xf32>
  // HIDDEN-NOT: vit.read
  // HIDDEN-NOT: vit.linear
  %w = vit.read @head : tensor<2x8xf32>
  // OWN:   %[[LOGITS:.+]] = vit.linear %[[HIDDEN]]
  // TWO:   %[[LOGITS:.+]] = vit.linear %[[HIDDEN]]
  // ALIAS: %[[LOGITS:.+]] = vit.linear %[[HIDDEN]]
  %y = vit.linear %h, %w : (tensor<?x8xf32>, tensor<2x8xf32>) -> tensor<?x2xf32>
  // OWN:    return %[[LOGITS]] :
  // TWO:    return %[[HIDDEN]], %[[LOGITS]] :
  // ALIAS:  return %[[LOGITS]] :
  // HIDDEN: return %[[HIDDEN]] :
  return %y : tensor<?x2xf32>
}
