//===- tiny-vit.mlir - a very small ViT for tests of training -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ViT for CIFAR-10's 32 x 32 pixels without resizing: patches of 8, width 32,
// 2 layers, 2 heads.
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x32x32xf32>
!patches = tensor<?x16x192xf32>
!embedded = tensor<?x16x32xf32>
!tokens = tensor<?x17x32xf32>
!hidden = tensor<?x17x64xf32>
!probabilities = tensor<?x2x17x17xf32>
!pooled = tensor<?x32xf32>
!logits = tensor<?x10xf32>
!patch_matrix = tensor<32x192xf32>
!width_by_width = tensor<32x32xf32>
!fc1_matrix = tensor<64x32xf32>
!fc2_matrix = tensor<32x64xf32>
!head_matrix = tensor<10x32xf32>
!vector = tensor<32xf32>
!hidden_vector = tensor<64xf32>
!class_vector = tensor<10xf32>
!token = tensor<1x32xf32>
!positions = tensor<17x32xf32>

module attributes {
  vit.labels = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
  vit.preprocessing = {
    channels = 3, height = 32, width = 32, resize_height = 0, resize_width = 0,
    center_crop = 0, interpolation = 2, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5, 0.5, 0.5>, std = array<f32: 0.5, 0.5, 0.5>
  }
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.0721688>
      stored<"patch_embed.proj.weight", [32, 3, 8, 8], 0 to 32>
  vit.parameter @patch.bias : !vector init<uniform, 0.0721688>
      stored<"patch_embed.proj.bias", [32], 0 to 32>
  vit.parameter @class_token : !token init<normal, 1.0e-06>
      stored<"cls_token", [1, 1, 32], 0 to 1>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"pos_embed", [1, 17, 32], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 2 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm1.weight", [32], 0 to 32>
  vit.parameter @norm1.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm1.bias", [32], 0 to 32>
  vit.parameter @query.weight : 2 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [96, 32], 0 to 32>
  vit.parameter @query.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [96], 0 to 32>
  vit.parameter @key.weight : 2 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [96, 32], 32 to 64>
  vit.parameter @key.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [96], 32 to 64>
  vit.parameter @value.weight : 2 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [96, 32], 64 to 96>
  vit.parameter @value.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [96], 64 to 96>
  vit.parameter @out.weight : 2 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.proj.weight", [32, 32], 0 to 32>
  vit.parameter @out.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.proj.bias", [32], 0 to 32>
  vit.parameter @norm2.weight : 2 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm2.weight", [32], 0 to 32>
  vit.parameter @norm2.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm2.bias", [32], 0 to 32>
  vit.parameter @fc1.weight : 2 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc1.weight", [64, 32], 0 to 64>
  vit.parameter @fc1.bias : 2 x !hidden_vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc1.bias", [64], 0 to 64>
  vit.parameter @fc2.weight : 2 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc2.weight", [32, 64], 0 to 32>
  vit.parameter @fc2.bias : 2 x !vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc2.bias", [32], 0 to 32>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"norm.weight", [32], 0 to 32>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"norm.bias", [32], 0 to 32>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02>
      stored<"head.weight", [10, 32], 0 to 10>
  vit.parameter @head.bias : !class_vector init<constant, 0.0>
      stored<"head.bias", [10], 0 to 10>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [8, 8] order chw : (!image) -> !patches loc("patch_embed.proj")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %projected, %class_token :
        (!embedded, !token) -> !tokens loc("cls_token")
    %positions = vit.read @positions : !positions
    %placed = vit.add %with_class, %positions : (!tokens, !positions) -> !tokens loc("pos_embed")

    %encoded = vit.layers 2 (%i, %x = %placed) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_scale = vit.read @norm1.weight[%i] : !vector
      %norm1_shift = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_scale bias %norm1_shift epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("blocks.{}.norm1")

      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %norm1, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key_bias = vit.read @key.bias[%i] : !vector
      %key = vit.linear %norm1, %key_weight, %key_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %norm1, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("blocks.{}.attn.qkv")
      %context, %attention = vit.attention %query, %key, %value heads 2 scale 0.25 :
          (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("blocks.{}.attn")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("blocks.{}.attn.proj")
      %attended = vit.add %out, %x : (!tokens, !tokens) -> !tokens loc("blocks.{}.attn.proj")

      %norm2_scale = vit.read @norm2.weight[%i] : !vector
      %norm2_shift = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_scale bias %norm2_shift epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("blocks.{}.norm2")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("blocks.{}.mlp.fc1")
      %activated = vit.gelu erf %fc1 : !hidden loc("blocks.{}.mlp.fc1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("blocks.{}.mlp.fc2")
      %next = vit.add %fc2, %attended : (!tokens, !tokens) -> !tokens loc("blocks.{}.mlp.fc2")
      vit.yield %next : !tokens
    } loc("blocks")
    vit.output "hidden_2" = %encoded : !tokens

    %final_scale = vit.read @norm.weight : !vector
    %final_shift = vit.read @norm.bias : !vector
    %final = vit.layer_norm %encoded scale %final_scale bias %final_shift epsilon 1.0e-06 :
        (!tokens, !vector, !vector) -> !tokens loc("norm")
    vit.output "final" = %final : !tokens
    %cls_token = vit.take_tokens %final from 0 : (!tokens) -> !pooled loc("norm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %final from 1 count 16 : (!tokens) -> !embedded loc("norm")
    vit.output "feature_map" = %feature_map : !embedded
    vit.output "features" = %cls_token : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %cls_token, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("head")
    return %logits : !logits
  }
}
