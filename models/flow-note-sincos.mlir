//===- flow-note-sincos.mlir - a ViT with fixed sine-cosine positions -----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flow-note with the note's other kind of positions: fixed 2-D sine-cosine
// positions of the patches; the class token has none. 32 x 32 pictures, patches
// of 4, width 192, 6 layers, 3 heads.
//
// Stored names are timm's; the checkpoint has no position table.
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x32x32xf32>
!patches = tensor<?x64x48xf32>
!embedded = tensor<?x64x192xf32>
!tokens = tensor<?x65x192xf32>
!hidden = tensor<?x65x768xf32>
!probabilities = tensor<?x3x65x65xf32>
!pooled = tensor<?x192xf32>
!logits = tensor<?x10xf32>
!patch_matrix = tensor<192x48xf32>
!width_by_width = tensor<192x192xf32>
!fc1_matrix = tensor<768x192xf32>
!fc2_matrix = tensor<192x768xf32>
!head_matrix = tensor<10x192xf32>
!vector = tensor<192xf32>
!hidden_vector = tensor<768xf32>
!class_vector = tensor<10xf32>
!token = tensor<1x192xf32>
!positions = tensor<64x192xf32>

module attributes {
  vit.prefix_tokens = ["class"], vit.patch_grid = array<i64: 8, 8>,
  vit.labels = ["airplane", "automobile", "bird", "cat", "deer",
                "dog", "frog", "horse", "ship", "truck"],
  vit.preprocessing = {
    channels = 3, height = 32, width = 32, resize_height = 32, resize_width = 32,
    center_crop = 0, interpolation = 2, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.4914, 0.4822, 0.4465>, std = array<f32: 0.2023, 0.1994, 0.201>
  }
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.14433757>
      stored<"patch_embed.proj.weight", [192, 3, 4, 4], 0 to 192>
  vit.parameter @patch.bias : !vector init<uniform, 0.14433757>
      stored<"patch_embed.proj.bias", [192], 0 to 192>
  vit.parameter @class_token : !token init<constant, 0.0>
      stored<"cls_token", [1, 1, 192], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 6 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm1.weight", [192], 0 to 192>
  vit.parameter @norm1.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm1.bias", [192], 0 to 192>
  vit.parameter @query.weight : 6 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [576, 192], 0 to 192>
  vit.parameter @query.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [576], 0 to 192>
  vit.parameter @key.weight : 6 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [576, 192], 192 to 384>
  vit.parameter @key.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [576], 192 to 384>
  vit.parameter @value.weight : 6 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [576, 192], 384 to 576>
  vit.parameter @value.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [576], 384 to 576>
  vit.parameter @out.weight : 6 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.proj.weight", [192, 192], 0 to 192>
  vit.parameter @out.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.proj.bias", [192], 0 to 192>
  vit.parameter @norm2.weight : 6 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm2.weight", [192], 0 to 192>
  vit.parameter @norm2.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm2.bias", [192], 0 to 192>
  vit.parameter @fc1.weight : 6 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc1.weight", [768, 192], 0 to 768>
  vit.parameter @fc1.bias : 6 x !hidden_vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc1.bias", [768], 0 to 768>
  vit.parameter @fc2.weight : 6 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc2.weight", [192, 768], 0 to 192>
  vit.parameter @fc2.bias : 6 x !vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc2.bias", [192], 0 to 192>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"norm.weight", [192], 0 to 192>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"norm.bias", [192], 0 to 192>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02>
      stored<"head.weight", [10, 192], 0 to 10>
  vit.parameter @head.bias : !class_vector init<constant, 0.0>
      stored<"head.bias", [10], 0 to 10>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [4, 4] order chw : (!image) -> !patches loc("patch_embed.proj")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %positions = vit.sincos_positions grid [8, 8] width 192 temperature 10000.0 : !positions loc("pos_embed")
    %placed = vit.add %projected, %positions : (!embedded, !positions) -> !embedded loc("pos_embed")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %placed, %class_token : (!embedded, !token) -> !tokens loc("cls_token")

    %encoded = vit.layers 6 (%i, %x = %with_class) : !tokens {
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
      %context, %attention = vit.attention %query, %key, %value heads 3 scale 0.125 :
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
    vit.output "hidden_6" = %encoded : !tokens

    %final_scale = vit.read @norm.weight : !vector
    %final_shift = vit.read @norm.bias : !vector
    %final = vit.layer_norm %encoded scale %final_scale bias %final_shift epsilon 1.0e-06 :
        (!tokens, !vector, !vector) -> !tokens loc("norm")
    vit.output "final" = %final : !tokens
    %cls_token = vit.take_tokens %final from 0 : (!tokens) -> !pooled loc("norm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %final from 1 count 64 : (!tokens) -> !embedded loc("norm")
    vit.output "feature_map" = %feature_map : !embedded
    vit.output "features" = %cls_token : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %cls_token, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("head")
    return %logits : !logits
  }
}
