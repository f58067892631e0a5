//===- beit-b16.mlir - BEiT B/16, 224 pixels, 1000 classes ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BEiT (Bao et al., "BEiT: BERT pre-training of image transformers", ICLR 2022):
// a bias of attention's scores from a table of relative positions in each layer,
// layer scales, stochastic depth, and the normalised mean of the patch tokens.
//
// Stored names and preprocessing are those of transformers'
// BeitForImageClassification (microsoft/beit-base-patch16-224), so that its
// checkpoints load with --weights.
//
//===----------------------------------------------------------------------===//

!width_by_width = tensor<768x768xf32>
!vector = tensor<768xf32>
!token = tensor<1x768xf32>
!relative_positions = tensor<732x12xf32>
!fc1_matrix = tensor<3072x768xf32>
!hidden_vector = tensor<3072xf32>
!fc2_matrix = tensor<768x3072xf32>
!head_matrix = tensor<1000x768xf32>
!class_vector = tensor<1000xf32>
!image = tensor<?x3x224x224xf32>
!logits = tensor<?x1000xf32>
!patch_tokens = tensor<?x196x768xf32>
!tokens = tensor<?x197x768xf32>
!bias = tensor<12x197x197xf32>
!probabilities = tensor<?x12x197x197xf32>
!hidden = tensor<?x197x3072xf32>
!pooled = tensor<?x768xf32>

module attributes {
  vit.prefix_tokens = ["class"],
  vit.patch_grid = array<i64: 14, 14>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 224, resize_width = 224,
    center_crop = 0, interpolation = 3, apply_exif_orientation = 1, scale = 0.00392156886 : f32,
    mean = array<f32: 0.5, 0.5, 0.5>,
    std = array<f32: 0.5, 0.5, 0.5>
  },
  vit.unused = ["*embeddings.mask_token", "*relative_position_index", "fpn.*", "fpn1.*", "fpn2.*"]
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !width_by_width init<trunc_normal, 0.02>
      stored<"beit.embeddings.patch_embeddings.projection.weight", [768, 3, 16, 16], 0 to 768>
  vit.parameter @patch.bias : !vector init<constant, 0.0>
      stored<"beit.embeddings.patch_embeddings.projection.bias", [768], 0 to 768>
  vit.parameter @class_token : !token init<trunc_normal, 0.02>
      stored<"beit.embeddings.cls_token", [1, 1, 768], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"beit.encoder.layer.{}.layernorm_before.weight", [768], 0 to 768>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.layernorm_before.bias", [768], 0 to 768>
  vit.parameter @query.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.attention.attention.query.weight", [768, 768], 0 to 768>
  vit.parameter @query.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.attention.attention.query.bias", [768], 0 to 768>
  vit.parameter @key.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.attention.attention.key.weight", [768, 768], 0 to 768>
  vit.parameter @value.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.attention.attention.value.weight", [768, 768], 0 to 768>
  vit.parameter @value.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.attention.attention.value.bias", [768], 0 to 768>
  vit.parameter @relative_positions : 12 x !relative_positions init<constant, 0.0>
      stored<"beit.encoder.layer.{}.attention.attention.relative_position_bias.relative_position_bias_table", [732, 12], 0 to 732>
  vit.parameter @out.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.attention.output.dense.weight", [768, 768], 0 to 768>
  vit.parameter @out.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.attention.output.dense.bias", [768], 0 to 768>
  vit.parameter @scale1.gamma : 12 x !vector init<constant, 0.1>
      stored<"beit.encoder.layer.{}.lambda_1", [768], 0 to 768>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"beit.encoder.layer.{}.layernorm_after.weight", [768], 0 to 768>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.layernorm_after.bias", [768], 0 to 768>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.intermediate.dense.weight", [3072, 768], 0 to 3072>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.intermediate.dense.bias", [3072], 0 to 3072>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"beit.encoder.layer.{}.output.dense.weight", [768, 3072], 0 to 768>
  vit.parameter @fc2.bias : 12 x !vector init<constant, 0.0>
      stored<"beit.encoder.layer.{}.output.dense.bias", [768], 0 to 768>
  vit.parameter @scale2.gamma : 12 x !vector init<constant, 0.1>
      stored<"beit.encoder.layer.{}.lambda_2", [768], 0 to 768>

  // From tokens to results.
  vit.parameter @pool_norm.weight : !vector init<constant, 1.0>
      stored<"beit.pooler.layernorm.weight", [768], 0 to 768>
  vit.parameter @pool_norm.bias : !vector init<constant, 0.0>
      stored<"beit.pooler.layernorm.bias", [768], 0 to 768>
  vit.parameter @head.weight : !head_matrix init<trunc_normal, 0.02>
      stored<"classifier.weight", [1000, 768], 0 to 1000>
  vit.parameter @head.bias : !class_vector init<constant, 0.0>
      stored<"classifier.bias", [1000], 0 to 1000>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [16, 16] order chw :
        (!image) -> !patch_tokens loc("beit.embeddings.patch_embeddings.projection")
    %patch_weight = vit.read @patch.weight : !width_by_width
    %patch_bias = vit.read @patch.bias : !vector
    %patch = vit.linear %patches, %patch_weight, %patch_bias :
        (!patch_tokens, !width_by_width, !vector) ->
        !patch_tokens loc("beit.embeddings.patch_embeddings.projection")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %patch, %class_token :
        (!patch_tokens, !token) -> !tokens loc("beit.embeddings.cls_token")
    %encoded = vit.layers 12 (%i, %x = %with_class) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_weight = vit.read @norm1.weight[%i] : !vector
      %norm1_bias = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_weight bias %norm1_bias epsilon 1.0e-12 :
          (!tokens, !vector, !vector) -> !tokens loc("beit.encoder.layer.{}.layernorm_before")
      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %norm1, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("beit.encoder.layer.{}.attention.attention.query")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key = vit.linear %norm1, %key_weight :
          (!tokens, !width_by_width) -> !tokens loc("beit.encoder.layer.{}.attention.attention.key")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %norm1, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("beit.encoder.layer.{}.attention.attention.value")
      %relative_positions = vit.read @relative_positions[%i] : !relative_positions
      %bias = vit.relative_positions %relative_positions grid [14, 14] prefix 1 :
          (!relative_positions) ->
          !bias
          loc("beit.encoder.layer.{}.attention.attention.relative_position_bias.relative_position_bias_table")
      %context, %attention = vit.attention %query, %key, %value bias %bias heads 12 scale 0.125 :
          (!tokens, !tokens, !tokens, !bias) ->
          (!tokens, !probabilities) loc("beit.encoder.layer.{}.attention.attention")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) ->
          !tokens loc("beit.encoder.layer.{}.attention.output.dense")
      %scale1_gamma = vit.read @scale1.gamma[%i] : !vector
      %scaled1 = vit.layer_scale %out, %scale1_gamma :
          (!tokens, !vector) -> !tokens loc("beit.encoder.layer.{}.lambda_1")
      %dropped1 = vit.drop_path %scaled1 probability 0.0 to 0.1 over %i : !tokens
          loc("beit.encoder.layer.{}.drop_path1")
      %attended = vit.add %dropped1, %x :
          (!tokens, !tokens) -> !tokens loc("beit.encoder.layer.{}.attention.output.dense")
      %norm2_weight = vit.read @norm2.weight[%i] : !vector
      %norm2_bias = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_weight bias %norm2_bias epsilon 1.0e-12 :
          (!tokens, !vector, !vector) -> !tokens loc("beit.encoder.layer.{}.layernorm_after")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) ->
          !hidden loc("beit.encoder.layer.{}.intermediate.dense")
      %activated = vit.gelu erf %fc1 : !hidden loc("beit.encoder.layer.{}.intermediate.dense")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("beit.encoder.layer.{}.output.dense")
      %scale2_gamma = vit.read @scale2.gamma[%i] : !vector
      %scaled2 = vit.layer_scale %fc2, %scale2_gamma :
          (!tokens, !vector) -> !tokens loc("beit.encoder.layer.{}.lambda_2")
      %dropped2 = vit.drop_path %scaled2 probability 0.0 to 0.1 over %i : !tokens
          loc("beit.encoder.layer.{}.drop_path2")
      %next = vit.add %dropped2, %attended :
          (!tokens, !tokens) -> !tokens loc("beit.encoder.layer.{}.output.dense")
      vit.yield %next : !tokens
    } loc("beit.encoder")
    vit.output "hidden_12" = %encoded : !tokens
    %cls_token = vit.take_tokens %encoded from 0 : (!tokens) -> !pooled loc("beit.layernorm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %encoded from 1 count 196 :
        (!tokens) -> !patch_tokens loc("beit.layernorm")
    vit.output "feature_map" = %feature_map : !patch_tokens
    %mean = vit.mean_tokens %encoded from 1 : (!tokens) -> !pooled loc("beit.layernorm")
    %pool_norm_weight = vit.read @pool_norm.weight : !vector
    %pool_norm_bias = vit.read @pool_norm.bias : !vector
    %pool_norm = vit.layer_norm %mean scale %pool_norm_weight bias %pool_norm_bias epsilon 1.0e-12 :
        (!pooled, !vector, !vector) -> !pooled loc("beit.pooler.layernorm")
    vit.output "features" = %pool_norm : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %head = vit.linear %pool_norm, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("classifier")
    return %head : !logits
  }
}
