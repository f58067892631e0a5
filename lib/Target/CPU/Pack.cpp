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

  /// A vector of columns of panels: the first column of its panel, its own
  /// column in that, and the columns of the panel.
  struct Columns {
    Value first, column, width;
  };

  Value result() { return b.argument(op->getNumOperands()); }
  /// Neighbouring depths of a word of panels.
  int64_t interleave() {
    return kernel::interleaveOf(tensorOf(op.getResult()).getElementType());
  }
  int64_t depthOf(const Channels &depths);
  Columns getColumns(Value first, int64_t all, int64_t width);
  /// Stores vector `vector` of the depths of some columns of panels: a vector
  /// of columns for each of its depths.
  void storeDepths(const Channels &depths, Value vector, const Columns &columns,
                   ArrayRef<Value> values);
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

int64_t Pack::depthOf(const Channels &depths) {
  return kernel::paddedChannels(depths.width, depths.group,
                                kChannelPad * interleave());
}

void Pack::storeDepths(const Channels &depths, Value vector,
                       const Columns &columns, ArrayRef<Value> values) {
  // Of narrow elements, a run of depths (a group, or all) is padded to lines.
  int64_t run = llvm::divideCeil(
      depths.group == 0 ? depths.width : depths.group, kChannelPad);
  int64_t stride = kernel::padTo(run, interleave());
  if (stride != run)
    vector = b.add(b.mul(b.div(vector, run), stride), b.rem(vector, run));
  Value row = b.mul(columns.width, interleave());
  Value to = b.add(b.add(b.mul(columns.first, depthOf(depths)),
                         b.mul(columns.column, interleave())),
                   b.mul(b.mul(vector, kChannelPad), columns.width));
  auto storeRow = [&](int64_t i, Value first, Value second) {
    Value at = b.add(to, b.mul(row, i));
    if (interleave() == 1)
      b.store(first, result(), at);
    else
      b.storeLine(joinPairs(b, first, second, result()), result(), at);
  };
  int64_t rows = kChannelPad / interleave();
  for (int64_t i = 0; i < rows; ++i)
    storeRow(i, values[i * interleave()], values[(i + 1) * interleave() - 1]);
  if (stride == run)
    return;
  Value zero = b.splat(0);
  b.ifThen(b.isEqual(b.rem(vector, stride), b.index(run - 1)), [&] {
    for (int64_t i = rows; i < 2 * rows; ++i)
      storeRow(i, zero, zero);
  });
}

/// The panel and column of the vector of columns that begins at `first` of
/// `all` padded columns, in panels of `width`.
Pack::Columns Pack::getColumns(Value first, int64_t all, int64_t width) {
  Value column = b.rem(first, width);
  Value panelFirst = b.sub(first, column);
  return {panelFirst, column,
          b.min(b.index(width), b.sub(b.index(all), panelFirst))};
}

void Pack::panels(const Channels &out, const Channels &in, int64_t columns) {
  bool aligned = areAligned(out.group == 0 ? kChannelPad : out.group);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Columns place = getColumns(b.mul(unit, kChannelPad),
                               out.vectors() * kChannelPad, columns);
    forChannels(b, out, unit, [&](Value firstRow, int64_t count) {
      SmallVector<Row> rows = getRows(firstRow, count, aligned);
      b.loop(0, in.vectors(), [&](Value vector) {
        forChannels(b, in, vector, [&](Value channel, int64_t lanes) {
          SmallVector<Value> values;
          for (const Row &row : rows)
            values.push_back(
                b.loadLanes(row.buffer, b.add(row.offset, channel), lanes));
          values.resize(kVectorLanes, b.splat(0));
          storeDepths(in, vector, place, transposeVectors(b, values));
        });
      });
    });
  });
}

void Pack::transposedPanels(const Channels &out, const Channels &in,
                            int64_t columns) {
  bool aligned = areAligned(out.group == 0 ? kChannelPad : out.group);
  b.loop(b.begin(), b.end(), [&](Value unit) {
    forChannels(b, out, unit, [&](Value firstRow, int64_t count) {
      SmallVector<Row> rows = getRows(firstRow, count, aligned);
      b.loop(0, in.vectors(), [&](Value vector) {
        Columns place = getColumns(b.mul(vector, kChannelPad),
                                   in.vectors() * kChannelPad, columns);
        forChannels(b, in, vector, [&](Value channel, int64_t lanes) {
          SmallVector<Value> values;
          for (const Row &row : rows)
            values.push_back(
                b.loadLanes(row.buffer, b.add(row.offset, channel), lanes));
          values.resize(kVectorLanes, b.splat(0));
          storeDepths(out, unit, place, values);
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
  bool hasElements = type.getElementType().isF32() ||
                     (type.getElementType().isBF16() &&
                      isa_and_nonnull<kernel::PanelsAttr>(layout));
  if (!hasElements ||
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
