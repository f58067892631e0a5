// RUN: vit-opt %s -p 'builtin.module(func.func(vit-unroll-layers,vit-select-outputs{outputs=logits,final}))' --split-input-file --verify-diagnostics

func.func @index(%x: tensor<?x8xf32>) -> (tensor<?x8xf32> {vit.name = "logits"}) {
  %y = vit.layers 2 (%i, %a = %x) : tensor<?x8xf32> {
    // expected-error @+1 {{uses the layer's number, which only vit.read, vit.output, vit.dropout and vit.drop_path can}}
    %n = arith.addi %i, %i : index
    vit.yield %a : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{'forward' has no output 'final'; it has logits, hidden_0, hidden_1}}
func.func @forward(%x: tensor<?x8xf32>) -> (tensor<?x8xf32> {vit.name = "logits"}) {
  %y = vit.layers 2 (%i, %a = %x) : tensor<?x8xf32> {
    vit.output "hidden_{}"[%i] = %a : tensor<?x8xf32>
    %b = vit.relu %a : tensor<?x8xf32>
    vit.yield %b : tensor<?x8xf32>
  }
  return %y : tensor<?x8xf32>
}

// -----

func.func @same_name(%x: tensor<?x8xf32>) -> (tensor<?x8xf32> {vit.name = "logits"}) {
  // expected-error @+1 {{C2: the function already has an output "logits"; give each its own name}}
  vit.output "logits" = %x : tensor<?x8xf32>
  %y = vit.relu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
