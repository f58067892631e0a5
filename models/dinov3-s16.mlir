//===- dinov3-s16.mlir - DINOv3 S/16, 224 pixels --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DINOv3 (Simeoni et al., "DINOv3", 2025): ViT-S/16 with four registers, layer
// scales and rotary positions in place of a table; keys have no bias.
//
// Stored names and preprocessing are those of transformers' DINOv3ViTModel
// (facebook/dinov3-vits16-pretrain-lvd1689m), so that its checkpoints load with
// --weights. Its processor resizes before it rounds: up to a grey level differs.
//
//===----------------------------------------------------------------------===//

!patch_matrix = tensor<384x768xf32>
!vector = tensor<384xf32>
!registers = tensor<4x384xf32>
!token = tensor<1x384xf32>
!width_by_width = tensor<384x384xf32>
!fc1_matrix = tensor<1536x384xf32>
!hidden_vector = tensor<1536xf32>
!fc2_matrix = tensor<384x1536xf32>
!image = tensor<?x3x224x224xf32>
!tokens = tensor<?x201x384xf32>
!pooled = tensor<?x384xf32>
!patches = tensor<?x196x768xf32>
!patch_tokens = tensor<?x196x384xf32>
!patches_and_registers = tensor<?x200x384xf32>
!angles = tensor<196x32xf32>
!probabilities = tensor<?x6x201x201xf32>
!hidden = tensor<?x201x1536xf32>

module attributes {
  vit.prefix_tokens = ["class", "register", "register", "register", "register"],
  vit.patch_grid = array<i64: 14, 14>,
  vit.preprocessing = {
    channels = 3, height = 224, width = 224, resize_height = 224, resize_width = 224,
    center_crop = 0, interpolation = 18, apply_exif_orientation = 1, scale = 0.00392156886 : f32,
    mean = array<f32: 0.485, 0.456, 0.406>,
    std = array<f32: 0.229, 0.224, 0.225>
  },
  vit.unused = ["*embeddings.mask_token", "classifier.*", "cls_classifier.*",
      "distillation_classifier.*"]
} {
  // From the picture to tokens.
  vit.parameter @patch.weight : !patch_matrix init<trunc_normal, 0.02>
      stored<"embeddings.patch_embeddings.weight", [384, 3, 16, 16], 0 to 384>
  vit.parameter @patch.bias : !vector init<constant, 0.0>
      stored<"embeddings.patch_embeddings.bias", [384], 0 to 384>
  vit.parameter @registers : !registers init<trunc_normal, 0.02>
      stored<"embeddings.register_tokens", [1, 4, 384], 0 to 1>
  vit.parameter @class_token : !token init<trunc_normal, 0.02>
      stored<"embeddings.cls_token", [1, 1, 384], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 12 x !vector init<constant, 1.0>
      stored<"layer.{}.norm1.weight", [384], 0 to 384>
  vit.parameter @norm1.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.norm1.bias", [384], 0 to 384>
  vit.parameter @query.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"layer.{}.attention.q_proj.weight", [384, 384], 0 to 384>
  vit.parameter @query.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.attention.q_proj.bias", [384], 0 to 384>
  vit.parameter @key.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"layer.{}.attention.k_proj.weight", [384, 384], 0 to 384>
  vit.parameter @value.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"layer.{}.attention.v_proj.weight", [384, 384], 0 to 384>
  vit.parameter @value.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.attention.v_proj.bias", [384], 0 to 384>
  vit.parameter @out.weight : 12 x !width_by_width init<trunc_normal, 0.02>
      stored<"layer.{}.attention.o_proj.weight", [384, 384], 0 to 384>
  vit.parameter @out.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.attention.o_proj.bias", [384], 0 to 384>
  vit.parameter @scale1.gamma : 12 x !vector init<constant, 1.0>
      stored<"layer.{}.layer_scale1.lambda1", [384], 0 to 384>
  vit.parameter @norm2.weight : 12 x !vector init<constant, 1.0>
      stored<"layer.{}.norm2.weight", [384], 0 to 384>
  vit.parameter @norm2.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.norm2.bias", [384], 0 to 384>
  vit.parameter @fc1.weight : 12 x !fc1_matrix init<trunc_normal, 0.02>
      stored<"layer.{}.mlp.up_proj.weight", [1536, 384], 0 to 1536>
  vit.parameter @fc1.bias : 12 x !hidden_vector init<constant, 0.0>
      stored<"layer.{}.mlp.up_proj.bias", [1536], 0 to 1536>
  vit.parameter @fc2.weight : 12 x !fc2_matrix init<trunc_normal, 0.02>
      stored<"layer.{}.mlp.down_proj.weight", [384, 1536], 0 to 384>
  vit.parameter @fc2.bias : 12 x !vector init<constant, 0.0>
      stored<"layer.{}.mlp.down_proj.bias", [384], 0 to 384>
  vit.parameter @scale2.gamma : 12 x !vector init<constant, 1.0>
      stored<"layer.{}.layer_scale2.lambda1", [384], 0 to 384>

  // From tokens to results.
  vit.parameter @norm.weight : !vector init<constant, 1.0> stored<"norm.weight", [384], 0 to 384>
  vit.parameter @norm.bias : !vector init<constant, 0.0> stored<"norm.bias", [384], 0 to 384>

  func.func @forward(%image: !image {vit.name = "image"}) ->
      (!tokens {vit.name = "last_hidden_state"},
       !pooled {vit.name = "pooler_output"}) {
    %patches = vit.patchify %image patch [16, 16] order chw :
        (!image) -> !patches loc("embeddings.patch_embeddings")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %patch = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !patch_tokens loc("embeddings.patch_embeddings")
    %registers = vit.read @registers : !registers
    %with_registers = vit.prepend_tokens %patch, %registers :
        (!patch_tokens, !registers) -> !patches_and_registers loc("embeddings.register_tokens")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %with_registers, %class_token :
        (!patches_and_registers, !token) -> !tokens loc("embeddings.cls_token")
    %angles = vit.rotary_positions grid [14, 14] width 32 temperature 100.0 order yx
        origin 0.5 extent 12.566370614359172 centered : !angles loc("embeddings")
    %encoded = vit.layers 12 (%i, %x = %with_class) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %norm1_weight = vit.read @norm1.weight[%i] : !vector
      %norm1_bias = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %x scale %norm1_weight bias %norm1_bias epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("layer.{}.norm1")
      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %norm1, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("layer.{}.attention.q_proj")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key = vit.linear %norm1, %key_weight :
          (!tokens, !width_by_width) -> !tokens loc("layer.{}.attention.k_proj")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %norm1, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("layer.{}.attention.v_proj")
      %rotated_query = vit.rotate %query, %angles heads 6 prefix 5 pairs halves :
          (!tokens, !angles) -> !tokens loc("layer.{}.attention")
      %rotated_key = vit.rotate %key, %angles heads 6 prefix 5 pairs halves :
          (!tokens, !angles) -> !tokens loc("layer.{}.attention")
      %context, %attention = vit.attention %rotated_query, %rotated_key, %value
          heads 6 scale 0.125 :
          (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("layer.{}.attention")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("layer.{}.attention.o_proj")
      %scale1_gamma = vit.read @scale1.gamma[%i] : !vector
      %scaled1 = vit.layer_scale %out, %scale1_gamma :
          (!tokens, !vector) -> !tokens loc("layer.{}.layer_scale1")
      %attended = vit.add %scaled1, %x :
          (!tokens, !tokens) -> !tokens loc("layer.{}.attention.o_proj")
      %norm2_weight = vit.read @norm2.weight[%i] : !vector
      %norm2_bias = vit.read @norm2.bias[%i] : !vector
      %norm2 = vit.layer_norm %attended scale %norm2_weight bias %norm2_bias epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("layer.{}.norm2")
      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm2, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("layer.{}.mlp.up_proj")
      %activated = vit.gelu erf %fc1 : !hidden loc("layer.{}.mlp.up_proj")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("layer.{}.mlp.down_proj")
      %scale2_gamma = vit.read @scale2.gamma[%i] : !vector
      %scaled2 = vit.layer_scale %fc2, %scale2_gamma :
          (!tokens, !vector) -> !tokens loc("layer.{}.layer_scale2")
      %next = vit.add %scaled2, %attended :
          (!tokens, !tokens) -> !tokens loc("layer.{}.mlp.down_proj")
      vit.yield %next : !tokens
    } loc("layer")
    vit.output "hidden_12" = %encoded : !tokens
    %norm_weight = vit.read @norm.weight : !vector
    %norm_bias = vit.read @norm.bias : !vector
    %norm = vit.layer_norm %encoded scale %norm_weight bias %norm_bias epsilon 1.0e-05 :
        (!tokens, !vector, !vector) -> !tokens loc("norm")
    vit.output "final" = %norm : !tokens
    %cls_token = vit.take_tokens %norm from 0 : (!tokens) -> !pooled loc("norm")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %norm from 5 count 196 : (!tokens) -> !patch_tokens loc("norm")
    vit.output "feature_map" = %feature_map : !patch_tokens
    return %norm, %cls_token : !tokens, !pooled
  }
}
