//===- vit-mnist.mlir - a small ViT for MNIST -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ViT for digits of 28 x 28 pixels: patches of 7, width 64, 3 layers, 4
// heads, class token, learned positions. Stored names and initialisers are
// timm's: VisionTransformer(img_size=28, patch_size=7, in_chans=1,
// num_classes=10, embed_dim=64, depth=3, num_heads=4).
//
//===----------------------------------------------------------------------===//

!image = tensor<?x1x28x28xf32>
!patches = tensor<?x16x49xf32>
!embedded = tensor<?x16x64xf32>
!tokens = tensor<?x17x64xf32>
!hidden = tensor<?x17x256xf32>
!probabilities = tensor<?x4x17x17xf32>
!pooled = tensor<?x64xf32>
!logits = tensor<?x10xf32>
!patch_matrix = tensor<64x49xf32>
!width_by_width = tensor<64x64xf32>
!fc1_matrix = tensor<256x64xf32>
!fc2_matrix = tensor<64x256xf32>
!head_matrix = tensor<10x64xf32>
!vector = tensor<64xf32>
!hidden_vector = tensor<256xf32>
!class_vector = tensor<10xf32>
!token = tensor<1x64xf32>
!positions = tensor<17x64xf32>

module attributes {
  vit.prefix_tokens = ["class"], vit.patch_grid = array<i64: 4, 4>,
  vit.labels = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  vit.preprocessing = {
    channels = 1, height = 28, width = 28, resize_height = 0, resize_width = 0,
    center_crop = 0, interpolation = 2, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5>, std = array<f32: 0.5>
  }
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.14285715>
      stored<"patch_embed.proj.weight", [64, 1, 7, 7], 0 to 64>
  vit.parameter @patch.bias : !vector init<uniform, 0.14285715>
      stored<"patch_embed.proj.bias", [64], 0 to 64>
  vit.parameter @class_token : !token init<normal, 1.0e-06>
      stored<"cls_token", [1, 1, 64], 0 to 1>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"pos_embed", [1, 17, 64], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 3 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm1.weight", [64], 0 to 64>
  vit.parameter @norm1.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm1.bias", [64], 0 to 64>
  vit.parameter @query.weight : 3 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [192, 64], 0 to 64>
  vit.parameter @query.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [192], 0 to 64>
  vit.parameter @key.weight : 3 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [192, 64], 64 to 128>
  vit.parameter @key.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [192], 64 to 128>
  vit.parameter @value.weight : 3 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [192, 64], 128 to 192>
  vit.parameter @value.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [192], 128 to 192>
  vit.parameter @out.weight : 3 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.proj.weight", [64, 64], 0 to 64>
  vit.parameter @out.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.proj.bias", [64], 0 to 64>
  vit.parameter @norm2.weight : 3 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm2.weight", [64], 0 to 64>
  vit.parameter @norm2.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm2.bias", [64], 0 to 64>
  vit.parameter @fc1.weight : 3 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc1.weight", [256, 64], 0 to 256>
  vit.parameter @fc1.bias : 3 x !hidden_vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc1.bias", [256], 0 to 256>
  vit.parameter @fc2.weight : 3 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc2.weight", [64, 256], 0 to 64>
  vit.parameter @fc2.bias : 3 x !vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc2.bias", [64], 0 to 64>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"norm.weight", [64], 0 to 64>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"norm.bias", [64], 0 to 64>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02>
      stored<"head.weight", [10, 64], 0 to 10>
  vit.parameter @head.bias : !class_vector init<constant, 0.0>
      stored<"head.bias", [10], 0 to 10>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [7, 7] order chw : (!image) -> !patches loc("patch_embed.proj")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %projected, %class_token :
        (!embedded, !token) -> !tokens loc("cls_token")
    %positions = vit.read @positions : !positions
    %placed = vit.add %with_class, %positions : (!tokens, !positions) -> !tokens loc("pos_embed")

    %encoded = vit.layers 3 (%i, %x = %placed) : !tokens {
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
      %context, %attention = vit.attention %query, %key, %value heads 4 scale 0.25 :
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
    vit.output "hidden_3" = %encoded : !tokens

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
