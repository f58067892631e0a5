//===- RowsBackward.cpp - Adjoints of norms and softmax -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As in Rows.cpp, all rows of a block are processed at once. The backward of a
// layer norm makes three passes over them: sums of x and of g = dy scale, from
// which the means follow; sums of (x - mean)^2 and of g (x - mean); the result.
// The sums over the tokens of an image are accumulated in the result, so if
// they are wanted, a work unit is an image.
//
//===----------------------------------------------------------------------===//

#include "../Common/NormCode.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

using Reduction = KernelBuilder::Reduction;

namespace {
struct NormalizeBackward {
  kernel::NormalizeBackwardOp op;
  KernelBuilder &b;
  Blocked shape;
  RowParts parts;
  std::optional<Blocked> sums; ///< if there are sums

  bool hasSums() const { return sums.has_value(); }
  Value result(unsigned number) {
    return b.argument(op->getNumOperands() + number);
  }
  /// One channel vector of all rows of a block.
  struct Rows {
    Value offset;
    Carried x, dy, g; ///< g = dy scale
  };
  Rows load(const RowBlock &block, Value channelVector);
  /// Adds the contribution of a block to the sums over tokens, or stores the
  /// sums of a row.
  void addSums(const RowBlock &block, Value image, Value channelVector,
               ArrayRef<Value> dy, ArrayRef<Value> normal);
  void emitBlock(const RowBlock &block, Value image, Value part);
  void startSums(Value image);
  void emit();
};
} // namespace

NormalizeBackward::Rows NormalizeBackward::load(const RowBlock &block,
                                                Value channelVector) {
  Rows rows;
  rows.offset = b.add(block.base, b.mul(channelVector, shape.vectorElements()));
  Value scale;
  if (op.getScale())
    scale = b.load(b.argument(2), b.mul(channelVector, kChannelPad));
  for (int64_t row = 0; row < shape.rows; ++row) {
    Value at = b.add(rows.offset, row * kChannelPad);
    rows.dy.push_back(b.load(b.argument(0), at));
    rows.x.push_back(b.load(b.argument(1), at));
    rows.g.push_back(scale ? b.mulf(rows.dy.back(), scale) : rows.dy.back());
  }
  return rows;
}

void NormalizeBackward::addSums(const RowBlock &block, Value image,
                                Value channelVector, ArrayRef<Value> dy,
                                ArrayRef<Value> normal) {
  Value vector = b.mul(channelVector, sums->vectorElements());
  SmallVector<Value> products;
  for (int64_t row = 0; row < shape.rows; ++row)
    products.push_back(b.mulf(dy[row], normal[row]));
  if (!shape.isPerImage()) {
    for (int64_t row = 0; row < shape.rows; ++row) {
      Value at = b.add(block.base, b.add(vector, row * kChannelPad));
      b.store(products[row], result(1), at);
      b.store(dy[row], result(2), at);
    }
    return;
  }
  Value at = b.add(getRowOffset(b, *sums, image, image), vector);
  b.store(b.addf(b.load(result(1), at), addPairwise(b, products)), result(1),
          at);
  b.store(b.addf(b.load(result(2), at), addPairwise(b, dy)), result(2), at);
}

void NormalizeBackward::emitBlock(const RowBlock &block, Value image,
                                  Value part) {
  int64_t rows = shape.rows;
  NormCode norm{op.getKind(), parts.channels,
                op.getEpsilon().convertToDouble()};
  Value share = b.scalar(1.0 / double(parts.channels));
  // Returns two sums per row over the channels of the part, as scalars.
  auto reduce = [&](function_ref<std::pair<Value, Value>(
                        const Rows &values, int64_t row, int64_t lanes)>
                        body) {
    Carried totals =
        parts.visit(b, part, Carried(2 * rows, b.splat(0)),
                    [&](Value channelVector, int64_t lanes, Carried carried) {
                      Rows values = load(block, channelVector);
                      for (int64_t row = 0; row < rows; ++row) {
                        auto [first, second] = body(values, row, lanes);
                        carried[2 * row] = b.addf(carried[2 * row], first);
                        carried[2 * row + 1] =
                            b.addf(carried[2 * row + 1], second);
                      }
                      return carried;
                    });
    for (Value &total : totals)
      total = b.reduce(Reduction::Add, total);
    return totals;
  };

  Carried means, meanGs; // empty if the norm does not centre
  if (norm.isCentred()) {
    Carried first = reduce([&](const Rows &values, int64_t row, int64_t) {
      return std::make_pair(values.x[row], values.g[row]);
    });
    for (int64_t row = 0; row < rows; ++row) {
      means.push_back(b.broadcast(b.mulf(first[2 * row], share)));
      meanGs.push_back(b.broadcast(b.mulf(first[2 * row + 1], share)));
    }
  }
  auto centre = [&](Value x, ArrayRef<Value> means, int64_t row) {
    return norm.isCentred() ? b.subf(x, means[row]) : x;
  };
  Carried second = reduce([&](const Rows &values, int64_t row, int64_t lanes) {
    Value centred = b.keepLanes(centre(values.x[row], means, row), lanes);
    return std::make_pair(b.mulf(centred, centred),
                          b.mulf(values.g[row], centred));
  });
  Carried factors, slopes;
  for (int64_t row = 0; row < rows; ++row) {
    Value squares = second[2 * row], products = second[2 * row + 1];
    Value factor = norm.getFactor(b, squares);
    factors.push_back(b.broadcast(factor));
    slopes.push_back(b.broadcast(norm.getSlope(b, squares, products, factor)));
  }
  parts.visit(b, part, {}, [&](Value channelVector, int64_t lanes, Carried) {
    Rows values = load(block, channelVector);
    Carried normal;
    for (int64_t row = 0; row < rows; ++row) {
      normal.push_back(b.mulf(centre(values.x[row], means, row), factors[row]));
      Value centred = centre(values.g[row], meanGs, row);
      Value dx = b.mulf(b.subf(centred, b.mulf(normal[row], slopes[row])),
                        factors[row]);
      dx = zeroPaddedRow(b, shape, block, row, b.keepLanes(dx, lanes));
      Value at = b.add(values.offset, row * kChannelPad);
      if (op.getResidual())
        dx = b.addf(dx, b.load(b.argument(op.getScale() ? 3 : 2), at));
      b.store(dx, result(0), at);
    }
    if (hasSums())
      addSums(block, image, channelVector, values.dy, normal);
    return Carried();
  });
}

/// Writes zeros to the sums of an image, and to the padded rows after those of
/// the last image.
void NormalizeBackward::startSums(Value image) {
  auto zero = [&](Value row) {
    Value offset = getRowOffset(b, *sums, row, row);
    b.loop(0, sums->channelBlocks, [&](Value v) {
      Value at = b.add(offset, b.mul(v, sums->vectorElements()));
      b.store(b.splat(0), result(1), at);
      b.store(b.splat(0), result(2), at);
    });
  };
  zero(image);
  if (sums->rows == 1)
    return;
  Value next = b.add(image, b.index(1));
  b.ifThen(b.isEqual(next, b.batch()), [&] {
    b.loop(next, b.mul(getRowBlocks(b, *sums), sums->rows), zero);
  });
}

void NormalizeBackward::emit() {
  auto emitParts = [&](const RowBlock &block, Value image) {
    b.loop(0, parts.parts, [&](Value part) { emitBlock(block, image, part); });
  };
  b.loop(b.begin(), b.end(), [&](Value unit) {
    if (!hasSums() || !shape.isPerImage()) {
      emitParts(getRowBlock(b, shape, unit), Value());
      return;
    }
    startSums(unit);
    Value first = b.mul(unit, shape.blocksPerImage);
    b.loop(0, shape.blocksPerImage, [&](Value local) {
      RowBlock block = getRowBlock(b, shape, b.add(first, local));
      emitParts(block, unit);
    });
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::NormalizeBackwardOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  for (Value value : {op.getGradient(), op.getInput(), op.getResidual()})
    if (value && value.getType() != op.getResult().getType())
      return op.emitOpError("has layouts that do not fit: ")
             << value.getType() << " and result " << op.getResult().getType();
  if (op.getScale()) {
    auto channels = dyn_cast_if_present<kernel::ChannelsAttr>(
        op.getScale().getType().getEncoding());
    if (!channels || channels.getGroup() != shape->group)
      return op.emitOpError("needs #kernel.channels with the groups of its "
                            "result where its scale has ")
             << op.getScale().getType();
  }
  FailureOr<RowParts> parts = RowParts::get(op, *shape, op.getGroups());
  if (failed(parts))
    return failure();
  std::optional<Blocked> sums;
  for (Value value : op.getSums()) {
    FailureOr<Blocked> of = Blocked::get(op, tensorOf(value));
    if (failed(of))
      return failure();
    if (of->group != shape->group || of->rows != shape->rows)
      return op.emitOpError("has layouts that do not fit: sums ")
             << value.getType() << ", result " << op.getResult().getType();
    sums = *of;
  }
  NormalizeBackward{op, b, *shape, *parts, sums}.emit();
  KernelInfo info = getRowBlockInfo(op.getResult().getType());
  if (sums && shape->isPerImage())
    info.units = perImage(op, 1);
  return info;
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::SoftmaxBackwardOp op,
                                           KernelBuilder &b) {
  FailureOr<Blocked> shape = Blocked::get(op, op.getResult().getType());
  if (failed(shape))
    return failure();
  for (Value operand : op->getOperands())
    if (operand.getType() != op.getResult().getType())
      return op.emitOpError("has layouts that do not fit: ")
             << operand.getType() << " and result " << op.getResult().getType();
  FailureOr<RowParts> parts = RowParts::get(op, *shape, 1);
  if (failed(parts))
    return failure();
  int64_t rows = shape->rows;
  b.loop(b.begin(), b.end(), [&](Value unit) {
    RowBlock block = getRowBlock(b, *shape, unit);
    auto forEachRow =
        [&](Carried carried,
            function_ref<void(Value dy, Value y, Value at, Value &)> body) {
          return parts->visit(
              b, b.index(0), carried,
              [&](Value channelVector, int64_t, Carried carried) {
                Value offset = b.add(
                    block.base, b.mul(channelVector, shape->vectorElements()));
                for (int64_t row = 0; row < rows; ++row) {
                  Value at = b.add(offset, row * kChannelPad), none;
                  body(b.load(b.argument(0), at), b.load(b.argument(1), at), at,
                       carried.empty() ? none : carried[row]);
                }
                return carried;
              });
        };
    // Padding is zero in both operands and therefore in the result.
    Carried sums = forEachRow(
        Carried(rows, b.splat(0)),
        [&](Value dy, Value y, Value, Value &sum) { sum = b.fma(dy, y, sum); });
    for (Value &sum : sums)
      sum = b.broadcast(b.reduce(Reduction::Add, sum));
    int64_t row = 0;
    forEachRow({}, [&](Value dy, Value y, Value at, Value &) {
      Value dx = b.mulf(y, b.subf(dy, sums[row++ % rows]));
      b.store(dx, b.argument(2), at);
    });
  });
  return getRowBlockInfo(op.getResult().getType());
}
