//===- TiledGemm.h - Panels of a product in tile registers ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_TILEDGEMM_H
#define VIT_TARGET_CPU_TILEDGEMM_H

#include "Amx.h"
#include "Emitters.h"

namespace mlir::vit::cpu {

/// Emits panels of a product whose sums are in the tile registers of AMX: two
/// row blocks by two vectors of columns at a time. The vector units apply the
/// epilogue to the sums of a tile while the next one is multiplied, so that the
/// last tile of a kernel waits for finish().
class TiledGemm {
public:
  TiledGemm(kernel::GemmOp op, KernelBuilder &b, const Blocked &input,
            const Blocked &result, const Epilogue &epilogue, int64_t chunk);

  /// Row blocks [from, to) of a chunk by one panel.
  struct Panel {
    Value from, to, chunkBegin;
    Value base;        ///< offset in the weights
    Value firstVector; ///< of the result's channels
    int64_t columns;
    bool isOnly; ///< no other panel follows in memory
  };
  void emitPanel(const Panel &panel);
  void finish();
  /// Bytes of scratch memory per thread.
  int64_t getScratch() const { return scratch; }

private:
  /// A tile of a panel.
  struct Place {
    Value block;    ///< the first row block
    Value vector;   ///< the first vector of columns of the panel
    int64_t height; ///< row blocks, 1 or 2
    int64_t width;  ///< vectors of columns, 1 or 2
  };
  void emitStripe(const Panel &panel, Value vector, int64_t width);
  void emitTile(const Panel &panel, const Place &place);
  void prefetchResult(const Panel &panel, const Place &place, Value step);
  void prefetchWeights(const Panel &panel, const Place &place, Value step);
  void applyRows(Value step);
  void applyRow(Value row);

  Value getState(int64_t index);
  void setState(int64_t index, Value value);

  kernel::GemmOp op;
  KernelBuilder &b;
  const Blocked &input, &result;
  const Epilogue &epilogue;
  Tiles tiles;
  int64_t chunk;   ///< row blocks of a chunk
  int64_t steps;   ///< lines of depth
  int64_t scratch; ///< bytes
  Value sums;      ///< two buffers of [32][32], f32
  Value state;     ///< i64, see State
};

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_TILEDGEMM_H
