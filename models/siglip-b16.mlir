//===- siglip-b16.mlir - SigLIP B/16, 224 pixels, the image tower ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SigLIP's image tower (Zhai et al., "Sigmoid loss for language image
// pre-training", ICCV 2023): no class token; pooler_output is attention of a
// learned query to the tokens and an MLP.
//
// Stored names and preprocessing are those of transformers' SiglipModel
// (google/siglip-base-patch16-224), so that its checkpoints load with --weights;
// the text tower is not used.
//
//===----------------------------------------------------------------------===//

!width_by_width = tensor<768x768xf32>
!vector = tensor<768xf32>
!positions = tensor<196x768xf32>
!fc1_matrix = tensor<3072x768xf32>
!hidden_vector = tensor<3072xf32>
!fc2_matrix = tensor<768x3072xf32>
!token = tensor<1x768xf32>
!image = tensor<?x3x224x224xf32>
!tokens = tensor<?x196x768xf32>
!pooled = tensor<?x768xf32>
!probabilities = tensor<?x12x196x196xf32>
!hidden = tensor<?x196x3072xf32>
!pool_token = tensor<?x1x768xf32>
!pool_hidden = tensor<?x3072xf32>

module attributes {
  vit.prefix_tokens = [],
  vit.patch_grid = array<i64: 14, 14>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 224, resize_width = 224,
    center_crop = 0, interpolation = 3, apply_exif_orientation = 1, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5, 0.5, 0.5>,
    std = array<f32: 0.5, 0.5, 0.5>
  },
  vit.unused = ["*text_model.*", "*logit_scale", "*logit_bias", "*position_ids", "classifier.*",
      "cls_classifier.*", "distillation_classifier.*"]
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.embeddings.patch_embedding.weight", [768, 3, 16, 16], 0 to 768>
  vit.parameter @patch.bias : !vector init<constant, 0.0>
      stored<"vision_model.embeddings.patch_embedding.bias", [768], 0 to 768>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"vision_model.embeddings.position_embedding.weight", [196, 768], 0 to 196>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"vision_model.encoder.layers.{}.layer_norm1.weight", [768], 0 to 768>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.layer_norm1.bias", [768], 0 to 768>
  vit.parameter @query.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.self_attn.q_proj.weight", [768, 768], 0 to 768>
  vit.parameter @query.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.self_attn.q_proj.bias", [768], 0 to 768>
  vit.parameter @key.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.self_attn.k_proj.weight", [768, 768], 0 to 768>
  vit.parameter @key.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.self_attn.k_proj.bias", [768], 0 to 768>
  vit.parameter @value.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.self_attn.v_proj.weight", [768, 768], 0 to 768>
  vit.parameter @value.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.self_attn.v_proj.bias", [768], 0 to 768>
  vit.parameter @out.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.self_attn.out_proj.weight", [768, 768], 0 to 768>
  vit.parameter @out.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.self_attn.out_proj.bias", [768], 0 to 768>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"vision_model.encoder.layers.{}.layer_norm2.weight", [768], 0 to 768>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.layer_norm2.bias", [768], 0 to 768>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.mlp.fc1.weight", [3072, 768], 0 to 3072>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.mlp.fc1.bias", [3072], 0 to 3072>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"vision_model.encoder.layers.{}.mlp.fc2.weight", [768, 3072], 0 to 768>
  vit.parameter @fc2.bias : 12 x !vector init<constant, 0.0>
      stored<"vision_model.encoder.layers.{}.mlp.fc2.bias", [768], 0 to 768>

  // From tokens to results.
  vit.parameter @norm.weight : !vector init<constant, 1.0>
      stored<"vision_model.post_layernorm.weight", [768], 0 to 768>
  vit.parameter @norm.bias : !vector init<constant, 0.0>
      stored<"vision_model.post_layernorm.bias", [768], 0 to 768>
  vit.parameter @pool_token : !token init<trunc_normal, 0.02>
      stored<"vision_model.head.probe", [1, 1, 768], 0 to 1>
  vit.parameter @pool_query.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.head.attention.in_proj_weight", [2304, 768], 0 to 768>
  vit.parameter @pool_query.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.attention.in_proj_bias", [2304], 0 to 768>
  vit.parameter @pool_key.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.head.attention.in_proj_weight", [2304, 768], 768 to 1536>
  vit.parameter @pool_key.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.attention.in_proj_bias", [2304], 768 to 1536>
  vit.parameter @pool_value.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.head.attention.in_proj_weight", [2304, 768], 1536 to 2304>
  vit.parameter @pool_value.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.attention.in_proj_bias", [2304], 1536 to 2304>
  vit.parameter @pool_out.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"vision_model.head.attention.out_proj.weight", [768, 768], 0 to 768>
  vit.parameter @pool_out.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.attention.out_proj.bias", [768], 0 to 768>
  vit.parameter @pool_mlp_norm.weight : !vector init<constant, 1.0>
      stored<"vision_model.head.layernorm.weight", [768], 0 to 768>
  vit.parameter @pool_mlp_norm.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.layernorm.bias", [768], 0 to 768>
  vit.parameter @pool_fc1.weight : !fc1_matrix init<trunc_normal, 0.02>
      stored<"vision_model.head.mlp.fc1.weight", [3072, 768], 0 to 3072>
  vit.parameter @pool_fc1.bias : !hidden_vector init<constant, 0.0>
      stored<"vision_model.head.mlp.fc1.bias", [3072], 0 to 3072>
  vit.parameter @pool_fc2.weight : !fc2_matrix init<trunc_normal, 0.02>
      stored<"vision_model.head.mlp.fc2.weight", [768, 3072], 0 to 768>
  vit.parameter @pool_fc2.bias : !vector init<constant, 0.0>
      stored<"vision_model.head.mlp.fc2.bias", [768], 0 to 768>

  func.func @forward(%image: !image {vit.name = "image"}) ->
      (!tokens {vit.name = "last_hidden_state"},
       !pooled {vit.name = "pooler_output"}) {
    %patches = vit.patchify %image patch [16, 16] order chw :
        (!image) -> !tokens loc("vision_model.embeddings.patch_embedding")
    %patch_weight = vit.read @patch.weight : !width_by_width
    %patch_bias = vit.read @patch.bias : !vector
    %patch = vit.linear %patches, %patch_weight, %patch_bias :
        (!tokens, !width_by_width, !vector) ->
        !tokens loc("vision_model.embeddings.patch_embedding")
    %positions = vit.read @positions : !positions
    %placed = vit.add %patch, %positions :
        (!tokens, !positions) -> !tokens loc("vision_model.embeddings")
    %encoded = vit.layers 12 (%i, %x = %placed) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_weight = vit.read @norm1.weight[%i] : !vector
      %norm1_bias = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_weight bias %norm1_bias epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("vision_model.encoder.layers.{}.layer_norm1")
      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %norm1, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("vision_model.encoder.layers.{}.self_attn.q_proj")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key_bias = vit.read @key.bias[%i] : !vector
      %key = vit.linear %norm1, %key_weight, %key_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("vision_model.encoder.layers.{}.self_attn.k_proj")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %norm1, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("vision_model.encoder.layers.{}.self_attn.v_proj")
      %context, %attention = vit.attention %query, %key, %value heads 12 scale 0.125 :
          (!tokens, !tokens, !tokens) ->
          (!tokens, !probabilities) loc("vision_model.encoder.layers.{}.self_attn")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("vision_model.encoder.layers.{}.self_attn.out_proj")
      %attended = vit.add %out, %x :
          (!tokens, !tokens) -> !tokens loc("vision_model.encoder.layers.{}.self_attn.out_proj")
      %norm2_weight = vit.read @norm2.weight[%i] : !vector
      %norm2_bias = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_weight bias %norm2_bias epsilon 1.0e-06 :
          (!tokens, !vector, !vector) -> !tokens loc("vision_model.encoder.layers.{}.layer_norm2")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) ->
          !hidden loc("vision_model.encoder.layers.{}.mlp.fc1")
      %activated = vit.gelu tanh %fc1 : !hidden loc("vision_model.encoder.layers.{}.mlp.fc1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("vision_model.encoder.layers.{}.mlp.fc2")
      %next = vit.add %fc2, %attended :
          (!tokens, !tokens) -> !tokens loc("vision_model.encoder.layers.{}.mlp.fc2")
      vit.yield %next : !tokens
    } loc("vision_model.encoder")
    vit.output "hidden_12" = %encoded : !tokens
    %norm_weight = vit.read @norm.weight : !vector
    %norm_bias = vit.read @norm.bias : !vector
    %norm = vit.layer_norm %encoded scale %norm_weight bias %norm_bias epsilon 1.0e-06 :
        (!tokens, !vector, !vector) -> !tokens loc("vision_model.post_layernorm")
    vit.output "final" = %norm : !tokens
    vit.output "feature_map" = %norm : !tokens
    %pool_token = vit.read @pool_token : !token
    %pool_tokens = vit.repeat_tokens %pool_token for %norm :
        (!token, !tokens) -> !pool_token loc("vision_model.head.probe")
    %pool_query_weight = vit.read @pool_query.weight : !width_by_width
    %pool_query_bias = vit.read @pool_query.bias : !vector
    %pool_query = vit.linear %pool_tokens, %pool_query_weight, %pool_query_bias :
        (!pool_token, !width_by_width, !vector) ->
        !pool_token loc("vision_model.head.attention.in_proj")
    %pool_key_weight = vit.read @pool_key.weight : !width_by_width
    %pool_key_bias = vit.read @pool_key.bias : !vector
    %pool_key = vit.linear %norm, %pool_key_weight, %pool_key_bias :
        (!tokens, !width_by_width, !vector) -> !tokens loc("vision_model.head.attention.in_proj")
    %pool_value_weight = vit.read @pool_value.weight : !width_by_width
    %pool_value_bias = vit.read @pool_value.bias : !vector
    %pool_value = vit.linear %norm, %pool_value_weight, %pool_value_bias :
        (!tokens, !width_by_width, !vector) -> !tokens loc("vision_model.head.attention.in_proj")
    %pool_context = vit.attention %pool_query, %pool_key, %pool_value heads 12 scale 0.125 :
        (!pool_token, !tokens, !tokens) -> !pool_token loc("vision_model.head.attention")
    %pool_first = vit.take_tokens %pool_context from 0 :
        (!pool_token) -> !pooled loc("vision_model.head.attention")
    %pool_out_weight = vit.read @pool_out.weight : !width_by_width
    %pool_out_bias = vit.read @pool_out.bias : !vector
    %pool_out = vit.linear %pool_first, %pool_out_weight, %pool_out_bias :
        (!pooled, !width_by_width, !vector) -> !pooled loc("vision_model.head.attention.out_proj")
    %pool_mlp_norm_weight = vit.read @pool_mlp_norm.weight : !vector
    %pool_mlp_norm_bias = vit.read @pool_mlp_norm.bias : !vector
    %pool_mlp_norm = vit.layer_norm %pool_out scale %pool_mlp_norm_weight bias %pool_mlp_norm_bias
        epsilon 1.0e-06 :
        (!pooled, !vector, !vector) -> !pooled loc("vision_model.head.layernorm")
    %pool_fc1_weight = vit.read @pool_fc1.weight : !fc1_matrix
    %pool_fc1_bias = vit.read @pool_fc1.bias : !hidden_vector
    %pool_fc1 = vit.linear %pool_mlp_norm, %pool_fc1_weight, %pool_fc1_bias :
        (!pooled, !fc1_matrix, !hidden_vector) -> !pool_hidden loc("vision_model.head.mlp.fc1")
    %pool_activated = vit.gelu tanh %pool_fc1 : !pool_hidden loc("vision_model.head.mlp.fc1")
    %pool_fc2_weight = vit.read @pool_fc2.weight : !fc2_matrix
    %pool_fc2_bias = vit.read @pool_fc2.bias : !vector
    %pool_fc2 = vit.linear %pool_activated, %pool_fc2_weight, %pool_fc2_bias :
        (!pool_hidden, !fc2_matrix, !vector) -> !pooled loc("vision_model.head.mlp.fc2")
    %pooled = vit.add %pool_fc2, %pool_out :
        (!pooled, !pooled) -> !pooled loc("vision_model.head.mlp.fc2")
    return %norm, %pooled : !tokens, !pooled
  }
}
