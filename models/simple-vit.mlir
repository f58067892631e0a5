//===- simple-vit.mlir - SimpleViT-S/16 -----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The plain ViT of "Better plain ViT baselines for ImageNet-1k" (Beyer, Zhai,
// Kolesnikov 2022) as in lucidrains' vit-pytorch: fixed 2-D sine-cosine
// positions, no class token, mean of the tokens, no dropout, no biases in the
// attention. 224 pixels, width 384, 12 layers, 6 heads of 64, 1000 classes.
//
// Stored names are those of vit_pytorch.SimpleViT(image_size=224,
// patch_size=16, num_classes=1000, dim=384, depth=12, heads=6, mlp_dim=1536).
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x224x224xf32>
!patches = tensor<?x196x768xf32>
!tokens = tensor<?x196x384xf32>
!hidden = tensor<?x196x1536xf32>
!probabilities = tensor<?x6x196x196xf32>
!pooled = tensor<?x384xf32>
!logits = tensor<?x1000xf32>
!patch_matrix = tensor<384x768xf32>
!width_by_width = tensor<384x384xf32>
!fc1_matrix = tensor<1536x384xf32>
!fc2_matrix = tensor<384x1536xf32>
!head_matrix = tensor<1000x384xf32>
!patch_vector = tensor<768xf32>
!vector = tensor<384xf32>
!hidden_vector = tensor<1536xf32>
!class_vector = tensor<1000xf32>
!positions = tensor<196x384xf32>

module attributes {
  vit.prefix_tokens = [], vit.patch_grid = array<i64: 14, 14>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 248, resize_width = -1,
    center_crop = 1, interpolation = 3, apply_exif_orientation = 0, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5, 0.5, 0.5>, std = array<f32: 0.5, 0.5, 0.5>
  }
} {
  // From the picture to tokens.
  vit.parameter @patch_norm.weight : !patch_vector init<constant, 1.0>
      stored<"to_patch_embedding.1.weight", [768], 0 to 768>
  vit.parameter @patch_norm.bias : !patch_vector init<constant, 0.0>
      stored<"to_patch_embedding.1.bias", [768], 0 to 768>
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.036084392>
      stored<"to_patch_embedding.2.weight", [384, 768], 0 to 384>
  vit.parameter @patch.bias : !vector init<uniform, 0.036084392>
      stored<"to_patch_embedding.2.bias", [384], 0 to 384>
  vit.parameter @embedding_norm.weight : !vector init<constant, 1.0>
      stored<"to_patch_embedding.3.weight", [384], 0 to 384>
  vit.parameter @embedding_norm.bias : !vector init<constant, 0.0>
      stored<"to_patch_embedding.3.bias", [384], 0 to 384>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"transformer.layers.{}.0.norm.weight", [384], 0 to 384>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"transformer.layers.{}.0.norm.bias", [384], 0 to 384>
  vit.parameter @query.weight : 12 x !width_by_width init<uniform, 0.051031036>
      stored<"transformer.layers.{}.0.to_qkv.weight", [1152, 384], 0 to 384>
  vit.parameter @key.weight : 12 x !width_by_width init<uniform, 0.051031036>
      stored<"transformer.layers.{}.0.to_qkv.weight", [1152, 384], 384 to 768>
  vit.parameter @value.weight : 12 x !width_by_width init<uniform, 0.051031036>
      stored<"transformer.layers.{}.0.to_qkv.weight", [1152, 384], 768 to 1152>
  vit.parameter @out.weight : 12 x !width_by_width init<uniform, 0.051031036>
      stored<"transformer.layers.{}.0.to_out.weight", [384, 384], 0 to 384>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"transformer.layers.{}.1.net.0.weight", [384], 0 to 384>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"transformer.layers.{}.1.net.0.bias", [384], 0 to 384>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<uniform, 0.051031036>
      stored<"transformer.layers.{}.1.net.1.weight", [1536, 384], 0 to 1536>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<uniform, 0.051031036>
      stored<"transformer.layers.{}.1.net.1.bias", [1536], 0 to 1536>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<uniform, 0.025515518>
      stored<"transformer.layers.{}.1.net.3.weight", [384, 1536], 0 to 384>
  vit.parameter @fc2.bias : 12 x !vector init<uniform, 0.025515518>
      stored<"transformer.layers.{}.1.net.3.bias", [384], 0 to 384>

  // From tokens to logits.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"transformer.norm.weight", [384], 0 to 384>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"transformer.norm.bias", [384], 0 to 384>
  vit.parameter @head.weight : !head_matrix init<uniform, 0.051031036>
      stored<"linear_head.weight", [1000, 384], 0 to 1000>
  vit.parameter @head.bias : !class_vector init<uniform, 0.051031036>
      stored<"linear_head.bias", [1000], 0 to 1000>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [16, 16] order hwc : (!image) -> !patches loc("to_patch_embedding.2")
    %normal_patches_scale = vit.read @patch_norm.weight : !patch_vector
    %normal_patches_shift = vit.read @patch_norm.bias : !patch_vector
    %normal_patches = vit.layer_norm %patches scale %normal_patches_scale bias %normal_patches_shift epsilon 1.0e-05 :
        (!patches, !patch_vector, !patch_vector) -> !patches loc("to_patch_embedding.1")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %normal_patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !tokens loc("to_patch_embedding.2")
    %embedded_scale = vit.read @embedding_norm.weight : !vector
    %embedded_shift = vit.read @embedding_norm.bias : !vector
    %embedded = vit.layer_norm %projected scale %embedded_scale bias %embedded_shift epsilon 1.0e-05 :
        (!tokens, !vector, !vector) -> !tokens loc("to_patch_embedding.3")
    %positions = vit.sincos_positions grid [14, 14] width 384 temperature 10000.0 : !positions loc("pos_embedding")
    %placed = vit.add %embedded, %positions : (!tokens, !positions) -> !tokens loc("pos_embedding")

    %encoded = vit.layers 12 (%i, %x = %placed) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_scale = vit.read @norm1.weight[%i] : !vector
      %norm1_shift = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_scale bias %norm1_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("transformer.layers.{}.0.norm")

      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query = vit.linear %norm1, %query_weight :
          (!tokens, !width_by_width) -> !tokens loc("transformer.layers.{}.0.to_qkv")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key = vit.linear %norm1, %key_weight :
          (!tokens, !width_by_width) -> !tokens loc("transformer.layers.{}.0.to_qkv")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value = vit.linear %norm1, %value_weight :
          (!tokens, !width_by_width) -> !tokens loc("transformer.layers.{}.0.to_qkv")
      %context, %attention = vit.attention %query, %key, %value heads 6 scale 0.125 :
          (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("transformer.layers.{}.0.attend")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out = vit.linear %context, %out_weight :
          (!tokens, !width_by_width) -> !tokens loc("transformer.layers.{}.0.to_out")
      %attended = vit.add %out, %x : (!tokens, !tokens) -> !tokens loc("transformer.layers.{}.0.to_out")

      %norm2_scale = vit.read @norm2.weight[%i] : !vector
      %norm2_shift = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_scale bias %norm2_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("transformer.layers.{}.1.net.0")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("transformer.layers.{}.1.net.1")
      %activated = vit.gelu erf %fc1 : !hidden loc("transformer.layers.{}.1.net.1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("transformer.layers.{}.1.net.3")
      %next = vit.add %fc2, %attended : (!tokens, !tokens) -> !tokens loc("transformer.layers.{}.1.net.3")
      vit.yield %next : !tokens
    } loc("transformer")
    vit.output "hidden_12" = %encoded : !tokens

    %final_scale = vit.read @norm.weight : !vector
    %final_shift = vit.read @norm.bias : !vector
    %final = vit.layer_norm %encoded scale %final_scale bias %final_shift epsilon 1.0e-05 :
        (!tokens, !vector, !vector) -> !tokens loc("transformer.norm")
    vit.output "final" = %final : !tokens
    vit.output "feature_map" = %final : !tokens
    %mean = vit.mean_tokens %final from 0 : (!tokens) -> !pooled loc("transformer.norm")
    vit.output "features" = %mean : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %mean, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("linear_head")
    return %logits : !logits
  }
}
