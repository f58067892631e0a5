// RUN: vit-opt %s | vit-opt | FileCheck %s
// RUN: vit-opt %s --mlir-print-debuginfo | vit-opt --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES

// A complete small ViT: 16x16 pictures in patches of 4, width 32, two layers,
// two heads, ten classes. Copy it to start a new model.

// CHECK: vit.parameter @patch_embed.weight : tensor<32x48xf32> init<trunc_normal, 2.000000e-02> stored<"patch_embed.proj.weight", [32, 3, 4, 4], 0 to 32>
// CHECK: vit.parameter @q.weight : 2 x tensor<32x32xf32> init<xavier_uniform, 1.000000e+00> stored<"blocks.{}.attn.qkv.weight", [96, 32], 0 to 32>
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: -> (tensor<?x10xf32> {vit.name = "logits"})
// CHECK: vit.layers 2 (%[[I:.*]], %[[X:.*]] = %{{.*}}) : tensor<?x17x32xf32> {
// CHECK: vit.output "hidden_{}"[%[[I]]] = %[[X]] : tensor<?x17x32xf32>
// CHECK: vit.read @q.weight[%[[I]]] : tensor<32x32xf32>
// CHECK: vit.yield
// CHECK: vit.output "final"

// NAMES-DAG: loc("blocks.{}.attn.q"
// NAMES-DAG: loc("patch_embed"

module {
  vit.parameter @patch_embed.weight : tensor<32x48xf32> init<trunc_normal, 0.02> stored<"patch_embed.proj.weight", [32, 3, 4, 4], 0 to 32>
  vit.parameter @patch_embed.bias : tensor<32xf32> init<constant, 0.0> stored<"patch_embed.proj.bias", [32], 0 to 32>
  vit.parameter @cls_token : tensor<1x32xf32> init<normal, 1.0e-06> stored<"cls_token", [1, 1, 32], 0 to 1>
  vit.parameter @pos_embed : tensor<17x32xf32> init<trunc_normal, 0.02> stored<"pos_embed", [1, 17, 32], 0 to 1>

  vit.parameter @norm1.weight : 2 x tensor<32xf32> init<constant, 1.0> stored<"blocks.{}.norm1.weight", [32], 0 to 32>
  vit.parameter @norm1.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.norm1.bias", [32], 0 to 32>
  vit.parameter @q.weight : 2 x tensor<32x32xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.attn.qkv.weight", [96, 32], 0 to 32>
  vit.parameter @k.weight : 2 x tensor<32x32xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.attn.qkv.weight", [96, 32], 32 to 64>
  vit.parameter @v.weight : 2 x tensor<32x32xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.attn.qkv.weight", [96, 32], 64 to 96>
  vit.parameter @q.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 0 to 32>
  vit.parameter @k.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 32 to 64>
  vit.parameter @v.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.attn.qkv.bias", [96], 64 to 96>
  vit.parameter @proj.weight : 2 x tensor<32x32xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.attn.proj.weight", [32, 32], 0 to 32>
  vit.parameter @proj.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.attn.proj.bias", [32], 0 to 32>
  vit.parameter @norm2.weight : 2 x tensor<32xf32> init<constant, 1.0> stored<"blocks.{}.norm2.weight", [32], 0 to 32>
  vit.parameter @norm2.bias : 2 x tensor<32xf32> init<constant, 0.0> stored<"blocks.{}.norm2.bias", [32], 0 to 32>
  vit.parameter @fc1.weight : 2 x tensor<64x32xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.mlp.fc1.weight", [64, 32], 0 to 64>
  vit.parameter @fc1.bias : 2 x tensor<64xf32> init<normal, 1.0e-06> stored<"blocks.{}.mlp.fc1.bias", [64], 0 to 64>
  vit.parameter @fc2.weight : 2 x tensor<32x64xf32> init<xavier_uniform, 1.0> stored<"blocks.{}.mlp.fc2.weight", [32, 64], 0 to 32>
  vit.parameter @fc2.bias : 2 x tensor<32xf32> init<normal, 1.0e-06> stored<"blocks.{}.mlp.fc2.bias", [32], 0 to 32>

  vit.parameter @norm.weight : tensor<32xf32> init<constant, 1.0>
  vit.parameter @norm.bias : tensor<32xf32> init<constant, 0.0>
  vit.parameter @head.weight : tensor<10x32xf32> init<trunc_normal, 0.02>
  vit.parameter @head.bias : tensor<10xf32> init<constant, 0.0>

  func.func @forward(%image: tensor<?x3x16x16xf32>) -> (tensor<?x10xf32> {vit.name = "logits"}) {
    // Patch embedding.
    %patches = vit.patchify %image patch [4, 4] order chw : (tensor<?x3x16x16xf32>) -> tensor<?x16x48xf32> loc("patch_embed.patchify")
    %pw = vit.read @patch_embed.weight : tensor<32x48xf32>
    %pb = vit.read @patch_embed.bias : tensor<32xf32>
    %embedded = vit.linear %patches, %pw, %pb : (tensor<?x16x48xf32>, tensor<32x48xf32>, tensor<32xf32>) -> tensor<?x16x32xf32> loc("patch_embed")
    %cls = vit.read @cls_token : tensor<1x32xf32>
    %tokens = vit.prepend_tokens %embedded, %cls : (tensor<?x16x32xf32>, tensor<1x32xf32>) -> tensor<?x17x32xf32> loc("cls_token")
    %pos = vit.read @pos_embed : tensor<17x32xf32>
    %positioned = vit.add %tokens, %pos : (tensor<?x17x32xf32>, tensor<17x32xf32>) -> tensor<?x17x32xf32> loc("pos_embed")
    %start = vit.dropout %positioned probability 0.1 : tensor<?x17x32xf32> loc("pos_drop")

    // Encoder.
    %encoded = vit.layers 2 (%i, %x = %start) : tensor<?x17x32xf32> {
      vit.output "hidden_{}"[%i] = %x : tensor<?x17x32xf32>
      %n1w = vit.read @norm1.weight[%i] : tensor<32xf32>
      %n1b = vit.read @norm1.bias[%i] : tensor<32xf32>
      %n1 = vit.layer_norm %x scale %n1w bias %n1b epsilon 1.0e-06 : (tensor<?x17x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.norm1")
      %qw = vit.read @q.weight[%i] : tensor<32x32xf32>
      %qb = vit.read @q.bias[%i] : tensor<32xf32>
      %q = vit.linear %n1, %qw, %qb : (tensor<?x17x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.attn.q")
      %kw = vit.read @k.weight[%i] : tensor<32x32xf32>
      %kb = vit.read @k.bias[%i] : tensor<32xf32>
      %k = vit.linear %n1, %kw, %kb : (tensor<?x17x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.attn.k")
      %vw = vit.read @v.weight[%i] : tensor<32x32xf32>
      %vb = vit.read @v.bias[%i] : tensor<32xf32>
      %v = vit.linear %n1, %vw, %vb : (tensor<?x17x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.attn.v")
      %attended, %probabilities = vit.attention %q, %k, %v heads 2 scale 0.25 : (tensor<?x17x32xf32>, tensor<?x17x32xf32>, tensor<?x17x32xf32>) -> (tensor<?x17x32xf32>, tensor<?x2x17x17xf32>) loc("blocks.{}.attn")
      vit.output "attention_{}"[%i] = %probabilities : tensor<?x2x17x17xf32>
      %ow = vit.read @proj.weight[%i] : tensor<32x32xf32>
      %ob = vit.read @proj.bias[%i] : tensor<32xf32>
      %projected = vit.linear %attended, %ow, %ob : (tensor<?x17x32xf32>, tensor<32x32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.attn.proj")
      %x1 = vit.add %x, %projected : (tensor<?x17x32xf32>, tensor<?x17x32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.attn.residual")

      %n2w = vit.read @norm2.weight[%i] : tensor<32xf32>
      %n2b = vit.read @norm2.bias[%i] : tensor<32xf32>
      %n2 = vit.layer_norm %x1 scale %n2w bias %n2b epsilon 1.0e-06 : (tensor<?x17x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.norm2")
      %w1 = vit.read @fc1.weight[%i] : tensor<64x32xf32>
      %b1 = vit.read @fc1.bias[%i] : tensor<64xf32>
      %h = vit.linear %n2, %w1, %b1 : (tensor<?x17x32xf32>, tensor<64x32xf32>, tensor<64xf32>) -> tensor<?x17x64xf32> loc("blocks.{}.mlp.fc1")
      %g = vit.gelu erf %h : tensor<?x17x64xf32> loc("blocks.{}.mlp.act")
      %w2 = vit.read @fc2.weight[%i] : tensor<32x64xf32>
      %b2 = vit.read @fc2.bias[%i] : tensor<32xf32>
      %m = vit.linear %g, %w2, %b2 : (tensor<?x17x64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.mlp.fc2")
      %x2 = vit.add %x1, %m : (tensor<?x17x32xf32>, tensor<?x17x32xf32>) -> tensor<?x17x32xf32> loc("blocks.{}.mlp.residual")
      vit.yield %x2 : tensor<?x17x32xf32>
    }
    vit.output "hidden_2" = %encoded : tensor<?x17x32xf32>

    // Final norm, class token, head.
    %nw = vit.read @norm.weight : tensor<32xf32>
    %nb = vit.read @norm.bias : tensor<32xf32>
    %final = vit.layer_norm %encoded scale %nw bias %nb epsilon 1.0e-06 : (tensor<?x17x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<?x17x32xf32> loc("norm")
    vit.output "final" = %final : tensor<?x17x32xf32>
    %class = vit.take_tokens %final from 0 : (tensor<?x17x32xf32>) -> tensor<?x32xf32> loc("pool")
    %hw = vit.read @head.weight : tensor<10x32xf32>
    %hb = vit.read @head.bias : tensor<10xf32>
    %logits = vit.linear %class, %hw, %hb : (tensor<?x32xf32>, tensor<10x32xf32>, tensor<10xf32>) -> tensor<?x10xf32> loc("head")
    return %logits : tensor<?x10xf32>
  }
}
