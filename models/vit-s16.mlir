//===- vit-s16.mlir - ViT-S/16, 224 pixels, 1000 classes ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ViT-S/16 (Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; the
// size from Touvron et al., "Training data-efficient image transformers", ICML
// 2021): width 384, 12 layers, 6 heads, class token, learned positions.
//
// Stored names, initialisers and preprocessing are those of timm's
// vit_small_patch16_224, so its checkpoints load with --weights.
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x224x224xf32>
!patches = tensor<?x196x768xf32>
!embedded = tensor<?x196x384xf32>
!tokens = tensor<?x197x384xf32>
!hidden = tensor<?x197x1536xf32>
!probabilities = tensor<?x6x197x197xf32>
!pooled = tensor<?x384xf32>
!logits = tensor<?x1000xf32>
!patch_matrix = tensor<384x768xf32>
!width_by_width = tensor<384x384xf32>
!fc1_matrix = tensor<1536x384xf32>
!fc2_matrix = tensor<384x1536xf32>
!head_matrix = tensor<1000x384xf32>
!vector = tensor<384xf32>
!hidden_vector = tensor<1536xf32>
!class_vector = tensor<1000xf32>
!token = tensor<1x384xf32>
!positions = tensor<197x384xf32>

module attributes {
  vit.prefix_tokens = ["class"], vit.patch_grid = array<i64: 14, 14>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 248, resize_width = -1,
    center_crop = 1, interpolation = 3, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5, 0.5, 0.5>, std = array<f32: 0.5, 0.5, 0.5>
  }
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.036084392>
      stored<"patch_embed.proj.weight", [384, 3, 16, 16], 0 to 384>
  vit.parameter @patch.bias : !vector init<uniform, 0.036084392>
      stored<"patch_embed.proj.bias", [384], 0 to 384>
  vit.parameter @class_token : !token init<normal, 1.0e-06>
      stored<"cls_token", [1, 1, 384], 0 to 1>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"pos_embed", [1, 197, 384], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm1.weight", [384], 0 to 384>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm1.bias", [384], 0 to 384>
  vit.parameter @query.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [1152, 384], 0 to 384>
  vit.parameter @query.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [1152], 0 to 384>
  vit.parameter @key.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [1152, 384], 384 to 768>
  vit.parameter @key.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [1152], 384 to 768>
  vit.parameter @value.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.qkv.weight", [1152, 384], 768 to 1152>
  vit.parameter @value.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.qkv.bias", [1152], 768 to 1152>
  vit.parameter @out.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"blocks.{}.attn.proj.weight", [384, 384], 0 to 384>
  vit.parameter @out.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.attn.proj.bias", [384], 0 to 384>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"blocks.{}.norm2.weight", [384], 0 to 384>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.norm2.bias", [384], 0 to 384>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc1.weight", [1536, 384], 0 to 1536>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc1.bias", [1536], 0 to 1536>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"blocks.{}.mlp.fc2.weight", [384, 1536], 0 to 384>
  vit.parameter @fc2.bias : 12 x !vector init<constant, 0.0>
      stored<"blocks.{}.mlp.fc2.bias", [384], 0 to 384>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"norm.weight", [384], 0 to 384>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"norm.bias", [384], 0 to 384>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02>
      stored<"head.weight", [1000, 384], 0 to 1000>
  vit.parameter @head.bias : !class_vector init<constant, 0.0>
      stored<"head.bias", [1000], 0 to 1000>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [16, 16] order chw : (!image) -> !patches loc("patch_embed.proj")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %projected, %class_token :
        (!embedded, !token) -> !tokens loc("cls_token")
    %positions = vit.read @positions : !positions
    %placed = vit.add %with_class, %positions : (!tokens, !positions) -> !tokens loc("pos_embed")

    %encoded = vit.layers 12 (%i, %x = %placed) : !tokens {
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
      %context, %attention = vit.attention %query, %key, %value heads 6 scale 0.125 :
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
    vit.output "hidden_12" = %encoded : !tokens

    %final_scale = vit.read @norm.weight : !vector
    %final_shift = vit.read @norm.bias : !vector
    %final = vit.layer_norm %encoded scale %final_scale bias %final_shift epsilon 1.0e-06 :
        (!tokens, !vector, !vector) -> !tokens loc("norm")
    vit.output "final" = %final : !tokens
    %cls_token = vit.take_tokens %final from 0 : (!tokens) -> !pooled loc("norm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %final from 1 count 196 : (!tokens) -> !embedded loc("norm")
    vit.output "feature_map" = %feature_map : !embedded
    vit.output "features" = %cls_token : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %cls_token, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("head")
    return %logits : !logits
  }
}
