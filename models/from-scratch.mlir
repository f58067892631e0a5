//===- from-scratch.mlir - a ViT written from scratch ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The ViT of "How to train a Vision Transformer from scratch" (F. Porcher,
// Towards Data Science 2024), based on lucidrains' vit-pytorch: pixels of a
// patch in the order row, column, channel; LayerNorm, Linear, LayerNorm; random
// class token and positions; dropout; the norm inside the attention; q, k, v
// without bias and heads x dim_head (4 x 64) wider than the model (128); the
// outputs cls_token, feature_map and logits (classification_head_logits).
//
// For CIFAR-10: image_size 32, patch_size 4, dim 128, depth 6, heads 4,
// dim_head 64, mlp_dim 512, dropout 0.1. Stored names are those of that code.
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x32x32xf32>
!patches = tensor<?x64x48xf32>
!embedded = tensor<?x64x128xf32>
!tokens = tensor<?x65x128xf32>
!heads = tensor<?x65x256xf32>
!hidden = tensor<?x65x512xf32>
!probabilities = tensor<?x4x65x65xf32>
!pooled = tensor<?x128xf32>
!logits = tensor<?x10xf32>
!patch_matrix = tensor<128x48xf32>
!query_matrix = tensor<256x128xf32>
!out_matrix = tensor<128x256xf32>
!fc1_matrix = tensor<512x128xf32>
!fc2_matrix = tensor<128x512xf32>
!head_matrix = tensor<10x128xf32>
!patch_vector = tensor<48xf32>
!vector = tensor<128xf32>
!hidden_vector = tensor<512xf32>
!class_vector = tensor<10xf32>
!token = tensor<1x128xf32>
!positions = tensor<65x128xf32>

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
  vit.parameter @patch_norm.weight : !patch_vector init<constant, 1.0>
      stored<"to_patch_embedding.1.weight", [48], 0 to 48>
  vit.parameter @patch_norm.bias : !patch_vector init<constant, 0.0>
      stored<"to_patch_embedding.1.bias", [48], 0 to 48>
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.14433757>
      stored<"to_patch_embedding.2.weight", [128, 48], 0 to 128>
  vit.parameter @patch.bias : !vector init<uniform, 0.14433757>
      stored<"to_patch_embedding.2.bias", [128], 0 to 128>
  vit.parameter @embedding_norm.weight : !vector init<constant, 1.0>
      stored<"to_patch_embedding.3.weight", [128], 0 to 128>
  vit.parameter @embedding_norm.bias : !vector init<constant, 0.0>
      stored<"to_patch_embedding.3.bias", [128], 0 to 128>
  vit.parameter @class_token : !token init<normal, 1.0>
      stored<"cls_token", [1, 1, 128], 0 to 1>
  vit.parameter @positions : !positions init<normal, 1.0>
      stored<"pos_embedding", [1, 65, 128], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 6 x !vector init<constant, 1.0>
      stored<"transformer.layers.{}.0.norm.weight", [128], 0 to 128>
  vit.parameter @norm1.bias : 6 x !vector init<constant, 0.0>
      stored<"transformer.layers.{}.0.norm.bias", [128], 0 to 128>
  vit.parameter @query.weight : 6 x !query_matrix init<uniform, 0.088388348>
      stored<"transformer.layers.{}.0.to_qkv.weight", [768, 128], 0 to 256>
  vit.parameter @key.weight : 6 x !query_matrix init<uniform, 0.088388348>
      stored<"transformer.layers.{}.0.to_qkv.weight", [768, 128], 256 to 512>
  vit.parameter @value.weight : 6 x !query_matrix init<uniform, 0.088388348>
      stored<"transformer.layers.{}.0.to_qkv.weight", [768, 128], 512 to 768>
  vit.parameter @out.weight : 6 x !out_matrix init<uniform, 0.0625>
      stored<"transformer.layers.{}.0.to_out.0.weight", [128, 256], 0 to 128>
  vit.parameter @out.bias : 6 x !vector init<uniform, 0.0625>
      stored<"transformer.layers.{}.0.to_out.0.bias", [128], 0 to 128>
  vit.parameter @norm2.weight : 6 x !vector init<constant, 1.0>
      stored<"transformer.layers.{}.1.net.0.weight", [128], 0 to 128>
  vit.parameter @norm2.bias : 6 x !vector init<constant, 0.0>
      stored<"transformer.layers.{}.1.net.0.bias", [128], 0 to 128>
  vit.parameter @fc1.weight : 6 x !fc1_matrix init<uniform, 0.088388348>
      stored<"transformer.layers.{}.1.net.1.weight", [512, 128], 0 to 512>
  vit.parameter @fc1.bias : 6 x !hidden_vector init<uniform, 0.088388348>
      stored<"transformer.layers.{}.1.net.1.bias", [512], 0 to 512>
  vit.parameter @fc2.weight : 6 x !fc2_matrix init<uniform, 0.044194174>
      stored<"transformer.layers.{}.1.net.4.weight", [128, 512], 0 to 128>
  vit.parameter @fc2.bias : 6 x !vector init<uniform, 0.044194174>
      stored<"transformer.layers.{}.1.net.4.bias", [128], 0 to 128>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"transformer.norm.weight", [128], 0 to 128>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"transformer.norm.bias", [128], 0 to 128>
  vit.parameter @head.weight : !head_matrix init<uniform, 0.088388348>
      stored<"mlp_head.weight", [10, 128], 0 to 10>
  vit.parameter @head.bias : !class_vector init<uniform, 0.088388348>
      stored<"mlp_head.bias", [10], 0 to 10>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [4, 4] order hwc : (!image) -> !patches loc("to_patch_embedding.2")
    %normal_patches_scale = vit.read @patch_norm.weight : !patch_vector
    %normal_patches_shift = vit.read @patch_norm.bias : !patch_vector
    %normal_patches = vit.layer_norm %patches scale %normal_patches_scale bias %normal_patches_shift epsilon 1.0e-05 :
        (!patches, !patch_vector, !patch_vector) -> !patches loc("to_patch_embedding.1")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %normal_patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("to_patch_embedding.2")
    %embedded_scale = vit.read @embedding_norm.weight : !vector
    %embedded_shift = vit.read @embedding_norm.bias : !vector
    %embedded = vit.layer_norm %projected scale %embedded_scale bias %embedded_shift epsilon 1.0e-05 :
        (!embedded, !vector, !vector) -> !embedded loc("to_patch_embedding.3")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %embedded, %class_token : (!embedded, !token) -> !tokens loc("cls_token")
    %positions = vit.read @positions : !positions
    %placed = vit.add %with_class, %positions : (!tokens, !positions) -> !tokens loc("pos_embedding")
    %dropped = vit.dropout %placed probability 0.1 : !tokens loc("dropout")

    %encoded = vit.layers 6 (%i, %x = %dropped) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_scale = vit.read @norm1.weight[%i] : !vector
      %norm1_shift = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_scale bias %norm1_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("transformer.layers.{}.0.norm")

      %query_weight = vit.read @query.weight[%i] : !query_matrix
      %query = vit.linear %norm1, %query_weight :
          (!tokens, !query_matrix) -> !heads loc("transformer.layers.{}.0.to_qkv")
      %key_weight = vit.read @key.weight[%i] : !query_matrix
      %key = vit.linear %norm1, %key_weight :
          (!tokens, !query_matrix) -> !heads loc("transformer.layers.{}.0.to_qkv")
      %value_weight = vit.read @value.weight[%i] : !query_matrix
      %value = vit.linear %norm1, %value_weight :
          (!tokens, !query_matrix) -> !heads loc("transformer.layers.{}.0.to_qkv")
      %context, %attention = vit.attention %query, %key, %value heads 4 scale 0.125 :
          (!heads, !heads, !heads) -> (!heads, !probabilities) loc("transformer.layers.{}.0.attend")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !out_matrix
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!heads, !out_matrix, !vector) -> !tokens loc("transformer.layers.{}.0.to_out.0")
      %out_dropped = vit.dropout %out probability 0.1 : !tokens loc("transformer.layers.{}.0.to_out.0")
      %attended = vit.add %out_dropped, %x :
          (!tokens, !tokens) -> !tokens loc("transformer.layers.{}.0.to_out.0")

      %norm2_scale = vit.read @norm2.weight[%i] : !vector
      %norm2_shift = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_scale bias %norm2_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("transformer.layers.{}.1.net.0")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("transformer.layers.{}.1.net.1")
      %activated = vit.gelu erf %fc1 : !hidden loc("transformer.layers.{}.1.net.1")
      %activated_dropped = vit.dropout %activated probability 0.1 : !hidden loc("transformer.layers.{}.1.net.1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated_dropped, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("transformer.layers.{}.1.net.4")
      %fc2_dropped = vit.dropout %fc2 probability 0.1 : !tokens loc("transformer.layers.{}.1.net.4")
      %next = vit.add %fc2_dropped, %attended :
          (!tokens, !tokens) -> !tokens loc("transformer.layers.{}.1.net.4")
      vit.yield %next : !tokens
    } loc("transformer")
    vit.output "hidden_6" = %encoded : !tokens

    %final_scale = vit.read @norm.weight : !vector
    %final_shift = vit.read @norm.bias : !vector
    %final = vit.layer_norm %encoded scale %final_scale bias %final_shift epsilon 1.0e-05 :
        (!tokens, !vector, !vector) -> !tokens loc("transformer.norm")
    vit.output "final" = %final : !tokens
    %cls_token = vit.take_tokens %final from 0 : (!tokens) -> !pooled loc("transformer.norm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %final from 1 count 64 : (!tokens) -> !embedded loc("transformer.norm")
    vit.output "feature_map" = %feature_map : !embedded
    vit.output "features" = %cls_token : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %cls_token, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("mlp_head")
    return %logits : !logits
  }
}
