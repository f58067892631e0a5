//===- post-norm.mlir - a ViT over torch.nn.TransformerEncoder ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ViT with unmodified layers of torch.nn.TransformerEncoderLayer: the norm
// after the residual sum (Vaswani et al., "Attention is all you need", 2017),
// ReLU, dropout 0.1. Checkpoints of many tutorials are of this kind; change
// sizes and stored names to load one with --weights.
//
// For CIFAR-10: nn.TransformerEncoder(nn.TransformerEncoderLayer(d_model=128,
// nhead=4, dim_feedforward=512, batch_first=True), num_layers=4), class token,
// learned positions, patches of 4 by a convolution.
//
//===----------------------------------------------------------------------===//

!image = tensor<?x3x32x32xf32>
!patches = tensor<?x64x48xf32>
!embedded = tensor<?x64x128xf32>
!tokens = tensor<?x65x128xf32>
!hidden = tensor<?x65x512xf32>
!probabilities = tensor<?x4x65x65xf32>
!pooled = tensor<?x128xf32>
!logits = tensor<?x10xf32>
!patch_matrix = tensor<128x48xf32>
!width_by_width = tensor<128x128xf32>
!fc1_matrix = tensor<512x128xf32>
!fc2_matrix = tensor<128x512xf32>
!head_matrix = tensor<10x128xf32>
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
  vit.parameter @patch.weight : !patch_matrix init<uniform, 0.14433757>
      stored<"patch_embed.proj.weight", [128, 3, 4, 4], 0 to 128>
  vit.parameter @patch.bias : !vector init<uniform, 0.14433757>
      stored<"patch_embed.proj.bias", [128], 0 to 128>
  vit.parameter @class_token : !token init<trunc_normal, 0.02>
      stored<"cls_token", [1, 1, 128], 0 to 1>
  vit.parameter @positions : !positions init<trunc_normal, 0.02>
      stored<"pos_embed", [1, 65, 128], 0 to 1>

  // One per layer.
  vit.parameter @norm1.weight : 4 x !vector init<constant, 1.0>
      stored<"encoder.layers.{}.norm1.weight", [128], 0 to 128>
  vit.parameter @norm1.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.norm1.bias", [128], 0 to 128>
  vit.parameter @query.weight : 4 x !width_by_width init<uniform, 0.10825318>
      stored<"encoder.layers.{}.self_attn.in_proj_weight", [384, 128], 0 to 128>
  vit.parameter @query.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.self_attn.in_proj_bias", [384], 0 to 128>
  vit.parameter @key.weight : 4 x !width_by_width init<uniform, 0.10825318>
      stored<"encoder.layers.{}.self_attn.in_proj_weight", [384, 128], 128 to 256>
  vit.parameter @key.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.self_attn.in_proj_bias", [384], 128 to 256>
  vit.parameter @value.weight : 4 x !width_by_width init<uniform, 0.10825318>
      stored<"encoder.layers.{}.self_attn.in_proj_weight", [384, 128], 256 to 384>
  vit.parameter @value.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.self_attn.in_proj_bias", [384], 256 to 384>
  vit.parameter @out.weight : 4 x !width_by_width init<uniform, 0.088388348>
      stored<"encoder.layers.{}.self_attn.out_proj.weight", [128, 128], 0 to 128>
  vit.parameter @out.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.self_attn.out_proj.bias", [128], 0 to 128>
  vit.parameter @norm2.weight : 4 x !vector init<constant, 1.0>
      stored<"encoder.layers.{}.norm2.weight", [128], 0 to 128>
  vit.parameter @norm2.bias : 4 x !vector init<constant, 0.0>
      stored<"encoder.layers.{}.norm2.bias", [128], 0 to 128>
  vit.parameter @fc1.weight : 4 x !fc1_matrix init<uniform, 0.088388348>
      stored<"encoder.layers.{}.linear1.weight", [512, 128], 0 to 512>
  vit.parameter @fc1.bias : 4 x !hidden_vector init<uniform, 0.088388348>
      stored<"encoder.layers.{}.linear1.bias", [512], 0 to 512>
  vit.parameter @fc2.weight : 4 x !fc2_matrix init<uniform, 0.044194174>
      stored<"encoder.layers.{}.linear2.weight", [128, 512], 0 to 128>
  vit.parameter @fc2.bias : 4 x !vector init<uniform, 0.044194174>
      stored<"encoder.layers.{}.linear2.bias", [128], 0 to 128>

  // From tokens to logits.
  vit.parameter @head.weight : !head_matrix init<uniform, 0.088388348>
      stored<"head.weight", [10, 128], 0 to 10>
  vit.parameter @head.bias : !class_vector init<uniform, 0.088388348>
      stored<"head.bias", [10], 0 to 10>

  func.func @forward(%image: !image {vit.name = "image"}) -> (!logits {vit.name = "logits"}) {
    %patches = vit.patchify %image patch [4, 4] order chw : (!image) -> !patches loc("patch_embed.proj")
    %patch_weight = vit.read @patch.weight : !patch_matrix
    %patch_bias = vit.read @patch.bias : !vector
    %projected = vit.linear %patches, %patch_weight, %patch_bias :
        (!patches, !patch_matrix, !vector) -> !embedded loc("patch_embed.proj")
    %class_token = vit.read @class_token : !token
    %with_class = vit.prepend_tokens %projected, %class_token :
        (!embedded, !token) -> !tokens loc("cls_token")
    %positions = vit.read @positions : !positions
    %placed = vit.add %with_class, %positions : (!tokens, !positions) -> !tokens loc("pos_embed")

    %encoded = vit.layers 4 (%i, %x = %placed) : !tokens {
      vit.output "hidden_{}"[%i] = %x : !tokens
      %query_weight = vit.read @query.weight[%i] : !width_by_width
      %query_bias = vit.read @query.bias[%i] : !vector
      %query = vit.linear %x, %query_weight, %query_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("encoder.layers.{}.self_attn.in_proj")
      %key_weight = vit.read @key.weight[%i] : !width_by_width
      %key_bias = vit.read @key.bias[%i] : !vector
      %key = vit.linear %x, %key_weight, %key_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("encoder.layers.{}.self_attn.in_proj")
      %value_weight = vit.read @value.weight[%i] : !width_by_width
      %value_bias = vit.read @value.bias[%i] : !vector
      %value = vit.linear %x, %value_weight, %value_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("encoder.layers.{}.self_attn.in_proj")
      %context, %attention = vit.attention %query, %key, %value heads 4 scale 0.1767766952966369 :
          (!tokens, !tokens, !tokens) -> (!tokens, !probabilities) loc("encoder.layers.{}.self_attn")
      vit.output "attention_{}"[%i] = %attention : !probabilities
      %out_weight = vit.read @out.weight[%i] : !width_by_width
      %out_bias = vit.read @out.bias[%i] : !vector
      %out = vit.linear %context, %out_weight, %out_bias :
          (!tokens, !width_by_width, !vector) -> !tokens loc("encoder.layers.{}.self_attn.out_proj")
      %out_dropped = vit.dropout %out probability 0.1 : !tokens loc("encoder.layers.{}.self_attn.out_proj")
      %attended = vit.add %out_dropped, %x :
          (!tokens, !tokens) -> !tokens loc("encoder.layers.{}.self_attn.out_proj")
      %norm1_scale = vit.read @norm1.weight[%i] : !vector
      %norm1_shift = vit.read @norm1.bias[%i] : !vector
      %norm1 = vit.layer_norm %attended scale %norm1_scale bias %norm1_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("encoder.layers.{}.norm1")

      %fc1_weight = vit.read @fc1.weight[%i] : !fc1_matrix
      %fc1_bias = vit.read @fc1.bias[%i] : !hidden_vector
      %fc1 = vit.linear %norm1, %fc1_weight, %fc1_bias :
          (!tokens, !fc1_matrix, !hidden_vector) -> !hidden loc("encoder.layers.{}.linear1")
      %activated = vit.relu %fc1 : !hidden loc("encoder.layers.{}.linear1")
      %activated_dropped = vit.dropout %activated probability 0.1 : !hidden loc("encoder.layers.{}.linear1")
      %fc2_weight = vit.read @fc2.weight[%i] : !fc2_matrix
      %fc2_bias = vit.read @fc2.bias[%i] : !vector
      %fc2 = vit.linear %activated_dropped, %fc2_weight, %fc2_bias :
          (!hidden, !fc2_matrix, !vector) -> !tokens loc("encoder.layers.{}.linear2")
      %fc2_dropped = vit.dropout %fc2 probability 0.1 : !tokens loc("encoder.layers.{}.linear2")
      %fed = vit.add %fc2_dropped, %norm1 : (!tokens, !tokens) -> !tokens loc("encoder.layers.{}.linear2")
      %next_scale = vit.read @norm2.weight[%i] : !vector
      %next_shift = vit.read @norm2.bias[%i] : !vector
      %next = vit.layer_norm %fed scale %next_scale bias %next_shift epsilon 1.0e-05 :
          (!tokens, !vector, !vector) -> !tokens loc("encoder.layers.{}.norm2")
      vit.yield %next : !tokens
    } loc("encoder")
    vit.output "hidden_4" = %encoded : !tokens

    %cls_token = vit.take_tokens %encoded from 0 : (!tokens) -> !pooled loc("encoder")
    vit.output "cls_token" = %cls_token : !pooled
    %feature_map = vit.take_tokens %encoded from 1 count 64 : (!tokens) -> !embedded loc("encoder")
    vit.output "feature_map" = %feature_map : !embedded
    vit.output "features" = %cls_token : !pooled
    %head_weight = vit.read @head.weight : !head_matrix
    %head_bias = vit.read @head.bias : !class_vector
    %logits = vit.linear %cls_token, %head_weight, %head_bias :
        (!pooled, !head_matrix, !class_vector) -> !logits loc("head")
    return %logits : !logits
  }
}
