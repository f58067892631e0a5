//===- clip-vit-b32.mlir - CLIP ViT-B/32, the image tower -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CLIP's image tower (Radford et al., "Learning transferable visual models from
// natural language supervision", ICML 2021): ViT-B/32 with quick GELU, a norm
// before the layers, patches without a bias. image_embeds is the projection of the
// normalised class token and is not of unit length.
//
// Stored names and preprocessing are those of transformers' CLIPModel
// (openai/clip-vit-base-patch32), so that its checkpoints load with --weights; the
// text tower is not used.
//
//===----------------------------------------------------------------------===//

!fc2_matrix = tensor<768x3072xf32>
!positions = tensor<50x768xf32>
!token = tensor<1x768xf32>
!vector = tensor<768xf32>
!width_by_width = tensor<768x768xf32>
!fc1_matrix = tensor<3072x768xf32>
!hidden_vector = tensor<3072xf32>
!projection_matrix = tensor<512x768xf32>
!image = tensor<?x3x224x224xf32>
!tokens = tensor<?x50x768xf32>
!pooled = tensor<?x768xf32>
!embedding = tensor<?x512xf32>
!patches = tensor<?x49x3072xf32>
!patch_tokens = tensor<?x49x768xf32>
!probabilities = tensor<?x12x50x50xf32>
!hidden = tensor<?x50x3072xf32>

module attributes {
  vit.prefix_tokens = ["class"],
  vit.patch_grid = array<i64: 7, 7>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 224, resize_width = -1,
    center_crop = 2, interpolation = 3, apply_exif_orientation = 1, scale = 0.00392156886 : f32,
    mean = array<f32: 0.48145467, 0.457827508, 0.408210725>,
    std = array<f32: 0.268629551, 0.26130259, 0.275777102>
  },
  vit.unused = ["*text_model.*", "*text_projection.*", "*logit_scale", "*position_ids",
      "classifier.*", "cls_classifier.*", "distillation_classifier.*"]
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !fc2_matrix init<trunc_normal, 0.02>
      stored<"vision_model.embeddings.patch_embedding.weight", [768, 3, 32, 32], 0 to 768>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"vision_model.embeddings.position_embedding.weight", [50, 768], 0 to 50>
  vit.parameter @class_token : !token init<trunc_normal, 0.02>
      stored<"vision_model.embeddings.class_embedding", [768], 0 to 768>
  vit.parameter @pre_norm.weight : !vector init<constant, 1.0>
      stored<"vision_model.pre_layrnorm.weight", [768], 0 to 768>
  vit.parameter @pre_norm.bias : !vector init<constant, 0.0>
      stored<"vision_model.pre_layrnorm.bias", [768], 0 to 768>

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
  vit.parameter @pool_norm.weight : !vector init<constant, 1.0>
      stored<"vision_model.post_layernorm.weight", [768], 0 to 768>
  vit.parameter @pool_norm.bias : !vector init<constant, 0.0>
      stored<"vision_model.post_layernorm.bias", [768], 0 to 768>
  vit.parameter @projection.weight : !projection_matrix init<trunc_normal, 0.02>
      stored<"visual_projection.weight", [512, 768], 0 to 512>

  func.func @forward(%image: !image {vit.name = "image"}) ->
      (!tokens {vit.name = "last_hidden_state"},
       !pooled {vit.name = "pooler_output"},
       !embedding {vit.name = "image_embeds"}) {
    %patches = vit.patchify %image patch [32, 32] order chw :
        (!image) -> !patches loc("vision_model.embeddings.patch_embedding")
    %patch_weight = vit.read @patch.weight : !fc2_matrix
    %patch = vit.linear %patches, %patch_weight :
        (!patches, !fc2_matrix) -> !patch_tokens loc("vision_model.embeddings.patch_embedding")
    %positions = vit.read @positions : !positions
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %patch, %class_token :
        (!patch_tokens, !token) -> !tokens loc("vision_model.embeddings.class_embedding")
    %placed = vit.add %with_class, %positions :
        (!tokens, !positions) -> !tokens loc("vision_model.embeddings")
    %pre_norm_weight = vit.read @pre_norm.weight : !vector
    %pre_norm_bias = vit.read @pre_norm.bias : !vector
    %pre_norm = vit.layer_norm %placed scale %pre_norm_weight bias %pre_norm_bias epsilon 1.0e-05 :
        (!tokens, !vector, !vector) -> !tokens loc("vision_model.pre_layrnorm")
    %encoded = vit.layers 12 (%i, %x = %pre_norm) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_weight = vit.read @norm1.weight[%i] : !vector
      %norm1_bias = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_weight bias %norm1_bias epsilon 1.0e-05 :
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
      %norm2 = vit.layer_norm %attended scale %norm2_weight bias %norm2_bias epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("vision_model.encoder.layers.{}.layer_norm2")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) ->
          !hidden loc("vision_model.encoder.layers.{}.mlp.fc1")
      %activated = vit.gelu quick %fc1 : !hidden loc("vision_model.encoder.layers.{}.mlp.fc1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("vision_model.encoder.layers.{}.mlp.fc2")
      %next = vit.add %fc2, %attended :
          (!tokens, !tokens) -> !tokens loc("vision_model.encoder.layers.{}.mlp.fc2")
      vit.yield %next : !tokens
    } loc("vision_model.encoder")
    vit.output "hidden_12" = %encoded : !tokens
    %cls_token = vit.take_tokens %encoded from 0 : (!tokens) -> !pooled
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %encoded from 1 count 49 : (!tokens) -> !patch_tokens
    vit.output "feature_map" = %feature_map : !patch_tokens
    %pool_norm_weight = vit.read @pool_norm.weight : !vector
    %pool_norm_bias = vit.read @pool_norm.bias : !vector
    %pool_norm = vit.layer_norm %cls_token scale %pool_norm_weight bias %pool_norm_bias
        epsilon 1.0e-05 :
        (!pooled, !vector, !vector) -> !pooled loc("vision_model.post_layernorm")
    %projection_weight = vit.read @projection.weight : !projection_matrix
    %projection = vit.linear %pool_norm, %projection_weight :
        (!pooled, !projection_matrix) -> !embedding loc("visual_projection")
    return %encoded, %pool_norm, %projection : !tokens, !pooled, !embedding
  }
}
