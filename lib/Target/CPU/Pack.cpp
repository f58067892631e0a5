//===- Pack.cpp - The forms of variables that kernels read ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Does in each step what the runtime's derivation of stored forms does at load.
// A work unit is 16 padded outputs of a weight, one row of a table, or one
// vector of a bias. Without a layout the sources are stacked as they are; a
// work unit is a row then.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

namespace {
/// The position of a row of the stacked sources.
struct Row {
  Value buffer, offset;
};

struct Pack {
  kernel::PackOp op;
  KernelBuilder &b;
  int64_t width;                    ///< elements of a row
  SmallVector<int64_t> starts = {}; ///< first row of each source

  Value result() { return b.argument(op->getNumOperands()); }
  /// Whether every source begins at a multiple of `rows` rows.
  bool areAligned(int64_t rows) const;
  Row getRow(Value row);
  /// Returns `count` rows from `first` on. If `aligned`, they are in one
  /// source.
  SmallVector<Row> getRows(Value first, int64_t count, bool aligned);
  void panels(const Channels &out, const Channels &in, int64_t columns);
  void transposedPanels(const Channels &out, const Channels &in,
                        int64_t columns);
  void table(const Channels &channels);
  void vector(const Channels &channels);
  void flat();
};
} // namespace

bool Pack::areAligned(int64_t rows) const {
  return llvm::all_of(starts, [&](int64_t s) { return s % rows == 0; });
}

Row Pack::getRow(Value row) {
  Value buffer = b.argument(0), start = b.index(0);
  for (size_t i = 1; i < starts.size(); ++i) {
    Value isLater = b.isAtLeast(row, b.index(starts[i]));
    buffer = b.select(isLater, b.argument(i), buffer);
    start = b.select(isLater, b.index(starts[i]), start);
  }
  return {buffer, b.mul(b.sub(row, start), width)};
}

SmallVector<Row> Pack::getRows(Value first, int64_t count, bool aligned) {
  SmallVector<Row> rows{getRow(first)};
  for (int64_t i = 1; i < count; ++i)
    rows.push_back(aligned
                       ? Row{rows[0].buffer, b.add(rows[0].offset, i * width)}
                       : getRow(b.add(first, i)));
  return rows;
}

void Pack::panels(const Channels &out, const Channels &in, int64_t columns) {
  int64_t depth = in.vectors() * kChannelPad;
  bool aligned = areAligned(out.group == 0 ? kChannelPad : out.group);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value first = b.mul(unit, kChannelPad);
    Value column = b.rem(first, columns);
    Value panelFirst = b.sub(first, column);
    Value panelWidth =
        b.min(b.index(columns),
              b.sub(b.index(out.vectors() * kChannelPad), panelFirst));
    Value base = b.add(b.mul(panelFirst, depth), column);
    forChannels(b, out, unit, [&](Value firstRow, int64_t count) {
      SmallVector<Row> rows = getRows(firstRow, count, aligned);
      b.loop(0, in.vectors(), [&](Value vector) {
        Value to = b.add(base, b.mul(b.mul(vector, kChannelPad), panelWidth));
        forChannels(b, in, vector, [&](Value channel, int64_t lanes) {
          SmallVector<Value> values;
          for (const Row &row : rows)
            values.push_back(
                b.loadLanes(row.buffer, b.add(row.offset, channel), lanes));
          values.resize(kVectorLanes, b.splat(0));
          for (auto [i, value] : llvm::enumerate(transposeVectors(b, values)))
            b.store(value, result(), b.add(to, b.mul(panelWidth, int64_t(i))));
        });
      });
    });
  });
}

void Pack::transposedPanels(const Channels &out, const Channels &in,
                            int64_t columns) {
  int64_t depth = out.vectors() * kChannelPad;
  bool aligned = areAligned(out.group == 0 ? kChannelPad : out.group);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    forChannels(b, out, unit, [&](Value firstRow, int64_t count) {
      SmallVector<Row> rows = getRows(firstRow, count, aligned);
      b.loop(0, in.vectors(), [&](Value vector) {
        Value first = b.mul(vector, kChannelPad);
        Value column = b.rem(first, columns);
        Value panelFirst = b.sub(first, column);
        Value panelWidth =
            b.min(b.index(columns),
                  b.sub(b.index(in.vectors() * kChannelPad), panelFirst));
        Value to = b.add(b.add(b.mul(panelFirst, depth), column),
                         b.mul(b.mul(unit, kChannelPad), panelWidth));
        forChannels(b, in, vector, [&](Value channel, int64_t lanes) {
          for (int64_t i = 0; i < kChannelPad; ++i) {
            Value value =
                i < count ? b.loadLanes(rows[i].buffer,
                                        b.add(rows[i].offset, channel), lanes)
                          : b.splat(0);
            b.store(value, result(), b.add(to, b.mul(panelWidth, i)));
          }
        });
      });
    });
  });
}

void Pack::table(const Channels &channels) {
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Row row = getRow(unit);
    Value to = b.mul(unit, channels.vectors() * kChannelPad);
    b.loop(0, channels.vectors(), [&](Value vector) {
      forChannels(b, channels, vector, [&](Value channel, int64_t lanes) {
        b.store(b.loadLanes(row.buffer, b.add(row.offset, channel), lanes),
                result(), b.add(to, b.mul(vector, kChannelPad)));
      });
    });
  });
}

// Each element is a row.
void Pack::vector(const Channels &channels) {
  bool isSplat = op->getNumOperands() == 1 &&
                 tensorOf(op->getOperand(0)).getNumElements() == 1;
  bool aligned = areAligned(channels.group == 0 ? kChannelPad : channels.group);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value to = b.mul(unit, kChannelPad);
    forChannels(b, channels, unit, [&](Value channel, int64_t lanes) {
      if (isSplat) {
        Value value = b.broadcast(b.loadScalar(b.argument(0), b.index(0)));
        return b.store(b.keepLanes(value, lanes), result(), to);
      }
      if (aligned) {
        Row row = getRow(channel);
        return b.store(b.loadLanes(row.buffer, row.offset, lanes), result(),
                       to);
      }
      b.store(b.splat(0), result(), to);
      for (auto [i, row] : llvm::enumerate(getRows(channel, lanes, false)))
        b.storeScalar(b.loadScalar(row.buffer, row.offset), result(),
                      b.add(to, int64_t(i)));
    });
  });
}

void Pack::flat() {
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Row row = getRow(unit);
    Value to = b.mul(unit, width);
    forEachVector(b, width, {}, [&](Value v, int64_t lanes, Carried carried) {
      Value inRow = b.mul(v, kVectorLanes);
      b.storeLanes(b.loadLanes(row.buffer, b.add(row.offset, inRow), lanes),
                   result(), b.add(to, inRow), lanes);
      return carried;
    });
  });
  zeroTail(b, op.getResult(), result());
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::PackOp op,
                                           KernelBuilder &b) {
  for (Type type : op->getOperandTypes())
    if (failed(verifyFlat(op, type)))
      return failure();
  RankedTensorType type = op.getResult().getType();
  Attribute layout = type.getEncoding();
  if (!type.getElementType().isF32() ||
      (layout && !isa<kernel::PanelsAttr, kernel::ChannelsAttr>(layout)))
    return op.emitOpError("has no code that makes ") << type;

  Pack pack{op, b, type.getRank() == 1 ? 1 : type.getShape().back()};
  int64_t start = 0;
  for (Type source : op->getOperandTypes()) {
    pack.starts.push_back(start);
    start += cast<RankedTensorType>(source).getNumElements() / pack.width;
  }
  int64_t units;
  if (!layout) {
    units = type.getNumElements() / pack.width;
    pack.flat();
  } else if (auto panels = dyn_cast<kernel::PanelsAttr>(layout)) {
    Channels out{type.getShape()[0], panels.getOutGroup()};
    Channels in{type.getShape()[1], panels.getInGroup()};
    units = out.vectors();
    if (panels.getTransposed())
      pack.transposedPanels(out, in, panels.getCols());
    else
      pack.panels(out, in, panels.getCols());
  } else {
    Channels channels{type.getShape().back(),
                      cast<kernel::ChannelsAttr>(layout).getGroup()};
    bool isVector = type.getRank() == 1;
    units =
        isVector ? channels.vectors() : type.getNumElements() / channels.width;
    if (isVector)
      pack.vector(channels);
    else
      pack.table(channels);
  }
  return withoutBatch(op, units);
}
