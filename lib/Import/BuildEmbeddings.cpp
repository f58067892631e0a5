//===- BuildEmbeddings.cpp - From the picture to tokens -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BuildVit.h"

using namespace mlir;
using namespace mlir::vit;

Value VitBuilder::patchEmbedding(Value image) {
  Location loc = at(names.patch);
  int64_t height = config.patchHeight, width = config.patchWidth;
  Value x =
      PatchifyOp::create(b, loc, image, {height, width}, config.pixelOrder);
  if (config.patchNorm)
    x = norm(x, "patch_norm", names.patchNorm);
  int64_t in = lastDimension(x), out = config.width;
  Stored stored{names.patch + ".weight", {out, in}, 0, out};
  if (config.patchConvolution)
    stored.shape = {out, config.channels, height, width};
  Value weight = parameter("patch.weight", {out, in},
                           ParameterRole::PatchWeight, in, loc, stored);
  Value bias;
  if (config.patchBias)
    bias = parameter("patch.bias", {out}, ParameterRole::PatchBias, in, loc,
                     names.patch + ".bias");
  x = LinearOp::create(b, loc, x, weight, bias);
  if (config.embeddingNorm)
    x = norm(x, "embedding_norm", names.embeddingNorm);
  return x;
}

Value VitBuilder::positionTable() {
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  if (config.positions == PositionKind::Sincos)
    return SincosPositionsOp::create(
        b, at(names.positions), tensor({config.patches(), config.width}), grid,
        config.width, llvm::APFloat(1e4), config.exclusiveSincos);
  int64_t prefix = config.positionPrefix();
  SmallVector<int64_t, 2> stored{config.storedGridHeight,
                                 config.storedGridWidth};
  if (!config.storedGridHeight)
    stored = grid;
  Value table = tokens("positions", prefix + stored[0] * stored[1],
                       ParameterRole::Positions, names.positions);
  if (stored == grid)
    return table;
  return ResamplePositionsOp::create(b, at(names.positions), table, stored,
                                     grid, prefix, config.antialias);
}

/// Class token, registers and patches, where the table has rows for the first
/// and the last, but not for what is between them: two parameters.
Value VitBuilder::embedApart(Value x) {
  Location loc = at(names.embeddings), where = at(names.positions);
  SmallVector<int64_t, 2> grid{config.gridHeight(), config.gridWidth()};
  SmallVector<int64_t, 2> stored{config.storedGridHeight,
                                 config.storedGridWidth};
  if (!config.storedGridHeight)
    stored = grid;
  int64_t rows = stored[0] * stored[1], prefix = config.positionPrefix();
  Value first = positions("prefix_positions", prefix, prefix + rows, 0);
  Value table = positions("positions", rows, prefix + rows, prefix);
  if (stored != grid)
    table = ResamplePositionsOp::create(b, where, table, stored, grid, 0,
                                        config.antialias);
  x = AddOp::create(b, loc, x, table);
  Value registers = tokens("registers", config.registers, ParameterRole::Token,
                           names.registers);
  x = PrependTokensOp::create(b, at(names.registers), x, registers);
  // Only parameters can be prepended: the class token's position is added as a
  // table of its own, whose other rows are zero.
  Value zeros = ScaleOp::create(b, loc, x, llvm::APFloat(0.0));
  Value only = PrependTokensOp::create(b, where, zeros, first);
  Value token =
      tokens("class_token", 1, ParameterRole::Token, names.classToken);
  x = PrependTokensOp::create(b, at(names.classToken), x, token);
  return AddOp::create(b, loc, x, only);
}

Value VitBuilder::embed(Value image) {
  Value x = patchEmbedding(image);
  if (config.registers && !config.positionsOfRegisters) {
    x = embedApart(x);
    return drop(x, config.embeddingDropout, at(names.embeddings));
  }
  Location loc = at(names.embeddings);
  Value table;
  if (config.positions != PositionKind::None)
    table = positionTable();
  if (table && !config.positionsOfPrefix)
    x = AddOp::create(b, loc, x, table);
  auto prepend = [&](StringRef symbol, int64_t rows, ParameterRole role,
                     StringRef name, int64_t rank = 0) {
    Value values = tokens(symbol, rows, role, name, rank);
    x = PrependTokensOp::create(b, at(name), x, values);
  };
  if (config.registers)
    prepend("registers", config.registers, ParameterRole::Token,
            names.registers);
  if (config.distillationToken)
    prepend("distillation_token", 1, ParameterRole::DistToken,
            names.distillationToken);
  if (config.classToken)
    prepend("class_token", 1, ParameterRole::Token, names.classToken,
            config.classTokenRank);
  if (table && config.positionsOfPrefix)
    x = AddOp::create(b, loc, x, table);
  x = drop(x, config.embeddingDropout, loc);
  if (config.preNorm)
    x = norm(x, "pre_norm", names.preNorm);
  return x;
}
