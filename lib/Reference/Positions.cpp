//===- Positions.cpp - Relative and rotary positions ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ops.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

//===----------------------------------------------------------------------===//
// Relative positions
//===----------------------------------------------------------------------===//

/// The row of the table for each pair of tokens, as transformers'
/// BeitRelativePositionBias.generate_relative_position_index.
static std::vector<int64_t> relativeIndex(ArrayRef<int64_t> grid,
                                          int64_t prefix) {
  int64_t height = grid[0], width = grid[1];
  int64_t tokens = prefix + height * width;
  int64_t distances = (2 * height - 1) * (2 * width - 1);
  std::vector<int64_t> index;
  for (int64_t i = 0; i < tokens; ++i)
    for (int64_t j = 0; j < tokens; ++j) {
      if (i < prefix || j < prefix) {
        index.push_back(distances + (i >= prefix ? 1 : j >= prefix ? 0 : 2));
        continue;
      }
      int64_t query = i - prefix, key = j - prefix;
      int64_t rows = query / width - key / width + height - 1;
      int64_t columns = query % width - key % width + width - 1;
      index.push_back(rows * (2 * width - 1) + columns);
    }
  return index;
}

Tensor reference::relativePositions(ArrayRef<const Tensor *> tables,
                                    ArrayRef<int64_t> grid, int64_t prefix) {
  std::vector<int64_t> index = relativeIndex(grid, prefix);
  int64_t tokens = prefix + grid[0] * grid[1], heads = tables[0]->width();
  int64_t rows = (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 * prefix;
  Tensor result({heads, tokens, tokens});
  auto pairs = static_cast<int64_t>(index.size());
  for (const Tensor *table : tables)
    for (int64_t first = 0; first < table->rows(); first += rows)
      for (int64_t head = 0; head < heads; ++head)
        for (int64_t pair = 0; pair < pairs; ++pair)
          result.data[head * pairs + pair] +=
              table->row(first + index[pair])[head];
  return result;
}

Tensor reference::relativePositionsBackward(const Tensor &gradient,
                                            ArrayRef<int64_t> grid,
                                            int64_t prefix) {
  std::vector<int64_t> index = relativeIndex(grid, prefix);
  int64_t heads = gradient.shape[0];
  Tensor result({(2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 * prefix, heads});
  auto pairs = static_cast<int64_t>(index.size());
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t pair = 0; pair < pairs; ++pair)
      result.row(index[pair])[head] += gradient.data[head * pairs + pair];
  return result;
}

//===----------------------------------------------------------------------===//
// Rotary positions
//===----------------------------------------------------------------------===//

Tensor reference::rotaryPositions(const RotaryGrid &grid) {
  int64_t quarter = grid.width / 2;
  Tensor result({grid.rows * grid.columns, grid.width});
  auto coordinate = [&](int64_t place, int64_t count) {
    double x = static_cast<double>(place) + grid.origin;
    if (grid.extent)
      x *= *grid.extent / static_cast<double>(count);
    return grid.isCentered ? x - *grid.extent / 2.0 : x;
  };
  for (int64_t r = 0; r < grid.rows; ++r)
    for (int64_t c = 0; c < grid.columns; ++c) {
      double y = coordinate(r, grid.rows), x = coordinate(c, grid.columns);
      double *out = result.row(r * grid.columns + c);
      for (int64_t i = 0; i < quarter; ++i) {
        double frequency =
            std::pow(grid.temperature,
                     -static_cast<double>(i) / static_cast<double>(quarter));
        out[i] = (grid.isColumnFirst ? x : y) * frequency;
        out[quarter + i] = (grid.isColumnFirst ? y : x) * frequency;
      }
    }
  return result;
}

/// apply_rotary_pos_emb of transformers' DINOv3 (halves), apply_rot_embed_cat
/// of timm (neighbours).
Tensor reference::rotate(const Tensor &input, const Tensor &angles,
                         int64_t heads, int64_t prefix, PairKind kind,
                         bool isInverse) {
  Tensor result = input;
  int64_t tokens = input.shape[1], headDim = input.width() / heads;
  int64_t pairs = headDim / 2;
  bool isPerHead = angles.width() != pairs;
  for (int64_t row = 0; row < input.rows(); ++row) {
    int64_t token = row % tokens;
    if (token < prefix)
      continue;
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t pair = 0; pair < pairs; ++pair) {
        double angle =
            angles.row(token - prefix)[isPerHead ? head * pairs + pair : pair];
        if (isInverse)
          angle = -angle;
        int64_t first = kind == PairKind::halves ? pair : 2 * pair;
        int64_t second = kind == PairKind::halves ? first + pairs : first + 1;
        const double *in = input.row(row) + head * headDim;
        double *out = result.row(row) + head * headDim;
        out[first] = in[first] * std::cos(angle) - in[second] * std::sin(angle);
        out[second] =
            in[second] * std::cos(angle) + in[first] * std::sin(angle);
      }
  }
  return result;
}

Tensor reference::rotateByTables(const Tensor &input, int64_t offset,
                                 const Tensor &cosine, const Tensor &sine,
                                 int64_t heads, int64_t headDim,
                                 PairKind kind) {
  int64_t tokens = input.shape[1], width = cosine.width();
  Tensor result({input.shape[0], tokens, heads * headDim});
  for (int64_t row = 0; row < input.rows(); ++row)
    for (int64_t channel = 0; channel < heads * headDim; ++channel) {
      int64_t i = channel % headDim, first = channel - i;
      int64_t other =
          kind == PairKind::neighbours ? (i ^ 1) : (i + headDim / 2) % headDim;
      const double *in = input.row(row) + offset;
      result.row(row)[channel] =
          in[channel] * cosine.row(row % tokens)[channel % width] +
          in[first + other] * sine.row(row % tokens)[channel % width];
    }
  return result;
}
