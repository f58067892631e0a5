//===- dinov2-s14.mlir - DINOv2 S/14, 224 pixels --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DINOv2 (Oquab et al., "DINOv2: learning robust visual features without
// supervision", 2023): ViT-S/14 with layer scales. The stored position table is
// for 518 pixels, 37 x 37 patches, and is resampled when the model is loaded.
//
// Stored names and preprocessing are those of transformers' Dinov2Model
// (facebook/dinov2-small), so that its checkpoints load with --weights.
//
//===----------------------------------------------------------------------===//

!patch_matrix = tensor<384x588xf32>
!vector = tensor<384xf32>
!stored_positions = tensor<1370x384xf32>
!token = tensor<1x384xf32>
!width_by_width = tensor<384x384xf32>
!fc1_matrix = tensor<1536x384xf32>
!hidden_vector = tensor<1536xf32>
!fc2_matrix = tensor<384x1536xf32>
!image = tensor<?x3x224x224xf32>
!tokens = tensor<?x257x384xf32>
!pooled = tensor<?x384xf32>
!patches = tensor<?x256x588xf32>
!patch_tokens = tensor<?x256x384xf32>
!positions = tensor<257x384xf32>
!probabilities = tensor<?x6x257x257xf32>
!hidden = tensor<?x257x1536xf32>

module attributes {
  vit.prefix_tokens = ["class"],
  vit.patch_grid = array<i64: 16, 16>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 256, resize_width = -1,
    center_crop = 2, interpolation = 3, apply_exif_orientation = 1, scale = 0.00392156886 : f32,
    mean = array<f32: 0.485, 0.456, 0.406>,
    std = array<f32: 0.229, 0.224, 0.225>
  },
  vit.unused = ["*embeddings.mask_token", "classifier.*", "cls_classifier.*",
      "distillation_classifier.*"]
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<trunc_normal, 0.02>
      stored<"embeddings.patch_embeddings.projection.weight", [384, 3, 14, 14], 0 to 384>
  vit.parameter @patch.bias : !vector init<constant, 0.0>
      stored<"embeddings.patch_embeddings.projection.bias", [384], 0 to 384>
  vit.parameter @positions : !stored_positions init<trunc_normal, 0.02>
      stored<"embeddings.position_embeddings", [1, 1370, 384], 0 to 1>
  vit.parameter @class_token : !token init<trunc_normal, 0.02>
      stored<"embeddings.cls_token", [1, 1, 384], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"encoder.layer.{}.norm1.weight", [384], 0 to 384>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.norm1.bias", [384], 0 to 384>
  vit.parameter @query.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.attention.attention.query.weight", [384, 384], 0 to 384>
  vit.parameter @query.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.attention.attention.query.bias", [384], 0 to 384>
  vit.parameter @key.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.attention.attention.key.weight", [384, 384], 0 to 384>
  vit.parameter @key.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.attention.attention.key.bias", [384], 0 to 384>
  vit.parameter @value.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.attention.attention.value.weight", [384, 384], 0 to 384>
  vit.parameter @value.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.attention.attention.value.bias", [384], 0 to 384>
  vit.parameter @out.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.attention.output.dense.weight", [384, 384], 0 to 384>
  vit.parameter @out.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.attention.output.dense.bias", [384], 0 to 384>
  vit.parameter @scale1.gamma : 12 x !vector init<constant, 1.0>
      stored<"encoder.layer.{}.layer_scale1.lambda1", [384], 0 to 384>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"encoder.layer.{}.norm2.weight", [384], 0 to 384>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.norm2.bias", [384], 0 to 384>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.mlp.fc1.weight", [1536, 384], 0 to 1536>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<constant, 0.0>
      stored<"encoder.layer.{}.mlp.fc1.bias", [1536], 0 to 1536>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"encoder.layer.{}.mlp.fc2.weight", [384, 1536], 0 to 384>
  vit.parameter @fc2.bias : 12 x !vector init<constant, 0.0>
      stored<"encoder.layer.{}.mlp.fc2.bias", [384], 0 to 384>
  vit.parameter @scale2.gamma : 12 x !vector init<constant, 1.0>
      stored<"encoder.layer.{}.layer_scale2.lambda1", [384], 0 to 384>

  // From tokens to results.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"layernorm.weight", [384], 0 to 384>
  vit.parameter @norm.bias : !vector init<constant, 0.0> stored<"layernorm.bias", [384], 0 to 384>

  func.func @forward(%image: !image {vit.name = "image"}) ->
      (!tokens {vit.name = "last_hidden_state"},
       !pooled {vit.name = "pooler_output"}) {
    %patches = vit.patchify %image patch [14, 14] order chw :
        (!image) -> !patches loc("embeddings.patch_embeddings.projection")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %patch = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) ->
        !patch_tokens loc("embeddings.patch_embeddings.projection")
    %positions = vit.read @positions : !stored_positions
    %table = vit.resample_positions %positions from [37, 37] to [16, 16] prefix 1 :
        (!stored_positions) -> !positions loc("embeddings.position_embeddings")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %patch, %class_token :
        (!patch_tokens, !token) -> !tokens loc("embeddings.cls_token")
    %placed = vit.add %with_class, %table : (!tokens, !positions) -> !tokens loc("embeddings")
    %encoded = vit.layers 12 (%i, %x = %placed) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_weight = vit.read @norm1.weight[%i] : !vector
      %norm1_bias = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_weight bias %norm1_bias epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("encoder.layer.{}.norm1")
      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %norm1, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("encoder.layer.{}.attention.attention.query")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key_bias = vit.read @key.bias[%i] : !vector
      %key = vit.linear %norm1, %key_weight, %key_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("encoder.layer.{}.attention.attention.key")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %norm1, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("encoder.layer.{}.attention.attention.value")
      %context, %attention = vit.attention %query, %key, %value heads 6 scale 0.125 :
          (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("encoder.layer.{}.attention")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("encoder.layer.{}.attention.output.dense")
      %scale1_gamma = vit.read @scale1.gamma[%i] : !vector
      %scaled1 = vit.layer_scale %out, %scale1_gamma :
          (!tokens, !vector) -> !tokens loc("encoder.layer.{}.layer_scale1")
      %attended = vit.add %scaled1, %x :
          (!tokens, !tokens) -> !tokens loc("encoder.layer.{}.attention.output.dense")
      %norm2_weight = vit.read @norm2.weight[%i] : !vector
      %norm2_bias = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_weight bias %norm2_bias epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("encoder.layer.{}.norm2")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("encoder.layer.{}.mlp.fc1")
      %activated = vit.gelu erf %fc1 : !hidden loc("encoder.layer.{}.mlp.fc1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("encoder.layer.{}.mlp.fc2")
      %scale2_gamma = vit.read @scale2.gamma[%i] : !vector
      %scaled2 = vit.layer_scale %fc2, %scale2_gamma :
          (!tokens, !vector) -> !tokens loc("encoder.layer.{}.layer_scale2")
      %next = vit.add %scaled2, %attended :
          (!tokens, !tokens) -> !tokens loc("encoder.layer.{}.mlp.fc2")
      vit.yield %next : !tokens
    } loc("encoder")
    vit.output "hidden_12" = %encoded : !tokens
    %norm_weight = vit.read @norm.weight : !vector
    %norm_bias = vit.read @norm.bias : !vector
    %norm = vit.layer_norm %encoded scale %norm_weight bias %norm_bias epsilon 1.0e-06 :
        (!tokens, !vector, !vector) -> !tokens loc("layernorm")
    vit.output "final" = %norm : !tokens
    %cls_token = vit.take_tokens %norm from 0 : (!tokens) -> !pooled loc("layernorm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %norm from 1 count 256 :
        (!tokens) -> !patch_tokens loc("layernorm")
    vit.output "feature_map" = %feature_map : !patch_tokens
    return %norm, %cls_token : !tokens, !pooled
  }
}
