//===- VitConfig.h - What a Vision Transformer is made of -------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One description that the readers of each library's config.json fill in and
// one builder turns into a graph.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_IMPORT_VITCONFIG_H
#define VIT_LIB_IMPORT_VITCONFIG_H

#include "vit/Dialect/Vit.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::vit {

enum class Activation { GeluErf, GeluTanh, GeluQuick, Relu, Silu, Tanh };

enum class PositionKind { None, Learned, Sincos };

enum class Norm { Layer, Rms };

/// What the head reads.
enum class Pooling {
  Token,        ///< The first token
  Mean,         ///< The mean of the patch tokens
  TokenAndMean, ///< Both, side by side (DINOv2)
  All,          ///< All tokens: no pooling
  Distilled,    ///< Class and distillation token, each with its own head
  Attention     ///< Attention with a learned query (SigLIP, timm's map)
};

/// Angles of the patches by which q and k are rotated; see
/// vit.rotary_positions and vit.rotate.
struct RotaryPositions {
  double temperature = 100;
  double origin = 0;
  std::optional<double> extent;
  bool centered = false;
  AxisOrder order = AxisOrder::yx;
  PairKind pairs = PairKind::neighbours;
};

/// How parameters are initialised if there is no checkpoint.
enum class InitStyle {
  Timm,         ///< trunc_normal(0.02), class token almost zero
  Transformers, ///< trunc_normal(initializer_range)
  Torch         ///< torch.nn.Linear's own; tokens and positions normal(1)
};

/// The same for pooling by attention. The query's tensors are `query`, or rows
/// of `qkv`; an empty `query` and `qkv`: the token itself is the query.
struct AttentionPoolNames {
  std::string token; ///< A tensor: the learned query
  std::string attention;
  std::string query, key, value;
  std::string keyValue; ///< k and v in one tensor
  std::string qkv;      ///< q, k and v in one tensor
  std::string out;
  std::string norm, fc1, fc2;
};

/// Paths of modules and names of tensors in a checkpoint. `{}` stands for the
/// number of the layer.
struct VitNames {
  std::string patchNorm, patch, embeddingNorm;
  std::string classToken, distillationToken, registers, positions;
  std::string embeddings; ///< The module that adds the positions.
  std::string preNorm;
  std::string layers;               ///< The module that holds the layers.
  std::string block;                ///< One layer, with `{}`
  std::string norm1, norm2;         ///< These and the next with `{}`
  std::string attention;            ///< The module that computes the attention
  std::string qkv;                  ///< q, k, v in one tensor; or, where empty,
  std::string query, key, value;    ///< in three.
  std::string queryBias, valueBias; ///< Tensors, if not part of `qkv`
  std::string relativePositions, sharedRelativePositions; ///< Tensors
  std::string queryNorm, keyNorm, attentionNorm;
  std::string out, scale1, fc1, mlpNorm, fc2, scale2;
  std::string scaleTensor = ".gamma"; ///< Of the modules scale1 and scale2
  std::string gate;                   ///< Of a gated MLP: a linear layer, or
  std::string gateAndFc1; ///< the first half of the rows of this one.
  std::string norm, poolNorm;
  std::string head, distillationHead, pooler, projection;
  AttentionPoolNames pool;
};

struct VitConfig {
  // The picture and its patches.
  int64_t imageHeight = 224, imageWidth = 224, channels = 3;
  int64_t patchHeight = 16, patchWidth = 16;
  PixelOrder pixelOrder = PixelOrder::chw;
  bool patchConvolution = true; ///< Stored as [out, channels, h, w].
  bool patchNorm = false;       ///< A norm before the projection
  bool embeddingNorm = false;   ///< A norm after it
  bool patchBias = true;

  // Tokens and positions.
  bool classToken = true;
  bool distillationToken = false;
  int64_t registers = 0;
  int64_t tokenRank = 3;      ///< Stored tokens and tables: [1, rows, width] or
                              ///< [rows, width]. Others where not 0:
  int64_t classTokenRank = 0; ///< 1: [width]
  int64_t poolTokenRank = 0;
  PositionKind positions = PositionKind::Learned;
  bool positionsOfPrefix = true; ///< The table has rows for class token etc.
  /// Though not for the registers, which follow the class token (DINOv2).
  bool positionsOfRegisters = true;
  /// Patches per column and row of the stored table; 0: the same as the
  /// picture.
  int64_t storedGridHeight = 0, storedGridWidth = 0;
  /// Sine and cosine positions as AIMv2's; see vit.sincos_positions.
  bool exclusiveSincos = false;
  bool antialias = false; ///< When the table is resampled. Tables of relative
                          ///< positions are then resampled as by timm.
  bool resamples = true;  ///< False: the library cannot, or not like the op.
  bool takesAnySize = false; ///< timm's dynamic_img_size
  std::optional<RotaryPositions> rotary;
  /// A bias of attention's scores by relative positions: of each layer, and of
  /// all of them.
  bool relativePositions = false, sharedRelativePositions = false;
  /// The distances along columns and rows that their stored tables are for; 0:
  /// those of the picture's grid.
  int64_t storedDistanceRows = 0, storedDistanceColumns = 0;
  bool preNorm = false; ///< A LayerNorm before the first layer (CLIP).

  // Layers.
  int64_t width = 768, depth = 12, heads = 12, headWidth = 64, mlpWidth = 3072;
  Activation activation = Activation::GeluErf;
  double epsilon = 1e-6;
  Norm norm = Norm::Layer;
  bool queryBias = true, keyBias = true, valueBias = true;
  bool queryKeyNorm = false;
  bool attentionNorm = false; ///< Before the projection of the heads' results
  bool outProjection = true;
  bool outBias = true;
  bool mlpBias = true;
  bool gated = false;   ///< fc2(activation(gate(x)) * fc1(x))
  bool mlpNorm = false; ///< A norm before fc2
  bool layerScale = false;
  bool mlpLayerScale = true; ///< With `layerScale`: also of the MLP
  bool postNorm = false;     ///< Norms after attention and MLP, not before them

  // From the last layer to the results.
  bool finalNorm = true; ///< Of all tokens.
  bool poolNorm = false; ///< Of the pooled token instead.
  Pooling pooling = Pooling::Token;
  bool meanOfPrefix = false; ///< The mean includes class token etc.
  int64_t classes = 1000;    ///< 0: no head.
  /// Results are last_hidden_state and, if `pooler`, pooler_output: what
  /// `pooling` gives, through a linear layer if `poolerWidth` is not 0.
  bool headless = false;
  bool pooler = false;
  int64_t poolerWidth = 0;
  Activation poolerActivation = Activation::Tanh;
  /// The width of a further result image_embeds, a linear layer on the pooled
  /// features; 0: none.
  int64_t projectionWidth = 0;
  bool projectionBias = false;
  bool projectionTransposed = false;        ///< Stored as [in, out] (open_clip)
  std::string featuresName = "features";    ///< Of the result without a head
  bool poolMlp = true;                      ///< After pooling by attention.
  bool poolBias = true;                     ///< Of its q, k and v.
  int64_t poolHeads = 0;                    ///< 0: as many as a layer
  int64_t poolMlpWidth = 0;                 ///< 0: that of a layer
  std::optional<Activation> poolActivation; ///< Of its MLP; none: a layer's

  // Training.
  InitStyle initStyle = InitStyle::Timm;
  double initRange = 0.02;
  double layerScaleInit = 1e-5;
  double dropout = 0.0; ///< After the projections and in the MLP
  double embeddingDropout = 0.0;
  double headDropout = 0.0;  ///< Before the head.
  double dropPath = 0.0;     ///< Of the last layer; 0 in the first.
  bool dropoutInMlp = false; ///< Also after the activation.

  VitNames names;
  std::vector<std::string> labels;
  std::string problemType; ///< transformers' problem_type; empty: not stated.
  std::vector<std::string> unused; ///< Patterns for `vit.unused`.

  int64_t gridHeight() const { return imageHeight / patchHeight; }
  int64_t gridWidth() const { return imageWidth / patchWidth; }
  int64_t patches() const { return gridHeight() * gridWidth(); }
  int64_t prefix() const {
    return int64_t(classToken) + int64_t(distillationToken) + registers;
  }
  int64_t tokens() const { return prefix() + patches(); }
  /// Rows of the position table that are not patches.
  int64_t positionPrefix() const {
    if (!positionsOfPrefix)
      return 0;
    return positionsOfRegisters ? prefix() : prefix() - registers;
  }
  void setAttentionBias(bool bias) { queryBias = keyBias = valueBias = bias; }
  int64_t attentionWidth() const { return heads * headWidth; }
};

/// Builds the graph. `config` must have passed checkVitConfig.
OwningOpRef<ModuleOp> buildVit(const VitConfig &config, MLIRContext *context);

} // namespace mlir::vit

#endif // VIT_LIB_IMPORT_VITCONFIG_H
